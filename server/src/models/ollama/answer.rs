//! The answer, put together from the lines of its stream.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::catalog::{Catalog, Price};
use super::super::http::{Fault, Incoming, Length, Step, Tokens, join_surrogates, parse_json, tool_input_of};
use super::super::message::{Block, StopReason};
use super::super::turn::Turn;
use crate::contracts::Usage;

/// What an answer is asked of.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The model, as Ollama names it.
    pub(super) model: String,
    pub(super) catalog: Arc<Catalog>,
    /// Whether it runs in Ollama's cloud, whose prices are not known here; elsewhere it costs nothing.
    pub(super) is_in_cloud: bool,
    /// Tokens of the context that it was given.
    pub(super) context: u64,
}

/// An answer that is coming in.
#[derive(Debug)]
pub(super) struct Answer {
    asked: Asked,
    text: String,
    thinking: String,
    calls: Vec<Call>,
    done_reason: String,
    usage: Tokens,
    characters: usize,
    length: Length,
    news: u64,
    /// Bytes taken in of lines with tool calls, which as values take many times as many.
    structured: usize,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    input: Value,
}

/// Tool calls, far more than any answer has.
const MOST_CALLS: usize = 4096;
/// Bytes of tool calls, far more than a model writes in a turn.
const MOST_STRUCTURED: usize = 8 << 20;
/// So near to the end of its context an answer has filled it.
const FULL: u64 = 2;

impl Answer {
    pub(super) fn of(asked: Asked) -> Self {
        Self {
            asked,
            text: String::new(),
            thinking: String::new(),
            calls: Vec::new(),
            done_reason: String::new(),
            usage: Tokens::default(),
            characters: 0,
            length: Length::default(),
            news: 0,
            structured: 0,
        }
    }

    /// Tokens of the prompt that were read, where that is reported.
    pub(super) fn read(&self) -> Option<u64> {
        self.usage.input.map(|input| input + self.usage.cache_read.unwrap_or(0)).filter(|read| *read > 0)
    }

    /// The whole answer. Blank text is left out.
    pub(super) fn finish(self) -> Turn {
        let (stop_reason, usage) = (self.stop_reason(), self.priced(self.usage.usage(self.length)));
        let mut content = Vec::new();
        if !self.thinking.is_empty() {
            content.push(Block(json!({ "type": "thinking", "thinking": join_surrogates(self.thinking) })));
        }
        if !self.text.trim().is_empty() {
            content.push(Block::text(join_surrogates(self.text)));
        }
        content.extend(self.calls.into_iter().map(|call| Block::tool_use(&call.id, &call.name, call.input)));
        Turn { content, stop_reason, model: self.asked.model, usage }
    }

    fn stop_reason(&self) -> StopReason {
        match self.done_reason.as_str() {
            "length" => {
                let total = self.read().unwrap_or(0) + self.usage.output.unwrap_or(0);
                let is_full = total + FULL >= self.asked.context;
                if is_full { StopReason::ModelContextWindowExceeded } else { StopReason::MaxTokens }
            }
            "" | "stop" | "tool_calls" if self.calls.is_empty() => StopReason::EndTurn,
            "" | "stop" | "tool_calls" => StopReason::ToolUse,
            other => StopReason::Other(other.to_owned()),
        }
    }

    /// What it has cost: nothing, unless the user says otherwise or the model runs in Ollama's cloud.
    fn priced(&self, mut usage: Usage) -> Usage {
        if usage.total_tokens() > 0 {
            let Asked { model, catalog, is_in_cloud, .. } = &self.asked;
            let price = catalog.price(&format!("ollama:{model}"));
            // A model of any name is in the cloud where Ollama's own server is asked.
            let is_unknown = *is_in_cloud && price == Price::Local;
            usage.cost_usd = if is_unknown { None } else { price.of(&usage) };
            usage.local = price == Price::Local && !is_unknown;
        }
        usage
    }

    /// One of the fields that come in pieces.
    fn grow(&mut self, message: &Value) {
        let piece = |field: &str| message[field].as_str().unwrap_or_default();
        let (text, thinking) = (piece("content"), piece("thinking"));
        self.text.push_str(text);
        self.thinking.push_str(thinking);
        self.characters += text.chars().count();
        self.length.written += text.len() + thinking.len();
        self.news += u64::from(!text.is_empty() || !thinking.is_empty());
    }

