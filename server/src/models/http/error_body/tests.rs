use serde_json::json;

use super::*;

/// Kind, code, parameter, status and message of a body.
fn read(body: &Value) -> (String, String, String, Option<u16>, String) {
    let ErrorBody { kind, code, param, status, message, .. } = ErrorBody::read(&body.to_string());
    (kind, code, param, status, message)
}

#[track_caller]
fn reads(body: Value, kind: &str, code: &str, param: &str, status: Option<u16>, message: &str) {
    let expected = (kind.to_owned(), code.to_owned(), param.to_owned(), status, message.to_owned());
    assert_eq!(read(&body), expected, "{body}");
}

#[test]
fn the_forms_of_anthropic_openai_and_openrouter_say_the_same() {
    reads(
        json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "no",
            "details": { "error_code": "enforced_spend_limit_reached" } } }),
        "rate_limit_error",
        "enforced_spend_limit_reached",
        "",
        None,
        "no",
    );
    reads(
        json!({ "error": { "message": "no", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded" } }),
        "invalid_request_error",
        "context_length_exceeded",
        "messages",
        None,
        "no",
    );
    // With what the server behind it said, in words or as JSON.
    reads(
        json!({ "error": { "code": 429, "message": "Provider returned error",
            "metadata": { "provider_name": "Some", "raw": "slow down" } } }),
        "",
        "",
        "",
        Some(429),
        "Provider returned error (Some: slow down)",
    );
    let raw = json!({ "error": { "message": "no", "type": "t", "param": "top_p", "code": "c" } }).to_string();
    reads(
        json!({ "error": { "code": 400, "message": "Provider returned error.", "metadata": { "raw": raw } } }),
        "t",
        "c",
        "top_p",
        Some(400),
        "Provider returned error (no)",
    );
}

#[test]
fn the_forms_of_vllm_before_0_10_and_after_llama_cpp_and_lm_studio_say_the_same() {
    reads(
        json!({ "object": "error", "message": "no", "type": "BadRequestError", "param": null, "code": 400 }),
        "BadRequestError",
        "",
        "",
        Some(400),
        "no",
    );
    reads(
        json!({ "error": { "message": "no", "type": "BadRequestError", "param": "model", "code": 404 } }),
        "BadRequestError",
        "",
        "model",
        Some(404),
        "no",
    );
    reads(
        json!({ "error": { "code": 400, "message": "no", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8 } }),
        "exceed_context_size_error",
        "",
        "",
        Some(400),
        "no",
    );
    reads(json!({ "error": "no" }), "", "", "", None, "no");
}

#[test]
fn the_forms_of_google_mistral_in_three_ages_and_fastapi_say_the_same() {
    reads(
        json!([{ "error": { "code": 400, "message": "no", "status": "INVALID_ARGUMENT" } }]),
        "INVALID_ARGUMENT",
        "",
        "",
        Some(400),
        "no",
    );
    let detail = json!([{ "type": "extra_forbidden", "loc": ["body", "messages", 0, "name"], "msg": "Extra inputs" },
        { "loc": ["body", "x"], "msg": "Extra too" }]);
    let said = "messages.0.name: Extra inputs; x: Extra too";
    let mistral =
        |message: Value| json!({ "object": "error", "message": message, "type": "t", "param": null, "code": "1500" });
    for message in [json!({ "detail": detail }), json!(json!({ "detail": detail }).to_string()), detail.clone()] {
        reads(mistral(message), "t", "1500", "messages.0.name", None, said);
    }
    reads(json!({ "detail": detail }), "", "", "messages.0.name", None, said);
    reads(json!({ "detail": "Not Found" }), "", "", "", None, "Not Found");
}

#[test]
fn the_wait_that_a_body_asks_for_is_read() {
    let body = |delay: &str| {
        let detail = json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay });
        ErrorBody::read(&json!([{ "error": { "code": 429, "message": "m", "details": [{}, detail] } }]).to_string())
    };
    assert_eq!(body("34.5s").retry_after, Some(Duration::from_millis(34_500)));
    for odd in ["", "s", "-1s", "1e999s", "soon"] {
        assert_eq!(body(odd).retry_after, None, "{odd}");
    }
}

#[test]
fn an_answer_is_no_error() {
    for answer in [
        json!({ "object": "chat.completion", "choices": [{ "message": { "content": "hi" } }], "error": null }),
        json!({ "type": "message", "content": [{ "type": "text", "text": "hi" }] }),
        json!({ "message": { "role": "assistant", "content": "hi" }, "done": true }),
        json!({ "object": "list", "data": [] }),
        json!([{ "id": "m" }]),
        json!(7),
    ] {
        assert!(ErrorBody::of(&answer).is_empty(), "{answer}");
    }
    let deep = (0..8).fold("\"x\"".to_owned(), |inner, _| json!({ "error": { "message": inner } }).to_string());
    assert!(!ErrorBody::read(&deep).message.is_empty(), "a text that is JSON again and again ends somewhere");
}

#[test]
fn each_says_in_its_own_words_that_the_prompt_is_too_long() {
    for message in [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "the request exceeds the available context size. try increasing the context size or enable context shift",
        "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length \
         of only 4096 tokens, which is not enough.",
        "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
        "max_tokens must be at least 1, got -186.",
        "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
    ] {
        assert!(ErrorBody { message: message.to_owned(), ..ErrorBody::default() }.is_too_long(), "{message}");
    }
    for message in [
        "max_tokens is too large: 32000. This model supports at most 16384 completion tokens",
        "`max_tokens` must be less than or equal to `8192`, the maximum value is less than the `context_window`",
        "messages: text is required",
    ] {
        assert!(!ErrorBody { message: message.to_owned(), ..ErrorBody::default() }.is_too_long(), "{message}");
    }
}
