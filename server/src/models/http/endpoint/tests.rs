use super::*;

static API: Api = Api {
    name: "Anthropic API",
    lacking: "Messages API at its /v1/messages",
    variable: "ANTHROPIC_BASE_URL",
    default_address: "https://api.anthropic.com",
    own_ends: &[],
    foreign_ends: &[],
};

fn endpoint(is_default: bool) -> Endpoint {
    Endpoint {
        api: &API,
        host: if is_default { "api.anthropic.com" } else { "127.0.0.1:9" }.to_owned(),
        is_default,
        model_variable: None,
        is_readable: false,
        credential: Credential::ApiKey("sk-secret".to_owned()),
        credential_source: "ANTHROPIC_API_KEY".to_owned(),
    }
}

fn refused(status: u16, headers: &[(&'static str, &str)], body: &str) -> AttemptError {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().expect("a header"));
    }
    let status = StatusCode::from_u16(status).expect("a status");
    endpoint(true).refused("claude-opus-5-5", status, &map, &ErrorBody::read(body), SystemTime::UNIX_EPOCH)
}

fn body(kind: &str, message: &str) -> String {
    serde_json::json!({ "type": "error", "error": { "type": kind, "message": message } }).to_string()
}

#[test]
fn what_may_end_better_is_tried_again() {
    for (status, overloaded) in
        [(408, false), (409, false), (429, true), (500, false), (502, false), (503, false), (529, true)]
    {
        let failed = refused(status, &[], "");
        assert!(failed.retryable, "{status}");
        assert_eq!(failed.overloaded, overloaded, "{status}");
        assert_eq!(failed.error.kind, ModelErrorKind::Unavailable);
    }
    for status in [302, 307, 400, 401, 403, 404, 413, 422] {
        assert!(!refused(status, &[], "").retryable, "{status}");
    }
}

#[test]
fn the_server_may_say_itself_whether_to_try_again() {
    assert!(!refused(500, &[("x-should-retry", "false")], "").retryable);
    assert!(!refused(429, &[("x-should-retry", "false")], "").retryable);
    assert!(refused(400, &[("x-should-retry", "true")], "").retryable);
    assert!(refused(500, &[("x-should-retry", "perhaps")], "").retryable);
}

#[test]
fn the_wait_it_asks_for_is_kept() {
    let wait = |headers| refused(429, headers, "").retry_after;
    assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
    assert_eq!(wait(&[("retry-after", "7"), ("retry-after-ms", "250")]), Some(Duration::from_millis(250)));
    assert_eq!(wait(&[]), None);
}

#[test]
fn a_spend_limit_where_no_key_is_set_names_none() {
    let without = Endpoint { credential: Credential::Nothing, ..endpoint(false) };
    let body = ErrorBody::read(&body("billing_error", "no"));
    let now = SystemTime::UNIX_EPOCH;
    let failed = without.refused("m", StatusCode::PAYMENT_REQUIRED, &HeaderMap::new(), &body, now);
    let message = failed.error.message;
    assert!(message.contains("the account has reached its spend limit"), "{message}");
    assert!(!message.contains("ANTHROPIC_API_KEY"), "{message}");
}

#[test]
fn a_spend_limit_is_final_whatever_the_headers_say() {
    let code = r#"{"error":{"type":"rate_limit_error","message":"no","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    for (status, body) in [
        (
            400,
            body("invalid_request_error", "You have reached your specified API usage limits. You will regain access."),
        ),
        (400, body("invalid_request_error", "You have reached your specified workspace API usage limits.")),
        (400, body("invalid_request_error", "Your credit balance is too low to access the Anthropic API.")),
        (402, body("billing_error", "Payment required")),
        (402, String::new()),
        (429, code.to_owned()),
    ] {
        let failed = refused(status, &[("x-should-retry", "true")], &body);
        assert_eq!((failed.retryable, failed.error.kind), (false, ModelErrorKind::Quota), "{status} {body}");
    }
    let rate = body("rate_limit_error", "This request would exceed your organization's rate limit of 50 requests.");
    assert!(refused(429, &[], &rate).retryable);
}

