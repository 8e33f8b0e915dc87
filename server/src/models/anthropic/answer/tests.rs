use super::*;

fn answer_of(model: &str) -> Answer {
    Answer::of(model, Arc::default())
}

/// Take these events in, each named by its own type, and finish; or what is wrong, and what it cost.
fn answer(events: &[Value]) -> Result<Turn, (Fault, Usage)> {
    let mut answer = answer_of("asked-model");
    for event in events {
        match answer.take(event["type"].as_str(), &event.to_string()) {
            Ok(Step::More) => {}
            Ok(Step::Done) => return Ok(answer.finish()),
            Err(fault) => return Err((fault, answer.usage())),
        }
    }
    let fault = answer.end().expect_err("it did not say that it is done");
    Err((fault, answer.usage()))
}

fn start() -> Value {
    json!({ "type": "message_start", "message": {
        "model": "claude-haiku-4-5",
        "usage": { "input_tokens": 100, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 3, "output_tokens": 1 },
    } })
}

fn block(index: u64, block: Value, deltas: &[Value]) -> Vec<Value> {
    let mut events = vec![json!({ "type": "content_block_start", "index": index, "content_block": block })];
    events.extend(deltas.iter().map(|delta| json!({ "type": "content_block_delta", "index": index, "delta": delta })));
    events.push(json!({ "type": "content_block_stop", "index": index }));
    events
}

fn call(index: u64, pieces: &[&str]) -> Vec<Value> {
    let deltas: Vec<_> =
        pieces.iter().map(|piece| json!({ "type": "input_json_delta", "partial_json": piece })).collect();
    block(index, json!({ "type": "tool_use", "id": "t1", "name": "read_file", "input": {} }), &deltas)
}

fn end(stop_reason: &str) -> Vec<Value> {
    vec![
        json!({ "type": "message_delta", "delta": { "stop_reason": stop_reason }, "usage": { "output_tokens": 40 } }),
        json!({ "type": "message_stop" }),
    ]
}

fn whole(blocks: Vec<Value>, stop_reason: &str) -> Result<Turn, (Fault, Usage)> {
    answer(&[vec![start()], blocks, end(stop_reason)].concat())
}

#[test]
fn text_thinking_and_tool_input_grow_from_their_pieces() {
    let thinking = [
        json!({ "type": "thinking_delta", "thinking": "let me " }),
        json!({ "type": "thinking_delta", "thinking": "see" }),
        json!({ "type": "signature_delta", "signature": "abc" }),
    ];
    let text = [json!({ "type": "text_delta", "text": "Hé" }), json!({ "type": "text_delta", "text": "llo" })];
    let blocks = [
        block(0, json!({ "type": "thinking", "thinking": "", "signature": "" }), &thinking),
        block(1, json!({ "type": "text", "text": "" }), &text),
        call(2, &["{\"path\":", "\"a.rs\"}"]),
    ];
    let turn = whole(blocks.concat(), "tool_use").expect("whole");
    assert_eq!(
        json!(turn.content),
        json!([
            { "type": "thinking", "thinking": "let me see", "signature": "abc" },
            { "type": "text", "text": "Héllo" },
            { "type": "tool_use", "id": "t1", "name": "read_file", "input": { "path": "a.rs" } },
        ])
    );
    assert_eq!(turn.stop_reason, StopReason::ToolUse);
}

#[test]
fn blocks_and_deltas_of_unknown_kinds_are_kept_as_sent() {
    let odd = json!({ "type": "mystery", "data": { "deep": [1, null, "é"] }, "list": [1] });
    let deltas = [
        json!({ "type": "mystery_delta", "note": "first " }),
        json!({ "type": "mystery_delta", "note": "second", "list": [2], "flag": true }),
    ];
    let turn = whole([block(0, odd.clone(), &[]), block(1, odd, &deltas)].concat(), "end_turn").expect("whole");
    assert_eq!(
        json!(turn.content),
        json!([
            { "type": "mystery", "data": { "deep": [1, null, "é"] }, "list": [1] },
            { "type": "mystery", "data": { "deep": [1, null, "é"] }, "list": [1, 2], "note": "first second", "flag": true },
        ])
    );
}

#[test]
fn usage_reported_later_counts_and_is_priced() {
    let turn = whole(call(0, &[]), "tool_use").expect("whole");
    let usage = turn.usage;
    assert_eq!(
        (usage.input_tokens, usage.cache_write_tokens, usage.cache_read_tokens, usage.output_tokens),
        (100, 20, 3, 40)
    );
    let dollars = usage.cost_usd.expect("a known price");
    assert!((dollars - (100.0 + 20.0 * 1.25 + 3.0 * 0.1 + 40.0 * 5.0) / 1e6).abs() < 1e-12);
    assert_eq!(turn.model, "claude-haiku-4-5");
}

