//! `baton history`: the workflows that ran here.

use super::args::HistoryArgs;
use super::failure::Failure;
use super::output::{columns, print};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::text;
use crate::workflow::{self, PastWorkflow};

/// Print the workflows, newest first.
pub(super) fn history(start: &Start<'_>, args: HistoryArgs) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let workflows = session.memory()?.map(|store| workflow::history(&store)).transpose()?.unwrap_or_default();
    let text = match args.json {
        true => {
            let json = serde_json::to_string_pretty(&serde_json::json!({ "workflows": workflows }));
            text::safe_json(&json.map_err(|error| Failure::failed(error.to_string()))?)
        }
        false if workflows.is_empty() => "Nothing has been run here yet. `baton run \"…\"` starts.".to_owned(),
        false => table(&workflows, columns()),
    };
    print(&text)?;
    Ok(0)
}

/// Two lines or more for each workflow: its facts, then its task.
fn table(workflows: &[PastWorkflow], columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for past in workflows {
        let facts: Vec<String> = facts(past).into_iter().filter(|fact| !fact.is_empty()).collect();
        lines.push(text::paragraph("", &format!("{}  {}", past.workflow, facts.join(" · ")), columns));
        let task = if past.task.is_empty() { "(its task is not known)" } else { &past.task };
        lines.push(text::paragraph("  ", &text::cut(task, 300), columns));
    }
    lines.push(String::new());
    let undo = workflows.iter().find(|past| past.can_undo).map(|past| ("undo", "", past));
    let back = workflows.iter().find(|past| past.can_bring_back).map(|past| ("bring back", " --undo", past));
    let command = |(what, flag, past): (&str, &str, &PastWorkflow)| {
        let of = if past.current { String::new() } else { format!(" --workflow {}", past.workflow) };
        (format!("baton rollback{of}{flag}"), what.to_owned())
    };
    let log = ("baton log RUN".to_owned(), "the conversations of a run".to_owned());
    let commands: Vec<(String, String)> = undo.into_iter().chain(back).map(command).chain([log]).collect();
    lines.extend(command_lines(&commands, columns));
    lines.join("\n")
}

/// Commands with what they do beside them, or below where there is no room; a command stays whole, to be copied.
fn command_lines(commands: &[(String, String)], columns: usize) -> Vec<String> {
    let width = commands.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let is_narrow = commands.iter().any(|(_, what)| 4 + width + what.len() > columns);
    let line = |(command, what): &(String, String)| match is_narrow {
        true => format!("  {command}\n    {what}"),
        false => format!("  {command:<width$}  {what}"),
    };
    commands.iter().map(line).collect()
}

fn facts(past: &PastWorkflow) -> Vec<String> {
    let removed = match past.removed_runs {
        0 => String::new(),
        removed => format!(" ({removed} removed)"),
    };
    vec![
        past.at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        past.outcome_words(),
        format!("{}{removed}", text::count(past.runs.len(), "run")),
        text::count(past.files, "file"),
        past.usage.and_then(|usage| usage.cost_words()).unwrap_or_default(),
        if past.current { "at hand" } else { "" }.to_owned(),
        match (past.can_undo, past.can_bring_back) {
            (true, true) => "can be undone, or brought back",
            (true, false) => "can be undone",
            (false, true) => "can be brought back",
            (false, false) => "",
        }
        .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::Outcome;

    #[test]
    fn it_fits_narrow_and_wide_terminals_and_names_the_commands() {
        let past = |workflow: &str, current: bool| PastWorkflow {
            workflow: workflow.to_owned(),
            runs: vec![workflow.to_owned(), "20260102-121212-beef".to_owned()],
            task: "Add a flag that prints the version, and a test for it, and say so in the README.".to_owned(),
            outcome: Some(Outcome::RolledBack),
            at: "2026-01-02T12:12:30Z".parse().unwrap(),
            files: 3,
            current,
            can_undo: !current,
            can_bring_back: current,
            usage: None,
            removed_runs: usize::from(!current),
        };
        let merged = PastWorkflow { outcome: Some(Outcome::Merged), ..past("20260102-121212-0003", true) };
        assert_eq!(facts(&merged)[1], "approved", "nothing was merged");
        let workflows = [past("20260102-121212-0002", true), past("20260101-121212-0001", false)];
        for columns in [40, 60, 80, 100, 120] {
            let table = table(&workflows, columns);
            let is_command = |line: &&str| line.starts_with("  baton ");
            let lines = table.lines().filter(|line| !is_command(line));
            let widest = lines.map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(widest <= columns, "{widest} of {columns}:\n{table}");
            let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
            for part in [
                "20260102-121212-0002 2026-01-02 12:12 UTC · undone · 2 runs · 3 files · at hand · can be brought back",
                "2 runs (1 removed) · 3 files · can be undone",
                "baton rollback --workflow 20260101-121212-0001 undo baton rollback --undo bring back",
                "baton log RUN the conversations of a run",
            ] {
                assert!(words.contains(part), "{part:?} is missing at {columns}:\n{table}");
            }
        }
    }
}