#[test]
fn each_refusal_says_what_to_do() {
    for (status, body, kind, words) in [
        (401, body("authentication_error", "invalid x-api-key"), ModelErrorKind::Auth, "Set ANTHROPIC_API_KEY anew"),
        (403, body("permission_error", "no"), ModelErrorKind::Auth, "may not use claude-opus-5-5"),
        (404, body("not_found_error", "model: x"), ModelErrorKind::Settings, "models.powerful"),
        (404, "<html>".to_owned(), ModelErrorKind::Settings, "Set ANTHROPIC_BASE_URL"),
        (413, body("request_too_large", "too large"), ModelErrorKind::ContextWindow, "too long"),
        (400, body("invalid_request_error", "prompt is too long: 9 > 8"), ModelErrorKind::ContextWindow, "too long"),
        (400, body("exceed_context_size_error", "no"), ModelErrorKind::ContextWindow, "too long"),
        (400, body("invalid_request_error", "max_tokens: odd"), ModelErrorKind::Request, "\"max_tokens: odd\""),
        (307, String::new(), ModelErrorKind::Settings, "Redirects are not followed"),
    ] {
        let error = refused(status, &[("location", "https://elsewhere.example/v1")], &body).error;
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn a_wrong_key_is_named_by_where_it_is_kept_and_by_its_provider() {
    let refused = |source: &str, status| {
        let endpoint = Endpoint { credential_source: source.to_owned(), ..endpoint(true) };
        endpoint.refused("m", status, &HeaderMap::new(), &ErrorBody::default(), SystemTime::UNIX_EPOCH).error.message
    };
    for (source, status, message) in [
        (
            "ANTHROPIC_API_KEY",
            StatusCode::UNAUTHORIZED,
            "Anthropic API refused the key in ANTHROPIC_API_KEY (401). Set ANTHROPIC_API_KEY anew.",
        ),
        (
            EDITOR_STORE,
            StatusCode::UNAUTHORIZED,
            "Anthropic API refused the key in your editor's secret store (401). Set the key anew in your editor.",
        ),
        (
            EDITOR_STORE,
            StatusCode::FORBIDDEN,
            "Anthropic API: the key in your editor's secret store may not use m (403). Set another one, or choose another \
             model (models.*).",
        ),
    ] {
        assert_eq!(refused(source, status), message);
    }
}

#[test]
fn every_failure_that_is_tried_again_names_what_happened() {
    let reason = |status| refused(status, &[], "").reason;
    assert_eq!((reason(429), reason(529)), ("rate limit (429)".to_owned(), "overloaded (529)".to_owned()));
    assert_eq!(reason(503), "server error (503)");
    assert_eq!(endpoint(true).silent(Duration::from_secs(300)).reason, "timeout: no answer within 5m");
    for (fault, reason) in [
        (Fault::Connection("reset by peer".to_owned()), "connection lost (reset by peer)"),
        (Fault::Cut, "connection lost in the middle of the answer"),
        (Fault::Idle(Duration::from_secs(90)), "timeout: no text came for 1m 30s"),
    ] {
        assert_eq!(endpoint(true).broken("m", fault, Usage::default()).reason, reason);
    }
    let limited = refused(429, &[], "").error.message;
    assert_eq!(limited, "Anthropic API: rate limit reached (429).");
    assert_eq!(refused(529, &[], "").error.message, "Anthropic API is overloaded (529).");
}

#[test]
fn an_error_in_the_stream_means_what_its_status_would() {
    let told = |kind: &str, message: &str| {
        let fault = Fault::Reported(body(kind, message));
        endpoint(true).broken("m", fault, Usage::default())
    };
    let failed = told("overloaded_error", "Overloaded");
    assert!(failed.retryable && failed.overloaded);
    assert_eq!(failed.reason, "overloaded (529)");
    assert!(told("rate_limit_error", "").overloaded);
    assert!(told("api_error", "").retryable);
    let unnamed = told("", "upstream died");
    assert!(unnamed.retryable && unnamed.reason == "the server reports an error");
    assert_eq!(unnamed.error.message, "Anthropic API failed to answer: \"upstream died\".", "no status is made up");
    assert_eq!(told("", "it does not support tools").error.kind, ModelErrorKind::Settings);
    assert!(!told("authentication_error", "").retryable);
    assert_eq!(told("invalid_request_error", "credit balance").error.kind, ModelErrorKind::Quota);
}

#[test]
fn no_message_holds_the_key_or_a_control_character_or_is_endless() {
    let echo = format!("bad key sk-secret \u{1b}[31m\n{}", "x".repeat(5000));
    let failed = refused(400, &[], &body("invalid_request_error", &echo));
    let message = failed.error.message;
    assert!(!message.contains("sk-secret") && message.contains("[key]"), "{message}");
    assert!(!message.contains(char::is_control) && message.len() < 600, "{message}");
    assert!(!format!("{:?}", endpoint(true)).contains("sk-secret"));
}

#[test]
fn what_is_no_error_body_at_all_is_survived() {
    for body in ["", "null", "[]", "\"text\"", "{\"error\":\"plain\"}", "{\"detail\":\"gone\"}", "\u{0}\u{1F980}"] {
        refused(400, &[], body);
    }
    assert!(refused(400, &[], "{\"error\":\"plain\"}").error.message.contains("plain"));
}

#[test]
fn an_answer_that_would_be_no_other_is_not_asked_for_again() {
    for (fault, said) in [
        (
            Fault::Packed("gzip".to_owned()),
            "is packed (gzip), though nothing packed was asked for, and cannot be read. Switch",
        ),
        (Fault::TooLong, "has no end: more came than any model writes"),
    ] {
        let lost = Usage { output_tokens: 7, ..Usage::default() };
        let failed = endpoint(false).broken("m", fault, lost);
        assert!(!failed.retryable && failed.error.message.contains(said), "{}", failed.error.message);
        assert_eq!((failed.error.kind, failed.error.usage), (ModelErrorKind::Request, lost));
    }
    assert!(
        endpoint(true)
            .broken("m", Fault::Form("no event stream: it is text/html".to_owned()), Usage::default())
            .retryable
    );
}
