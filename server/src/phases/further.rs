//! A reviewing phase that the user's configuration adds (`[[phases]]`): it reads, and hands on a summary and issues.
//! The reviewer, who alone decides, is given them, and people see them as diagnostics.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::placing::{place, text, use_names_on_disk};
use super::run_one::{OneAgent, Work, run_one, toolbox};
use super::work_done::{WorkDone, approved_part, dismissed_issues, implemented, lacks_work};
use super::{context, review};
use crate::agents::{fault_text, json_text, section, submit_tool};
use crate::config::{PhaseTier, UserPhase};
use crate::contracts::{Findings, HandoffFile, Issue, PhaseName, RepoPath, parse};
use crate::memory::Memory;
use crate::models::{Tier, ToolSpec};
use crate::text::count;
use crate::workflow::{Costs, Phase, PhaseEnd, PhaseError, Policy, Run, TierRule, Titles, ToolSet};

/// The row of a phase from the user's configuration. The same configuration gives the same row, which lives as long as
/// the process: configurations are few, and read again at every change.
pub(super) fn row(added: &UserPhase) -> &'static dyn Phase {
    static ROWS: Mutex<Vec<(UserPhase, &'static Further)>> = Mutex::new(Vec::new());
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, row)) = rows.iter().find(|(known, _)| known == added) {
        return *row;
    }
    let row: &'static Further = Box::leak(Box::new(Further::new(added)));
    rows.push((added.clone(), row));
    row
}

struct Further {
    name: PhaseName,
    titles: Titles,
    prompt: &'static str,
    files: &'static [HandoffFile],
    tier: Tier,
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

impl Further {
    fn new(added: &UserPhase) -> Self {
        // The configuration refuses what cannot be a name.
        let name = PhaseName::read(&added.name).unwrap_or(PhaseName::new("further"));
        let file = leaked(format!("{name}.json"));
        Self {
            name,
            titles: Titles { help: "Review it by your own prompt", subject: leaked(format!("The {name} phase")) },
            prompt: leaked(added.prompt.clone()),
            files: Box::leak(Box::new([HandoffFile::findings::<Findings>(file, name.as_str())])),
            tier: match added.tier {
                PhaseTier::Fast => Tier::Fast,
                PhaseTier::Balanced => Tier::Balanced,
                PhaseTier::Powerful => Tier::Powerful,
            },
        }
    }
}

#[async_trait]
impl Phase for Further {
    fn name(&self) -> PhaseName {
        self.name
    }

    fn titles(&self) -> Titles {
        self.titles
    }

    fn prompt(&self) -> &'static str {
        self.prompt
    }

    fn is_prompt_from_settings(&self) -> bool {
        true
    }

    fn files(&self) -> &'static [HandoffFile] {
        self.files
    }

    fn handoff(&self) -> &'static str {
        self.files.first().map_or("", |file| file.file)
    }

    fn tools(&self) -> ToolSet {
        ToolSet::ReadDiff
    }

    fn tier(&self) -> TierRule {
        TierRule::Always(self.tier)
    }

    fn weight(&self) -> u32 {
        10
    }

    fn is_written(&self, memory: &Memory) -> bool {
        memory.findings.contains_key(&self.name)
    }

    fn is_due(&self, memory: &Memory, _policy: &Policy, _now: Timestamp) -> bool {
        !self.is_written(memory)
    }

    fn lacks(&self, memory: &Memory) -> Option<&'static str> {
        lacks_work(memory)
    }

    fn add_costs(&self, costs: &mut Costs<'_>) {
        costs.add_review(self);
    }

    async fn run(&self, run: &Arc<Run>, memory: &Memory) -> Result<PhaseEnd, PhaseError> {
        run_one(self, run, memory).await.map(|_| PhaseEnd::Done)
    }
}

#[async_trait]
impl OneAgent for Further {
    type Handoff = Findings;
    /// The round of the report.
    type Material = u32;

    fn phase(&self) -> &dyn Phase {
        self
    }

