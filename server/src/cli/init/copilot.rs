//! The pages by which Copilot's agent mode follows the same phases, files and schemas: custom agents with hand-offs, and a
//! block in the instructions of the repository.
//!
//! Format: "Custom agents in VS Code", code.visualstudio.com/docs/agent-customization/custom-agents. Of the header only
//! fields are used that are documented since 1.106; `model` is left out, so that the one chosen in the chat serves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::proposal::{Outcome, Proposal};
use super::{agent_file, block};
use crate::cli::args::InitArgs;
use crate::cli::failure::Failure;
use crate::cli::output::{columns, print};
use crate::cli::session::Session;
use crate::contracts::PhaseName;
use crate::text;
use crate::workflow::{CONTEXT, IMPLEMENT, PLAN, Phases, REVIEW};

const INSTRUCTIONS: &str = include_str!("../../../prompts/copilot/instructions.md");
const HANDOFF: &str = include_str!("../../../prompts/copilot/handoff.md");

/// The page of each phase, and the schema of what it hands on.
const PAGES: [(PhaseName, &str, &str); 4] = [
    (CONTEXT, include_str!("../../../prompts/copilot/context.md"), "context"),
    (PLAN, include_str!("../../../prompts/copilot/plan.md"), "plan"),
    (IMPLEMENT, include_str!("../../../prompts/copilot/implement.md"), "impl_report"),
    (REVIEW, include_str!("../../../prompts/copilot/review.md"), "review"),
];

/// Write the pages, or with `--dry-run` show them.
pub(super) fn init(session: &Session, args: &InitArgs) -> Result<u8, Failure> {
    let memory = &session.settings.memory_dir;
    let workspace = &session.workspace;
    let mut proposals = Vec::new();
    let instructions = filled(INSTRUCTIONS, &BTreeMap::from([("memory", memory.clone())]));
    let shared = ["AGENTS.md"].into_iter().filter(|_| args.agents_md);
    for path in [".github/copilot-instructions.md"].into_iter().chain(shared) {
        proposals.push(Proposal::of(workspace, path, |before| {
            let before = before.unwrap_or_default();
            match block::with_block(before, &instructions) {
                Ok(text) if text == before => Outcome::Same,
                Ok(text) => Outcome::Write(text),
                Err(why) => Outcome::Left(why),
            }
        })?);
    }
    for (phase, page, schema) in PAGES {
        let body = page_text(&session.phases, (phase, page, schema), memory).map_err(Failure::failed)?;
        let path = format!(".github/agents/baton-{phase}.agent.md");
        proposals.push(Proposal::of(workspace, &path, |before| agent_file::decide(before, &body))?);
    }
    for proposal in &proposals {
        match args.dry_run {
            true => proposal.show()?,
            false => proposal.carry_out(workspace)?,
        }
    }
    if !args.dry_run {
        next(&session.settings.memory_dir)?;
    }
    Ok(0)
}

fn next(memory: &str) -> Result<(), Failure> {
    let memory = text::safe_line(memory);
    print("\nNext:")?;
    for step in [
        format!(
            "1. In VS Code's chat choose the agent baton-context and say what should be done; the buttons below its answers \
             lead on to plan, implement and review. What they hand on stands in {memory}/."
        ),
        "2. `baton status` says where that stands and names what is wrong in a file, at its line; `baton run` goes on from \
         there with a model of its own. A plan waits for your approval first, whoever made it."
            .to_owned(),
        "3. Commit the pages, so that everybody has them. `baton init` writes baton.toml with the project's checks."
            .to_owned(),
    ] {
        print(&text::paragraph("  ", &step, columns()))?;
    }
    Ok(())
}

/// The page of a phase, complete.
fn page_text(phases: &Phases, (phase, page, schema): (PhaseName, &str, &str), memory: &str) -> Result<String, String> {
    let schema_text =
        serde_json::to_string(&without_lint(phases.handoffs().schema(schema)?)).map_err(|error| error.to_string())?;
    let mut values =
        BTreeMap::from([("memory", memory.to_owned()), ("file", format!("{schema}.json")), ("schema", schema_text)]);
    let handoff = filled(HANDOFF, &values);
    values.insert("handoff", handoff.trim_end().to_owned());
    let prompt = phases.all().iter().find(|row| row.name() == phase).map(|row| row.prompt()).unwrap_or_default();
    let sections: Vec<(String, String)> =
        headings(prompt).into_iter().map(|heading| (format!("section:{heading}"), section(prompt, heading))).collect();
    values.extend(sections.iter().map(|(name, text)| (name.as_str(), text.clone())));
    Ok(filled(page, &values))
}

/// A template with its places, `{{name}}`, filled; what has no value stays as it is.
fn filled(template: &str, values: &BTreeMap<&str, String>) -> String {
    let mut parts = template.split("{{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once("}}").and_then(|(name, rest)| Some((values.get(name)?, rest))) {
            Some((value, rest)) => text.extend([value, rest]),
            None => text.extend(["{{", part]),
        }
    }
    text
}

fn headings(prompt: &str) -> Vec<&str> {
    prompt.lines().filter_map(|line| line.strip_prefix("## ")).collect()
}

/// A section of a prompt, with its heading, to the next one.
fn section(prompt: &str, heading: &str) -> String {
    let from = prompt.lines().skip_while(|line| line.strip_prefix("## ") != Some(heading));
    let mut is_first = true;
    let lines: Vec<&str> = from.take_while(|line| std::mem::take(&mut is_first) || !line.starts_with("## ")).collect();
    lines.join("\n").trim_end().to_owned()
}

/// A schema without what says nothing to who writes a file by it.
fn without_lint(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.shift_remove("$schema");
        object.shift_remove("title");
    }
    schema
}
