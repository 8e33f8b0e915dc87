use super::*;
use crate::models::ModelFacts;

fn answer_of(model: &str) -> Answer {
    Answer::of(model, Arc::default())
}

/// Take these chunks in, and what ends the stream; the turn, or what is wrong and what it cost.
fn taken(chunks: &[Value], is_done: bool) -> Result<Turn, (Fault, Usage)> {
    let mut answer = answer_of("asked");
    for chunk in chunks {
        if let Err(fault) = answer.take(None, &chunk.to_string()) {
            return Err((fault, answer.usage()));
        }
    }
    let end = if is_done { answer.take(None, "[DONE]").map(|_| ()) } else { answer.end() };
    match end {
        Ok(()) => Ok(answer.finish()),
        Err(fault) => Err((fault, answer.usage())),
    }
}

fn turn(chunks: &[Value]) -> Turn {
    taken(chunks, true).expect("whole")
}

fn delta(delta: Value) -> Value {
    json!({ "id": "c", "object": "chat.completion.chunk", "model": "answered", "choices": [{ "index": 0, "delta": delta }] })
}

fn calls(pieces: Value) -> Value {
    delta(json!({ "tool_calls": pieces }))
}

fn finish(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

/// Name and input of each call.
fn called(turn: &Turn) -> Vec<(String, Value)> {
    let calls = turn.content.iter().filter_map(Block::as_tool_use);
    calls.map(|(_, name, input)| (name.to_owned(), input.clone())).collect()
}

fn ids(turn: &Turn) -> Vec<&str> {
    turn.content.iter().filter_map(Block::as_tool_use).map(|(id, ..)| id).collect()
}

#[test]
fn text_and_a_call_grow_from_their_pieces() {
    let turn = turn(&[
        delta(json!({ "role": "assistant", "content": "" })),
        delta(json!({ "content": "Hé" })),
        delta(json!({ "content": "llo" })),
        calls(
            json!([{ "index": 0, "id": "t1", "type": "function", "function": { "name": "read_file", "arguments": "" } }]),
        ),
        calls(json!([{ "index": 0, "function": { "arguments": "{\"path\":" } }])),
        calls(json!([{ "index": 0, "function": { "arguments": "\"a.rs\"}" } }])),
        finish("tool_calls"),
    ]);
    assert_eq!(
        json!(turn.content),
        json!([
            { "type": "text", "text": "Héllo" },
            { "type": "tool_use", "id": "t1", "name": "read_file", "input": { "path": "a.rs" } },
        ])
    );
    assert_eq!((turn.stop_reason, turn.model.as_str()), (StopReason::ToolUse, "answered"));
}

/// `tool_calls` of one chunk after the other, of the calls `a {"path": "1"}` and `b {"path": "2"}`.
const NUMBERED: &[(&str, &[&str])] = &[
    (
        "places as they should be",
        &[
            r#"[{"index":0,"id":"x","function":{"name":"a","arguments":""}},{"index":1,"id":"y","function":{"name":"b","arguments":""}}]"#,
            r#"[{"index":1,"function":{"arguments":"{\"path\":\"2\"}"}}]"#,
            r#"[{"index":0,"function":{"arguments":"{\"path\":\"1\"}"}}]"#,
        ],
    ),
    (
        "every place 0, each with an id",
        &[
            r#"[{"index":0,"id":"x","function":{"name":"a","arguments":"{\"path\":\"1\"}"}}]"#,
            r#"[{"index":0,"id":"y","function":{"name":"b","arguments":"{\"path\":\"2\"}"}}]"#,
        ],
    ),
    (
        "every place 0, in pieces",
        &[
            r#"[{"index":0,"id":"x","function":{"name":"a","arguments":"{\"path\":"}}]"#,
            r#"[{"index":0,"function":{"arguments":"\"1\"}"}}]"#,
            r#"[{"index":0,"id":"y","function":{"name":"b","arguments":"{\"path\":"}}]"#,
            r#"[{"index":0,"id":null,"function":{"arguments":"\"2\"}"}}]"#,
        ],
    ),
    (
        "every place 0, no ids",
        &[
            r#"[{"index":0,"function":{"name":"a","arguments":"{\"path\":\"1\"}"}}]"#,
            r#"[{"index":0,"id":"","function":{"name":"b","arguments":"{\"path\":\"2\"}"}}]"#,
        ],
    ),
    (
        "no places, no ids",
        &[
            r#"[{"function":{"name":"a","arguments":"{\"path\":\"1\"}"}},{"function":{"name":"b","arguments":"{\"path\":\"2\"}"}}]"#,
        ],
    ),
    (
        "no places, in pieces",
        &[
            r#"[{"id":"x","function":{"name":"a","arguments":"{\"path\":"}}]"#,
            r#"[{"id":"x","function":{"arguments":"\"1\"}"}}]"#,
            r#"[{"id":"y","function":{"name":"b","arguments":"{\"path\":"}}]"#,
            r#"[{"function":{"arguments":"\"2\"}"}}]"#,
        ],
    ),
    (
        "the same id twice",
        &[
            r#"[{"index":0,"id":"call","function":{"name":"a","arguments":"{\"path\":\"1\"}"}}]"#,
            r#"[{"index":1,"id":"call","function":{"name":"b","arguments":"{\"path\":\"2\"}"}}]"#,
        ],
    ),
    (
        "an id that comes late",
        &[
            r#"[{"index":0,"function":{"name":"a","arguments":"{\"path\":"}}]"#,
            r#"[{"index":0,"id":"x","function":{"arguments":"\"1\"}"}}]"#,
            r#"[{"index":1,"function":{"name":"b","arguments":""}}]"#,
            r#"[{"index":1,"id":"y","function":{"arguments":"{\"path\":\"2\"}"}}]"#,
        ],
    ),
    (
        "an id of its own for every piece",
        &[
            r#"[{"index":0,"id":"x1","function":{"name":"a","arguments":"{\"path\":"}}]"#,
            r#"[{"index":0,"id":"x2","function":{"arguments":"\"1\"}"}}]"#,
            r#"[{"index":1,"id":"y1","function":{"name":"b","arguments":"{\"path\":"}}]"#,
            r#"[{"index":1,"id":"y2","function":{"name":"","arguments":"\"2\"}"}}]"#,
        ],
    ),
    (
        "the name in every piece",
        &[
            r#"[{"index":0,"id":"x","function":{"name":"a","arguments":"{\"path\":"}}]"#,
            r#"[{"index":0,"id":"x","function":{"name":"a","arguments":"\"1\"}"}}]"#,
            r#"[{"index":1,"id":"y","function":{"name":"b","arguments":"{\"path\":\"2\"}"}}]"#,
            r#"[{"index":1,"id":"y","function":{"name":"b","arguments":""}}]"#,
        ],
    ),
    (
        "arguments as an object",
        &[
            r#"[{"index":0,"id":"x","function":{"name":"a","arguments":{"path":"1"}}}]"#,
            r#"[{"index":1,"id":"y","function":{"name":"b","arguments":{"path":"2"}}}]"#,
        ],
    ),
    (
        "an empty object that stands for what is to come",
        &[
            r#"[{"index":0,"id":"x","function":{"name":"a","arguments":"{}"}}]"#,
            r#"[{"index":0,"function":{"arguments":"{\"path\":\"1\"}"}}]"#,
            r#"[{"index":1,"id":"y","function":{"name":"b","arguments":"{\"path\":\"2\"}"}}]"#,
        ],
    ),
    (
        "each told once more at the end",
        &[
            r#"[{"index":0,"id":"x","function":{"name":"a","arguments":"{\"path\":\"1\"}"}},{"index":1,"id":"y","function":{"name":"b","arguments":"{\"path\":\"2\"}"}}]"#,
            r#"[{"index":0,"id":"x","function":{"name":"a","arguments":"{\"path\":\"1\"}"}},{"index":1,"id":"y","function":{"name":"b","arguments":"{\"path\":\"2\"}"}}]"#,
        ],
    ),
];

#[test]
fn calls_are_told_apart_by_place_and_id_however_a_server_numbers_them() {
    for (case, chunks) in NUMBERED {
        let pieces = chunks.iter().map(|pieces| calls(serde_json::from_str(pieces).expect(pieces)));
        let turn = turn(&pieces.chain([finish("stop")]).collect::<Vec<_>>());
        let expected = [("a".to_owned(), json!({ "path": "1" })), ("b".to_owned(), json!({ "path": "2" }))];
        assert_eq!(called(&turn), expected, "{case}");
        let ids = ids(&turn);
        assert!(ids[0] != ids[1] && ids.iter().all(|id| !id.is_empty()), "{case}: {ids:?}");
        assert_eq!(turn.stop_reason, StopReason::ToolUse, "{case}");
    }
}

#[test]
fn a_call_without_arguments_has_an_empty_input() {
    for arguments in [json!(null), json!(""), json!("{}"), json!({}), json!("null")] {
        let turn = turn(&[
            calls(json!([{ "index": 0, "id": "x", "function": { "name": "a", "arguments": arguments } }])),
            finish("stop"),
        ]);
        let expected = if arguments == "null" { json!("null") } else { json!({}) };
        assert_eq!(called(&turn), [("a".to_owned(), expected)], "{arguments}");
    }
    let old = turn(&[
        delta(json!({ "function_call": { "name": "a", "arguments": "{\"path\":" } })),
        delta(json!({ "function_call": { "arguments": "\"1\"}" } })),
        finish("function_call"),
    ]);
    assert_eq!(called(&old), [("a".to_owned(), json!({ "path": "1" }))]);
}

#[test]
fn arguments_that_are_no_json_are_handed_on_as_the_model_wrote_them() {
    for written in ["{\"path\": ", "[1]", "read it"] {
        let turn = turn(&[
            calls(json!([{ "index": 0, "id": "x", "function": { "name": "a", "arguments": written } }])),
            finish("tool_calls"),
        ]);
        assert_eq!(called(&turn), [("a".to_owned(), json!(written))]);
    }
}

#[test]
fn each_way_to_finish_is_understood() {
    let call = || calls(json!([{ "index": 0, "id": "x", "function": { "name": "a", "arguments": "{}" } }]));
    for (reason, with_text, with_call) in [
        ("stop", StopReason::EndTurn, StopReason::ToolUse),
        ("tool_calls", StopReason::EndTurn, StopReason::ToolUse),
        ("function_call", StopReason::EndTurn, StopReason::ToolUse),
        ("length", StopReason::MaxTokens, StopReason::MaxTokens),
        ("content_filter", StopReason::Refusal, StopReason::Refusal),
        ("model_length", StopReason::ModelContextWindowExceeded, StopReason::ModelContextWindowExceeded),
        ("odd", StopReason::Other("odd".to_owned()), StopReason::Other("odd".to_owned())),
    ] {
        assert_eq!(turn(&[delta(json!({ "content": "hi" })), finish(reason)]).stop_reason, with_text, "{reason}");
        assert_eq!(turn(&[call(), finish(reason)]).stop_reason, with_call, "{reason}");
    }
    assert_eq!(turn(&[call()]).stop_reason, StopReason::ToolUse, "none at all");
    let refused = turn(&[delta(json!({ "refusal": "I can" })), delta(json!({ "refusal": "not." })), finish("stop")]);
    assert_eq!((refused.stop_reason, refused.content[0].as_text()), (StopReason::Refusal, Some("I cannot.")));
}

#[test]
fn a_call_cut_by_the_length_is_left_out() {
    let text = delta(json!({ "content": "I write" }));
    for arguments in ["{\"content\": \"half of a fi", ""] {
        let call = calls(json!([{ "index": 0, "id": "x", "function": { "name": "a", "arguments": arguments } }]));
        let turn = turn(&[text.clone(), call, finish("length")]);
        assert_eq!(json!(turn.content), json!([{ "type": "text", "text": "I write" }]));
    }
}

#[test]
fn a_stream_ends_with_its_mark_or_with_a_reason() {
    let text = delta(json!({ "content": "hi" }));
    assert!(taken(&[text.clone(), finish("stop")], false).is_ok());
    assert!(taken(std::slice::from_ref(&text), true).is_ok());
    assert!(matches!(taken(&[text], false), Err((Fault::Cut, _))));
    assert!(matches!(taken(&[], true), Err((Fault::Cut, _))));
}

#[test]
fn usage_is_counted_wherever_it_comes() {
    let usage = |usage: Value| {
        let turn = turn(&[delta(json!({ "content": "hi" })), finish("stop"), json!({ "choices": [], "usage": usage })]);
        let usage = turn.usage;
        (usage.input_tokens, usage.cache_write_tokens, usage.cache_read_tokens, usage.output_tokens, usage.cost_usd)
    };
    for (report, counted) in [
        (json!({ "prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107 }), (100, 0, 0, 7, None)),
        (
            json!({ "prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": { "cached_tokens": 60 },
                "completion_tokens_details": { "reasoning_tokens": 5 } }),
            (40, 0, 60, 7, None),
        ),
        (
            json!({ "prompt_tokens": 100, "completion_tokens": 7, "prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 40 }),
            (40, 0, 60, 7, None),
        ),
        (json!({ "prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 150 }), (100, 0, 0, 50, None)),
        (
            json!({ "prompt_tokens": 100, "completion_tokens": 7, "cost": 0.25,
                "prompt_tokens_details": { "cached_tokens": 60, "cache_write_tokens": 30 } }),
            (10, 30, 60, 7, Some(0.25)),
        ),
        (
            json!({ "prompt_tokens": 10, "completion_tokens": 1, "cost": -1, "prompt_tokens_details": { "cached_tokens": 99 } }),
            (0, 0, 10, 1, None),
        ),
        (json!(null), (0, 0, 0, 0, None)),
        (json!({ "prompt_tokens": null }), (0, 0, 0, 0, None)),
    ] {
        assert_eq!(usage(report.clone()), counted, "{report}");
    }
    // In every chunk: the last holds.
    let with = |text: &str, tokens: u64| {
        let mut chunk = delta(json!({ "content": text }));
        chunk["usage"] = json!({ "prompt_tokens": 10, "completion_tokens": tokens });
        chunk
    };
    let turn = turn(&[with("a", 1), with("b", 2), finish("stop")]);
    assert_eq!((turn.usage.input_tokens, turn.usage.output_tokens), (10, 2));
    let (_, lost) = taken(&[with("a", 1)], false).expect_err("cut");
    assert_eq!(lost.output_tokens, 1, "what broke off was paid for");
}

#[test]
fn a_price_is_claimed_only_where_it_is_known_to_be_that_of_who_answers() {
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 1_000_000, "completion_tokens": 0 } });
    let cost = |model: &str, own: &[ModelFacts], address: &str| {
        let env = |name: &str| (name == "OPENAI_BASE_URL").then(|| address.to_owned());
        let mut answer = Answer::of(model, Arc::new(Catalog::of_servers(own.to_vec(), &env)));
        for chunk in [delta(json!({ "content": "hi" })), usage.clone()] {
            answer.take(None, &chunk.to_string()).expect("taken");
        }
        answer.finish().usage.cost_usd
    };
    let own = [ModelFacts { name: "mine".to_owned(), input: Some(3.0), output: Some(9.0), ..ModelFacts::default() }];
    for openai in ["", " ", "https://api.openai.com/v1"] {
        assert_eq!(cost("gpt-6-sol", &[], openai), Some(4.0), "a long prompt; {openai}");
        assert_eq!(cost("qwen", &own, openai), None);
    }
    for other in ["http://127.0.0.1:8000/v1", "https://api.openai.com.example", "no address"] {
        assert_eq!(cost("gpt-6-sol", &[], other), None, "another server's price is its own; {other}");
        assert_eq!(cost("mine", &own, other), Some(3.0));
    }
}

#[test]
fn what_was_thought_is_kept_in_the_field_that_says_the_most() {
    let kept = |deltas: &[Value]| {
        let mut chunks: Vec<Value> = deltas.iter().cloned().map(delta).collect();
        chunks.extend([delta(json!({ "content": "hi" })), finish("stop")]);
        let turn = turn(&chunks);
        let blocks: Vec<Value> =
            turn.content.iter().filter_map(reasoning::kept).map(|(field, value)| json!([field, value])).collect();
        json!(blocks)
    };
    assert_eq!(
        kept(&[json!({ "reasoning_content": "h" }), json!({ "reasoning_content": "m" })]),
        json!([["reasoning_content", "hm"]])
    );
    assert_eq!(kept(&[json!({ "reasoning": "hm", "reasoning_content": "hm" })]), json!([["reasoning_content", "hm"]]));
    assert_eq!(kept(&[json!({ "reasoning": "hm", "reasoning_content": null })]), json!([["reasoning", "hm"]]));
    let detail = |text: &str| json!({ "reasoning": text, "reasoning_details": [{ "type": "reasoning.text", "index": 0, "text": text }] });
    assert_eq!(
        kept(&[detail("h"), detail("m")]),
        json!([["reasoning_details", [{ "type": "reasoning.text", "index": 0, "text": "hm" }]]])
    );
    let thinking =
        |text: &str| json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": text }] }] });
    assert_eq!(
        kept(&[thinking("h"), thinking("m"), json!({ "content": [{ "type": "text", "text": "and " }] })]),
        json!([["content", [{ "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] }]]])
    );
    assert_eq!(
        kept(&[json!({ "extra_content": { "google": { "thought_signature": "s" } } })]),
        json!([["extra_content", { "google": { "thought_signature": "s" } }]])
    );
    let signed = turn(&[
        calls(json!([{ "index": 0, "id": "x", "function": { "name": "a", "arguments": "{}" },
            "extra_content": { "google": { "thought_signature": "s" } } }])),
        finish("tool_calls"),
    ]);
    assert_eq!(signed.content[0].0["extra_content"]["google"]["thought_signature"], "s");
}

#[test]
fn an_error_inside_of_the_stream_is_told_in_its_own_words() {
    for event in [
        json!({ "error": { "code": 502, "message": "Provider disconnected" }, "choices": [{ "delta": { "content": "" }, "finish_reason": "error" }] }),
        json!({ "error": "Provider disconnected" }),
        json!({ "object": "error", "message": "Provider disconnected", "code": 400 }),
        json!({ "choices": [{ "error": { "code": 502, "message": "Provider disconnected" }, "finish_reason": "error" }] }),
    ] {
        let (fault, _) = taken(&[delta(json!({ "content": "h" })), event.clone()], true).expect_err("an error");
        assert!(matches!(&fault, Fault::Reported(body) if body.contains("Provider disconnected")), "{event}: {fault}");
    }
    let (fault, _) = taken(&[delta(json!({ "content": "h" })), finish("error")], true).expect_err("an error");
    assert!(matches!(fault, Fault::Reported(_)));
    let named = answer_of("m").take(Some("error"), "{\"error\":{\"message\":\"no\"}}");
    assert!(matches!(named, Err(Fault::Reported(_))));
}

#[test]
fn an_answer_that_comes_whole_is_taken() {
    let whole = json!({ "object": "chat.completion", "model": "answered",
        "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": { "role": "assistant", "content": null,
            "tool_calls": [{ "id": "x", "type": "function", "function": { "name": "a", "arguments": "{\"path\":\"1\"}" } }] } }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 2 } });
    let mut answer = answer_of("m");
    answer.take_whole(&whole.to_string()).expect("whole");
    let turn = answer.finish();
    assert_eq!(called(&turn), [("a".to_owned(), json!({ "path": "1" }))]);
    assert_eq!(turn.usage.input_tokens, 5);
    for odd in ["{}", "[]", "7", "{\"choices\":[]}", "{\"choices\":[{\"message\":{}}]}", "<html>"] {
        assert!(answer_of("m").take_whole(odd).is_err(), "{odd}");
    }
    // The whole message once more after its pieces is not taken twice.
    let again = json!({ "choices": [{ "message": { "content": "hi" }, "finish_reason": "stop" }] });
    assert_eq!(super::tests::turn(&[delta(json!({ "content": "hi" })), again]).content[0].as_text(), Some("hi"));
}

#[test]
fn a_character_that_was_cut_between_two_pieces_is_whole_again() {
    let mut answer = answer_of("m");
    for piece in [r"a \ud83e", r"\udd80 b"] {
        answer.take(None, &format!(r#"{{"choices":[{{"delta":{{"content":"{piece}"}}}}]}}"#)).expect("taken");
    }
    for piece in [r#"{\"a\":\"\ud83e"#, r#"\udd80\"}"#] {
        let call = format!(r#"[{{"index":0,"id":"x","function":{{"name":"n","arguments":"{piece}"}}}}]"#);
        answer.take(None, &format!(r#"{{"choices":[{{"delta":{{"tool_calls":{call}}}}}]}}"#)).expect("taken");
    }
    let turn = answer.finish();
    assert_eq!(turn.content[0].as_text(), Some("a \u{1F980} b"));
    assert_eq!(called(&turn), [("n".to_owned(), json!({ "a": "\u{1F980}" }))]);
}

#[test]
fn what_brings_nothing_is_no_news_and_garbage_is_survived() {
    let mut answer = answer_of("m");
    answer.take(None, &delta(json!({ "content": "a" })).to_string()).expect("taken");
    let news = answer.news();
    for data in [
        "",
        " ",
        "{}",
        "[]",
        "7",
        "null",
        "{\"choices\":null}",
        "{\"choices\":[]}",
        "{\"choices\":[null]}",
        "{\"choices\":[{\"delta\":null}]}",
        "{\"choices\":[{\"delta\":{\"content\":\"\",\"tool_calls\":null}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[null,7,{},{\"index\":-1,\"function\":[]}]}}]}",
        "{\"choices\":[{\"delta\":{\"content\":[7,{}],\"reasoning_details\":\"\",\"refusal\":null}}],\"usage\":7}",
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":-1}}",
    ] {
        assert!(matches!(answer.take(None, data), Ok(Step::More)), "{data}");
        assert_eq!(answer.news(), news, "{data}");
    }
    assert!(matches!(answer.take(None, "<html>"), Err(Fault::Form(_))));
    for piece in [
        json!({ "content": " " }),
        json!({ "reasoning": "x" }),
        json!({ "refusal": "x" }),
        json!({ "tool_calls": [{ "index": 0, "id": "x", "function": { "name": "a" } }] }),
    ] {
        let before = answer.news();
        answer.take(None, &delta(piece).to_string()).expect("taken");
        assert!(answer.news() > before);
    }
}

#[test]
fn an_answer_that_would_fill_the_memory_is_too_long() {
    let mut many = answer_of("m");
    let call = |n: usize| calls(json!([{ "index": n, "id": n.to_string(), "function": { "name": "a" } }])).to_string();
    let end = (0..10_000).find_map(|n| many.take(None, &call(n)).err());
    assert!(matches!(end, Some(Fault::TooLong)), "{end:?}");
    let details = delta(json!({ "reasoning_details": vec![json!({ "data": vec![0; 100_000] })] })).to_string();
    let mut long = answer_of("m");
    let end = (0..64).find_map(|_| long.take(None, &details).err());
    assert!(matches!(end, Some(Fault::TooLong)), "{end:?}");
}