#[test]
fn a_server_that_leaves_much_out_is_understood() {
    let events = [
        vec![json!({ "type": "message_start" })],
        block(0, json!({ "type": "tool_use", "name": "list_files" }), &[]),
        vec![json!({ "type": "message_stop" })],
    ];
    let turn = answer(&events.concat()).expect("whole");
    let (id, name, input) = turn.content[0].as_tool_use().expect("a call with an id");
    assert!(id.starts_with("toolu_"));
    assert_eq!((name, input), ("list_files", &json!({})));
    assert_eq!((turn.stop_reason, turn.model.as_str()), (StopReason::ToolUse, "asked-model"));
    assert_eq!(turn.usage.cost_usd, None, "where no usage is told, no price is claimed");
}

#[test]
fn a_call_cut_by_max_tokens_is_left_out() {
    let text = block(0, json!({ "type": "text", "text": "I will write" }), &[]);
    for pieces in [&["{\"content\": \"half of a fi"][..], &[]] {
        let turn = whole([text.clone(), call(1, pieces)].concat(), "max_tokens").expect("a cut answer is an answer");
        assert_eq!(turn.stop_reason, StopReason::MaxTokens);
        assert_eq!(json!(turn.content), json!([{ "type": "text", "text": "I will write" }]));
    }
    let turn = whole([text, call(1, &["{}"])].concat(), "max_tokens").expect("a cut answer is an answer");
    assert_eq!(turn.content.len(), 2, "a call that is whole stays");
}

#[test]
fn tool_input_that_is_no_object_is_handed_on_as_the_model_wrote_it() {
    for pieces in [&["{\"path\": ", "\"a"][..], &["[1]"], &["\"text\""], &["\u{1F980}"]] {
        let turn = whole(call(0, pieces), "tool_use").expect("an answer that was paid for");
        assert_eq!(turn.content[0].0["input"], json!(pieces.concat()));
        assert_eq!(turn.usage.output_tokens, 40);
    }
}

#[test]
fn a_character_that_was_cut_between_two_pieces_is_whole_again() {
    let event = |field: &str, kind: &str, piece: &str| {
        format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"{kind}","{field}":"{piece}"}}}}"#)
    };
    let mut text = begun(&block(0, json!({ "type": "text", "text": "" }), &[]));
    let mut input = begun(&block(0, json!({ "type": "tool_use", "id": "t", "name": "n" }), &[]));
    for piece in [r"a \ud83e", r"\udd80 b"] {
        text.take(None, &event("text", "text_delta", piece)).expect("taken");
    }
    for piece in [r#"{\"a\":\"\ud83e"#, r#"\udd80\"}"#] {
        input.take(None, &event("partial_json", "input_json_delta", piece)).expect("taken");
    }
    assert_eq!(text.finish().content[0].as_text(), Some("a \u{1F980} b"));
    assert_eq!(input.finish().content[0].0["input"], json!({ "a": "\u{1F980}" }));
}

#[test]
fn blank_text_is_left_out_since_the_api_would_not_take_it_back() {
    let blank =
        |index| block(index, json!({ "type": "text", "text": "" }), &[json!({ "type": "text_delta", "text": "\n" })]);
    let turn = whole([blank(0), call(1, &[]), blank(2)].concat(), "tool_use").expect("whole");
    assert_eq!(turn.content.len(), 1);
}

#[test]
fn a_stream_that_ends_early_or_tells_an_error_is_broken_and_keeps_its_cost() {
    let (fault, usage) = answer(&[vec![start()], call(0, &["{}"])].concat()).expect_err("no message_stop");
    assert!(matches!(fault, Fault::Cut));
    assert_eq!(usage.input_tokens, 100);
    let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let (fault, _) = answer(&[start(), error.clone()]).expect_err("an error");
    let text = error.to_string();
    assert!(matches!(fault, Fault::Reported(body) if body == text));
    assert_eq!(answer(&[]).expect_err("nothing").1, Usage::default());
}

#[test]
fn pings_and_unknown_events_are_passed_over_and_garbage_is_not() {
    let mut answer = answer_of("m");
    for (name, data) in [
        (Some("ping"), "{\"type\":\"ping\"}"),
        (Some("news"), "not even JSON"),
        (None, "{\"type\":\"news\"}"),
        (None, ""),
        (Some("content_block_delta"), "{\"type\":\"content_block_delta\",\"index\":9,\"delta\":{}}"),
        (Some("content_block_delta"), "[]"),
        (
            Some("message_delta"),
            "{\"delta\":null,\"usage\":{\"output_tokens\":-1,\"input_tokens\":99999999999999999999}}",
        ),
        (Some("content_block_start"), "7"),
    ] {
        assert!(matches!(answer.take(name, data), Ok(Step::More)), "{name:?} {data}");
    }
    assert!(matches!(answer.take(Some("message_start"), "<html>"), Err(Fault::Form(_))));
    assert!(matches!(answer.take(Some("message_stop"), "{}"), Ok(Step::Done)));
}

#[test]
fn absurd_token_counts_do_not_overflow_a_sum() {
    let mut answer = answer_of("claude-opus-5-5");
    let told = json!({ "type": "message_delta", "usage": { "input_tokens": u64::MAX, "output_tokens": u64::MAX } });
    answer.take(None, &told.to_string()).expect("taken");
    let turn = answer.finish();
    let mut sum = turn.usage;
    sum += turn.usage;
    assert!(sum.total_tokens() > 0);
}

