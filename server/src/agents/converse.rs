//! An agent, from its first prompt to what it hands on.

use std::sync::Arc;

use super::answer;
use super::brief::{Accept, Brief, Report, RunContext, SubmitTry};
use super::conversation::{Conversation, is_window_full, window_error};
use super::error::AgentError;
use super::opening::Opening;
use super::size::{bytes_of, bytes_of_frame};
use super::window::Window;
use crate::contracts::RepoPath;
use crate::models::{Block, Limits, Message, Model, StopReason};
use crate::tools::coerced;

/// Drive an agent until it hands on something `accept` takes.
///
/// # Errors
/// When the model cannot be asked, does not come to an end, or the run is cancelled.
pub async fn converse<T: Send>(
    run: &RunContext,
    brief: &Brief,
    accept: Accept<'_, T>,
    report: Report<'_>,
) -> Result<T, AgentError> {
    let mut window = Window::new(limits(run, brief).await?, brief.max_tokens);
    let first_message = first_message(brief, &window)?;
    match attempt(run, brief, &mut window, first_message, accept, report).await {
        // The window is full: one fresh conversation that is given what is done.
        Err(error) if is_window_full(&error) => {
            window.limit(limits(run, brief).await?);
            let first_message = first_message_again(brief, &window.fresh());
            attempt(run, brief, &mut window.fresh(), first_message, accept, report).await
        }
        result => result,
    }
}

/// Put one question, in one request: an answer without a valid submission is none, and is not asked for again. A model that
/// wrote its submission as text is told so, once.
///
/// # Errors
/// When the model cannot be asked or does not answer with what `accept` takes, or the run is cancelled.
pub async fn ask_once<T: Send>(
    run: &RunContext,
    brief: &Brief,
    accept: Accept<'_, T>,
    report: Report<'_>,
) -> Result<T, AgentError> {
    let mut window = Window::new(limits(run, brief).await?, brief.max_tokens);
    let first_message = first_message(brief, &window)?;
    let mut conversation = Conversation::new(run, brief, &mut window, first_message, report);
    let mut turn = conversation.turn().await?;
    if conversation.tell_of_written_call(&turn) {
        turn = conversation.turn().await?;
    }
    if turn.stop_reason == StopReason::Refusal {
        return Err(conversation.refused(&turn));
    }
    let mut calls = turn.content.iter().filter_map(Block::as_tool_use);
    let Some((_, _, input)) = calls.find(|(_, name, _)| *name == brief.submit.name) else {
        return Err(conversation.no_tools(1));
    };
    let agent = brief.agent.clone();
    let taken = match answer::fault_of(input) {
        Some(fault) => Err(vec![fault]),
        None => accept.judge(coerced(&brief.submit.input_schema, input), SubmitTry::only()).await?,
    };
    taken.map_err(|faults| AgentError::Contract { agent, tries: 1, faults })
}

/// What the model takes. It may have to be asked for.
async fn limits(run: &RunContext, brief: &Brief) -> Result<Limits, AgentError> {
    run.cancel.run_until_cancelled(brief.model.limits()).await.ok_or(AgentError::Cancelled)
}

/// The first message, as much of it as fits.
///
/// # Errors
/// When not even the least of it does: nothing is sent then.
fn first_message(brief: &Brief, window: &Window) -> Result<String, AgentError> {
    let message = fitted_message(brief, window)?;
    for path in brief.first_message.files_left_out(&message) {
        brief.toolbox.forget(path);
    }
    Ok(message)
}

fn fitted_message(brief: &Brief, window: &Window) -> Result<String, AgentError> {
    let Some(most) = window.prompt(false) else { return Ok(brief.first_message.whole()) };
    let frame = bytes_of_frame(&brief.system, &brief.tools());
    brief.first_message.fitted(most.saturating_sub(frame)).or_else(|least| {
        let bytes = frame + bytes_of(&Message::user(least.clone()).content);
        window.answer(bytes).map(|_| least).map_err(|full| window_error(brief, full, true))
    })
}

/// The first message of a conversation that starts over, because its window was full.
fn first_message_again(brief: &Brief, window: &Window) -> String {
    let so_far = so_far(&brief.toolbox.edited());
    let note = format!(
        "{so_far}Your earlier conversation about this filled the context window and was closed. Read less this time: search \
         first, then only the line ranges you need.\n\n"
    );
    let fitted = match window.prompt(true) {
        None => brief.first_message.whole(),
        Some(most) => {
            let taken = bytes_of_frame(&brief.system, &brief.tools()) + note.len();
            brief.first_message.fitted(most.saturating_sub(taken)).unwrap_or_else(|least| least)
        }
    };
    note + &fitted
}

/// What a fresh conversation is given of the one whose window was full.
fn so_far(edited: &[RepoPath]) -> String {
    if edited.is_empty() {
        return String::new();
    }
    let files: Vec<&str> = edited.iter().map(RepoPath::as_str).collect();
    format!(
        "You have already edited {}; your tools show these files as you left them. Where they stand below, they stand as \
         they were before that.\n",
        files.join(", ")
    )
}

/// What all agents of a phase share, as much of it as leaves half of each model's window to the agents: the same bytes for all of
/// them. `frame` is what else they share, in bytes, and `wanted` the most tokens of an answer.
///
/// # Errors
/// When the run is cancelled.
pub async fn shared_part(
    run: &RunContext,
    shared: &Opening,
    models: &[Arc<dyn Model>],
    frame: usize,
    wanted: u32,
) -> Result<String, AgentError> {
    let mut most: Option<usize> = None;
    for model in models {
        let limits = run.cancel.run_until_cancelled(model.limits()).await.ok_or(AgentError::Cancelled)?;
        most = most.into_iter().chain(Window::new(limits, wanted).prompt(false)).min();
    }
    Ok(match most {
        None => shared.whole(),
        Some(most) => shared.fitted(most.saturating_sub(frame) / 2).unwrap_or_else(|least| least),
    })
}

async fn attempt<T: Send>(
    run: &RunContext,
    brief: &Brief,
    window: &mut Window,
    first_message: String,
    accept: Accept<'_, T>,
    report: Report<'_>,
) -> Result<T, AgentError> {
    let mut conversation = Conversation::new(run, brief, window, first_message, report);
    conversation.drive(accept).await
}