    fn begin(&self, _run: &Run, memory: &Memory) -> Result<String, PhaseError> {
        implemented(memory)?;
        Ok("Reviewing".to_owned())
    }

    async fn gather(&self, run: &Arc<Run>, memory: &Memory) -> Result<(Work<Findings>, u32), PhaseError> {
        let (_, report) = implemented(memory)?;
        let done = WorkDone::look_up(run, memory).await?;
        let dismissed = dismissed_issues(run, memory, &run.store.earlier_reviews()?)?;
        let first_message = first_message(memory, &done, &dismissed)?;
        let toolbox = toolbox(run, self, done.diffs());
        Ok((Work::Ask { first_message, toolbox }, report.round))
    }

    fn submit(&self) -> ToolSpec {
        submit_tool::<Findings>("submit_findings", "Hand on what you found. Ends your work.")
    }

    fn accept(&self, _run: &Run, _round: &u32, input: Value) -> Result<Findings, Vec<String>> {
        accept(input)
    }

    fn complete(&self, run: &Run, _memory: &Memory, round: &u32, found: Findings) -> Result<Findings, PhaseError> {
        Ok(complete(run, *round, found))
    }

    fn write(&self, run: &Run, found: &Findings) -> Result<(), PhaseError> {
        Ok(run.store.write_as(self.handoff(), found)?)
    }

    fn done(&self, _round: &u32, found: &Findings) -> String {
        count(found.issues.len(), "issue")
    }
}

/// The first message of a further reviewing agent.
fn first_message(memory: &Memory, done: &WorkDone, dismissed: &[Issue]) -> Result<String, PhaseError> {
    let (plan, report) = implemented(memory)?;
    let mut message = section("task", &memory.task_text());
    if let Some(context) = &memory.context {
        message.push_str(&context::as_section(context));
    }
    message.push_str(&section("plan", &json_text(&approved_part(plan, memory))));
    message.push_str(&section("report", &json_text(report)));
    message.push_str(&review::changed_section(&done.summaries));
    let foreign = done.foreign.reviewer_note();
    if !foreign.is_empty() {
        message.push_str(&section("done_elsewhere", &foreign));
    }
    if !done.editor.is_empty() {
        message.push_str(&review::editor_section(&done.editor));
    }
    if !dismissed.is_empty() {
        message.push_str(&section("dismissed_issues", &json_text(&dismissed)));
        message.push_str("The user looked at the dismissed issues and wants none of them raised again.\n");
    }
    message.push_str(
        "Look at this work as your instructions say, and hand what you found on with submit_findings: each issue at its \
         place, with the exact text of its line as its quote. Another agent judges the work as a whole and is given what \
         you found; you change nothing.",
    );
    Ok(message)
}

fn accept(mut input: Value) -> Result<Findings, Vec<String>> {
    review::clamp_lines(&mut input);
    let found: Findings = parse(input).map_err(|faults| faults.iter().map(fault_text).collect::<Vec<_>>())?;
    let faults = found.issues.iter().enumerate().filter_map(|(index, issue)| {
        let error = RepoPath::parse(&issue.file).err()?;
        Some(format!("/issues/{index}/file: {error}"))
    });
    let faults: Vec<String> = faults.collect();
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// Set every issue at its place. One without a place is moved to the summary.
fn complete(run: &Run, round: u32, mut found: Findings) -> Findings {
    use_names_on_disk(&run.workspace, &mut found.issues);
    let mut unplaced = Vec::new();
    let issues = std::mem::take(&mut found.issues);
    for issue in issues {
        match place(issue, &|path| text(&run.workspace, path)) {
            Ok(issue) if found.issues.iter().any(|known| known.id == issue.id) => {}
            Ok(issue) => found.issues.push(issue),
            Err(why) => unplaced.push(format!("- {why}")),
        }
    }
    if !unplaced.is_empty() {
        found.summary = format!("{}\n\nNot placed in a file:\n{}", found.summary.trim_end(), unplaced.join("\n"));
    }
    found.timestamp = Some(Timestamp::now());
    found.round = round;
    found
}