/// An answer that has taken these events in.
fn begun(events: &[Value]) -> Answer {
    let mut answer = answer_of("asked-model");
    for event in events {
        answer.take(event["type"].as_str(), &event.to_string()).expect("it goes on");
    }
    answer
}

fn delta(delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": 0, "delta": delta })
}

#[test]
fn what_brings_nothing_of_the_answer_is_no_news() {
    let blank = json!({ "type": "text", "text": "" });
    let signed = block(
        0,
        json!({ "type": "thinking", "thinking": "" }),
        &[json!({ "type": "signature_delta", "signature": "a" })],
    );
    let stop =
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 1 } });
    for (before, again) in [
        (vec![start()], start()),
        (vec![start()], json!({ "type": "ping" })),
        (block(0, blank.clone(), &[]), json!({ "type": "content_block_start", "index": 0, "content_block": blank })),
        (block(0, blank.clone(), &[]), json!({ "type": "content_block_stop", "index": 0 })),
        (block(0, blank.clone(), &[]), delta(json!({ "type": "text_delta", "text": "" }))),
        (block(0, blank.clone(), &[]), delta(json!({ "type": "text_delta" }))),
        (block(0, blank.clone(), &[]), delta(json!({ "type": "input_json_delta", "partial_json": "" }))),
        (block(0, blank.clone(), &[]), delta(json!({ "type": "citations_delta" }))),
        (block(0, blank.clone(), &[]), json!({ "type": "content_block_delta", "index": 7, "delta": { "text": "x" } })),
        (block(0, json!({ "type": "x", "a": 1 }), &[]), delta(json!({ "type": "x_delta", "a": 2 }))),
        (signed.clone(), delta(json!({ "type": "signature_delta", "signature": "b" }))),
        (vec![stop.clone()], stop),
    ] {
        let mut answer = begun(&before);
        let news = answer.news();
        assert!(news > 0);
        answer.take(again["type"].as_str(), &again.to_string()).expect("it goes on");
        assert_eq!(answer.news(), news, "{again}");
    }
}

#[test]
fn every_piece_of_an_answer_is_news() {
    let text = |kind: &str, field: &str| json!({ "type": kind, field: " " });
    for piece in [
        text("text_delta", "text"),
        text("thinking_delta", "thinking"),
        text("input_json_delta", "partial_json"),
        text("signature_delta", "signature"),
        json!({ "type": "citations_delta", "citation": { "url": "x" } }),
        json!({ "type": "shape_delta", "points": [1] }),
    ] {
        let mut answer = begun(&block(0, json!({ "type": "text", "text": "" }), &[]));
        let news = answer.news();
        let piece = delta(piece);
        answer.take(piece["type"].as_str(), &piece.to_string()).expect("it goes on");
        assert_eq!(answer.news(), news + 1, "{piece}");
    }
}

#[test]
fn an_answer_that_would_fill_the_memory_is_too_long() {
    let mut blocks = answer_of("m");
    let too_many = (0..)
        .map(|index| json!({ "type": "content_block_start", "index": index, "content_block": { "type": "text" } }));
    let end = too_many.take(100_000).find_map(|event| blocks.take(None, &event.to_string()).err());
    assert!(matches!(end, Some(Fault::TooLong)), "{end:?}");

    let numbers = vec![0u8; 1 << 18];
    for piece in [
        json!({ "type": "shape_delta", "points": numbers }),
        json!({ "type": "input_json_delta", "partial_json": json!(numbers).to_string() }),
        json!({ "type": "citations_delta", "citation": numbers }),
    ] {
        let mut answer = begun(&block(0, json!({ "type": "shape", "points": [] }), &[]));
        let event = delta(piece).to_string();
        let end = (0..64).find_map(|_| answer.take(None, &event).err());
        assert!(matches!(end, Some(Fault::TooLong)), "{end:?}");
    }
    let event = format!("{{\"type\":\"ping\",\"x\":[{}0]}}", "0,".repeat(5 << 20));
    assert!(matches!(answer_of("m").take(None, &event), Err(Fault::TooLong)));

    // Text takes what it has, and is bounded by the bytes of the stream.
    let mut text = begun(&block(0, json!({ "type": "text", "text": "" }), &[]));
    let event = delta(json!({ "type": "text_delta", "text": "x".repeat(1 << 20) })).to_string();
    assert!((0..32).all(|_| text.take(None, &event).is_ok()));
}

#[test]
fn thinking_that_is_hidden_is_kept_as_sent() {
    let hidden = json!({ "type": "redacted_thinking", "data": "EmwKAhgB==" });
    let blocks = [block(0, hidden.clone(), &[]), call(1, &["{\"path\":\"a.rs\"}"])];
    let turn = whole(blocks.concat(), "tool_use").expect("whole");
    assert_eq!(turn.content[0].0, hidden);
}
