//! The tool calls of a conversation: each is carried out and answered, and one that is made again and again ends it.

use serde_json::Value;

use super::answer;
use super::brief::{Accept, Activity, Brief, Report, RunContext, SubmitTry};
use super::error::AgentError;
use super::repeated_calls::{self, LOOPING, REPEATED, RepeatedCalls};
use crate::models::Block;
use crate::text::head;
use crate::tools::{ToolOutput, coerced};

/// Tool calls of one turn that are carried out; the others are refused.
const CALLS_A_TURN: usize = 32;

/// Carries out the calls of one conversation.
pub(super) struct Calls<'a> {
    run: &'a RunContext,
    brief: &'a Brief,
    report: Report<'a>,
    /// The names of the tools there are.
    tools: Vec<String>,
    seen: RepeatedCalls,
}

/// What became of a model's submission.
pub(super) enum Submitted<T> {
    Accepted(T),
    Faulty(Vec<String>),
    None,
}

impl<'a> Calls<'a> {
    pub(super) fn new(run: &'a RunContext, brief: &'a Brief, tools: Vec<String>, report: Report<'a>) -> Self {
        Self { run, brief, report, tools, seen: RepeatedCalls::default() }
    }
}

impl Calls<'_> {
    pub(super) fn has_tool(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool == name)
    }

    /// Carry out a turn's calls in their order and answer every one of them.
    pub(super) async fn execute<T: Send>(
        &mut self,
        calls: &[(String, String, Value)],
        accept: Accept<'_, T>,
        submit_try: SubmitTry,
    ) -> Result<(Vec<Block>, Submitted<T>), AgentError> {
        self.brief.toolbox.begin_turn();
        let mut results = Vec::with_capacity(calls.len());
        let mut submitted = Submitted::None;
        let mut failed_before = false;
        for (index, (id, name, input)) in calls.iter().enumerate() {
            if self.run.cancel.is_cancelled() {
                return Err(AgentError::Cancelled);
            }
            let (text, is_error) = if index >= CALLS_A_TURN {
                (format!("not done: at most {CALLS_A_TURN} calls a turn; make it again in your next turn"), true)
            } else if let Some(fault) = answer::fault_of(input) {
                if *name == self.brief.submit.name {
                    submitted = Submitted::Faulty(vec![fault.clone()]);
                }
                (fault, true)
            } else if *name == self.brief.submit.name {
                if failed_before {
                    ("not taken: a call before it in this turn failed; look at its answer, then submit".into(), true)
                } else {
                    match accept.judge(coerced(&self.brief.submit.input_schema, input), submit_try).await? {
                        Ok(handoff) => return Ok((results, Submitted::Accepted(handoff))),
                        Err(faults) => {
                            let text = format!("not valid; mend these and submit again:\n- {}", faults.join("\n- "));
                            submitted = Submitted::Faulty(faults);
                            (text, true)
                        }
                    }
                }
            } else {
                let output = self.call(name, input).await?;
                (output.text, output.is_error)
            };
            failed_before |= is_error;
            results.push(Block::tool_result(id, self.brief.model.masked(&text), is_error));
        }
        Ok((results, submitted))
    }

    /// The answer to a call of a tool that there is not.
    fn unknown_tool(&self, name: &str) -> String {
        let known: Vec<&str> = self.tools.iter().map(String::as_str).collect();
        let submit = &self.brief.submit.name;
        format!(
            "There is no tool {:?}. Call one of: {}. Your work ends with {submit}.",
            head(name, 100),
            known.join(", ")
        )
    }

    async fn call(&mut self, name: &str, input: &Value) -> Result<ToolOutput, AgentError> {
        let called = self.brief.toolbox.call_aside(name, input, &self.run.cancel).await;
        let mut output = called.ok_or(AgentError::Cancelled)?;
        if !self.has_tool(name) {
            output.text = self.unknown_tool(name);
        }
        if !output.activity.is_empty() {
            (self.report)(Activity::Tool(output.activity.clone()));
        }
        if let Some(refused) = &output.refused {
            (self.report)(Activity::Refused(refused.clone()));
        }
        let times = self.seen.times(name, input, &output.text);
        if times >= LOOPING {
            let call = format!("{name} {}", head(&input.to_string(), 120));
            return Err(AgentError::Loop { agent: self.brief.agent.clone(), call, times });
        }
        if times >= REPEATED {
            let instead = if output.is_error { self.brief.toolbox.instead_of(name, input).await } else { None };
            output.text = repeated_calls::answer(&output, times, instead, &self.brief.submit.name);
        }
        Ok(output)
    }
}
