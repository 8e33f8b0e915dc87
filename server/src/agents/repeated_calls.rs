//! Calls that are made again with the same answer: a model that goes in circles is told something else, and ended at last.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::text::head;
use crate::tools::ToolOutput;

/// The same call with the same answer so often gets another answer.
pub(super) const REPEATED: u32 = 3;
/// The same call with the same answer so often ends the conversation.
pub(super) const LOOPING: u32 = 8;

/// The calls of a conversation, with their answers.
#[derive(Debug, Default)]
pub(super) struct RepeatedCalls(HashMap<u64, u32>);

impl RepeatedCalls {
    /// How often a call came with this answer, this time included.
    pub(super) fn times(&mut self, name: &str, input: &Value, answer: &str) -> u32 {
        let mut hash = DefaultHasher::new();
        (name, input.to_string(), answer).hash(&mut hash);
        let times = self.0.entry(hash.finish()).or_default();
        *times += 1;
        *times
    }
}

/// The answer to a call that came so often with this one. `instead` is what its tool says to do in place of it, `submit` the
/// tool with which the agent ends.
pub(super) fn answer(output: &ToolOutput, times: u32, instead: Option<String>, submit: &str) -> String {
    const LONGEST_FAULT: usize = 300;
    let text = &output.text;
    match instead {
        Some(instead) if output.is_error => {
            let fault = head(text.lines().next().unwrap_or_default(), LONGEST_FAULT);
            format!(
                "This very call failed {times} times for the same reason, and fails again however often it is made: {fault}\n\n\
                 Do not send it again. {instead}\nIf neither can be done, end your work with {submit} and say why."
            )
        }
        _ => format!(
            "{text}\n\n(You have made this very call {times} times with this very answer. Do something else. If nothing is left \
             to do, end your work with {submit}.)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn output(text: &str, is_error: bool) -> ToolOutput {
        ToolOutput { text: text.to_owned(), is_error, activity: String::new(), refused: None }
    }

    #[test]
    fn only_the_same_call_with_the_same_answer_counts() {
        let mut calls = RepeatedCalls::default();
        let (a, b) = (json!({ "path": "a" }), json!({ "path": "b" }));
        assert_eq!([&a, &a, &b].map(|input| calls.times("read_file", input, "x")), [1, 2, 1]);
        assert_eq!((calls.times("read_file", &a, "y"), calls.times("search", &a, "x")), (1, 1));
        assert_eq!(calls.times("read_file", &a, "x"), 3);
    }

    #[test]
    fn a_repeated_fault_is_answered_with_what_to_do_instead() {
        let fault = output("old_text is missing; nothing was changed.\nmany lines", true);
        let text = answer(&fault, 3, Some("Call it so.\n".to_owned()), "submit_result");
        assert_eq!(
            text,
            "This very call failed 3 times for the same reason, and fails again however often it is made: old_text is missing; \
             nothing was changed.\n\nDo not send it again. Call it so.\n\nIf neither can be done, end your work with \
             submit_result and say why."
        );
        let text = answer(&fault, 3, None, "submit_result");
        assert!(text.starts_with(&fault.text) && text.contains("this very call 3 times"), "{text}");
        let text = answer(&output("found", false), 4, Some("unused".to_owned()), "submit_plan");
        assert!(text.starts_with("found\n\n(You have") && !text.contains("unused") && text.contains("submit_plan"));
    }
}