    /// Calls come whole, and in most versions without an id.
    fn call(&mut self, call: &Value) {
        let function = &call["function"];
        let Some(name) = function["name"].as_str().filter(|name| !name.is_empty()) else { return };
        let id = call["id"].as_str().filter(|id| !id.trim().is_empty()).map(str::to_owned);
        let id = id.unwrap_or_else(|| format!("call_{:016x}", fastrand::u64(..)));
        let input = tool_input_of(&function["arguments"]);
        let written = input.to_string();
        self.characters += written.chars().count();
        self.length.written += name.len() + written.len();
        self.news += 1;
        self.calls.push(Call { id, name: name.to_owned(), input });
    }

    fn end_with(&mut self, line: &Value) -> Result<Step, Fault> {
        self.done_reason = line["done_reason"].as_str().unwrap_or_default().to_owned();
        if matches!(self.done_reason.as_str(), "load" | "unload") {
            return Err(Fault::Form("none: the model was only loaded".to_owned()));
        }
        let cached = Tokens::count(line, "prompt_eval_cached_count");
        // The count of all of it holds what the cache had.
        let read = Tokens::count(line, "prompt_eval_count");
        self.usage = Tokens {
            input: read.map(|read| read.saturating_sub(cached.unwrap_or(0))),
            cache_write: None,
            cache_read: cached.filter(|_| read.is_some()).map(|cached| cached.min(read.unwrap_or(0))),
            output: Tokens::count(line, "eval_count"),
        };
        self.news += 1;
        Ok(Step::Done)
    }
}

impl Incoming for Answer {
    fn sent(&mut self, bytes: usize) {
        self.length.sent = bytes;
    }

    fn take(&mut self, _: Option<&str>, data: &str) -> Result<Step, Fault> {
        let line = parse_json(data).map_err(|error| Fault::Form(format!("no stream of JSON lines: {error}")))?;
        if !line["error"].is_null() {
            return Err(Fault::Reported(data.to_owned()));
        }
        let message = &line["message"];
        self.grow(message);
        if let Some(calls) = message["tool_calls"].as_array().filter(|calls| !calls.is_empty()) {
            self.structured += data.len();
            if self.structured > MOST_STRUCTURED || self.calls.len() + calls.len() > MOST_CALLS {
                return Err(Fault::TooLong);
            }
            calls.iter().for_each(|call| self.call(call));
        }
        if line["done"] == true { self.end_with(&line) } else { Ok(Step::More) }
    }

    /// Some servers in front of Ollama wait for the end, and hand on one object.
    fn take_whole(&mut self, body: &str) -> Result<(), Fault> {
        match self.take(None, body)? {
            Step::Done => Ok(()),
            Step::More => Err(Fault::Cut),
        }
    }

    fn news(&self) -> u64 {
        self.news
    }

    fn characters(&self) -> usize {
        self.characters
    }

    fn usage(&self) -> Usage {
        if self.news == 0 && !self.usage.is_reported() {
            return Usage::default();
        }
        self.priced(self.usage.usage_so_far(self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(is_in_cloud: bool) -> Asked {
        Asked { model: "qwen3".to_owned(), catalog: Arc::default(), is_in_cloud, context: 1000 }
    }

    fn answer(lines: &[Value]) -> Result<Answer, Fault> {
        let mut answer = Answer::of(asked(false));
        let (last, first) = lines.split_last().expect("lines");
        for line in first {
            assert_eq!(answer.take(None, &line.to_string())?, Step::More, "{line}");
        }
        assert_eq!(answer.take(None, &last.to_string())?, Step::Done, "{last}");
        Ok(answer)
    }

    fn says(message: Value) -> Value {
        json!({ "model": "qwen3", "message": message, "done": false })
    }

    fn done(reason: &str, prompt: u64, output: u64) -> Value {
        json!({
            "model": "qwen3", "message": { "role": "assistant", "content": "" }, "done": true, "done_reason": reason,
            "prompt_eval_count": prompt, "eval_count": output,
        })
    }

    #[test]
    fn thinking_text_and_calls_are_put_together() {
        let turn = answer(&[
            says(json!({ "role": "assistant", "content": "", "thinking": "Let me" })),
            says(json!({ "content": "", "thinking": " look. " })),
            says(json!({ "content": "I read" })),
            says(json!({ "content": " it." })),
            says(json!({ "content": "", "tool_calls": [
                { "function": { "name": "read_file", "arguments": { "path": "a" } } },
                { "id": "call_7", "function": { "name": "read_file", "arguments": "{\"path\":\"b\"}" } },
            ] })),
            says(json!({ "content": "", "tool_calls": [{ "function": { "name": "search", "arguments": "{oops" } }] })),
            done("stop", 70, 30),
        ])
        .expect("an answer")
        .finish();
        let kinds: Vec<&str> = turn.content.iter().map(Block::kind).collect();
        assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use", "tool_use"]);
        assert_eq!(turn.content[0].0["thinking"], "Let me look. ");
        assert_eq!(turn.content[1].as_text(), Some("I read it."));
        let calls: Vec<_> = turn.content.iter().filter_map(Block::as_tool_use).collect();
        assert_eq!((calls[0].1, calls[0].2), ("read_file", &json!({ "path": "a" })));
        assert_eq!((calls[1].0, calls[1].2), ("call_7", &json!({ "path": "b" })));
        assert_eq!(calls[2].2, &json!("{oops"), "it goes back to the model as a fault");
        assert!(calls[0].0.starts_with("call_") && calls[0].0 != calls[2].0);
        assert_eq!(turn.stop_reason, StopReason::ToolUse);
        assert_eq!((turn.usage.input_tokens, turn.usage.output_tokens), (70, 30));
        assert_eq!(turn.usage.cost_usd, Some(0.0), "a local model costs nothing");
    }

    #[test]
    fn why_it_stopped_is_told_from_the_reason_and_the_counts() {
        let reason =
            |line: Value| answer(&[says(json!({ "content": "x" })), line]).expect("an answer").finish().stop_reason;
        assert_eq!(reason(done("stop", 1, 1)), StopReason::EndTurn);
        assert_eq!(reason(json!({ "done": true })), StopReason::EndTurn);
        assert_eq!(reason(done("length", 100, 200)), StopReason::MaxTokens);
        assert_eq!(reason(done("length", 700, 299)), StopReason::ModelContextWindowExceeded);
        assert_eq!(reason(done("moon", 1, 1)), StopReason::Other("moon".to_owned()));
        let loaded = answer(&[done("load", 0, 0)]).expect_err("nothing was said");
        assert!(loaded.to_string().contains("only loaded"), "{loaded}");
    }

    #[test]
    fn an_error_in_the_middle_is_told_in_ollamas_words() {
        let error = json!({ "error": "an error was encountered while running the model: unexpected EOF" });
        let fault = answer(&[says(json!({ "content": "x" })), error.clone()]).expect_err("an error");
        let text = error.to_string();
        assert!(matches!(fault, Fault::Reported(body) if body == text));
        for bad in ["{", "[]x", "<html>"] {
            assert!(matches!(Answer::of(asked(false)).take(None, bad), Err(Fault::Form(_))), "{bad}");
        }
        for odd in ["[]", "7", "null", r#"{"message":7}"#, r#"{"message":{"tool_calls":[7,{}]}}"#] {
            assert_eq!(Answer::of(asked(false)).take(None, odd).expect("passed over"), Step::More, "{odd}");
        }
    }

    #[test]
    fn what_the_cache_held_is_a_part_of_the_count() {
        let mut last = done("stop", 100, 5);
        last["prompt_eval_cached_count"] = json!(60);
        let answer = answer(&[last]).expect("an answer");
        assert_eq!(answer.read(), Some(100));
        let usage = answer.finish().usage;
        assert_eq!((usage.input_tokens, usage.cache_read_tokens), (40, 60));
    }

    #[test]
    fn a_model_in_the_cloud_has_no_price_unless_the_user_names_one() {
        let mut answer = Answer::of(asked(true));
        answer.take(None, &done("stop", 10, 5).to_string()).expect("an answer");
        assert_eq!(answer.finish().usage.cost_usd, None);
    }

    #[test]
    fn an_answer_that_comes_whole_is_taken_too() {
        let mut answer = Answer::of(asked(false));
        let mut whole = done("stop", 1, 1);
        whole["message"]["content"] = json!("hello");
        answer.take_whole(&whole.to_string()).expect("an answer");
        assert_eq!(answer.finish().content[0].as_text(), Some("hello"));
    }
}
