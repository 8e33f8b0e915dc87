//! The plan as the gate shows it.

use std::collections::{HashMap, HashSet};

use anstyle::Style;

use super::checks::{check_lines, offer_lines};
use crate::cli::color::{self, BOLD, DIM, GREEN, HEADING, Look, RED, YELLOW};
use crate::cli::output::{AS_RECORDED, NARROWEST, WIDEST};
use crate::contracts::{Complexity, GateCheck, ProtectedFile, RepoPath, Task};
use crate::text;
use crate::workflow::{Gate, GateContent, GateTask};

/// How the gate is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Appearance {
    /// Columns to fill.
    pub(super) width: usize,
    /// Whether colours and weights are used.
    pub(super) look: Look,
}

impl Appearance {
    /// For standard error.
    pub(super) fn of_stderr() -> Self {
        let (_, columns) = console::Term::stderr().size();
        Self { width: usize::from(columns).clamp(NARROWEST, WIDEST), look: Look::of_stderr() }
    }
}

/// Everything a person should know before approving; ends in a line break.
pub(super) fn gate_view(gate: &Gate, appearance: Appearance) -> String {
    let protected = gate.content.protected.iter().map(|file| (key(&file.path), file.never)).collect();
    let flagged = gate.content.flagged.iter().map(|file| (key(&file.path), file.reason.as_str())).collect();
    let view = View { gate, appearance, protected, flagged };
    let mut lines = Vec::new();
    view.approach(&mut lines);
    view.tasks(&mut lines);
    view.order(&mut lines);
    view.checks(&mut lines);
    view.warnings(&mut lines);
    view.costs(&mut lines);
    lines.join("\n") + "\n"
}

struct View<'a> {
    gate: &'a Gate,
    appearance: Appearance,
    /// Paths, and whether they are never written.
    protected: HashMap<String, bool>,
    /// Paths and reasons.
    flagged: HashMap<String, &'a str>,
}

impl View<'_> {
    fn approach(&self, lines: &mut Vec<String>) {
        let plan = &self.gate.plan;
        lines.push(String::new());
        lines.push(self.heading(&format!("Plan, version {}", plan.plan_version)));
        if !self.gate.task.trim().is_empty() {
            lines.push(self.dim(&self.text("  ", &self.gate.task)));
        }
        lines.push(String::new());
        lines.push(self.text("  ", &plan.approach_summary));
        if !plan.risks.is_empty() {
            lines.push(String::new());
            lines.push(self.heading("Risks"));
            lines.extend(plan.risks.iter().map(|risk| self.text("  - ", risk)));
        }
    }

    fn tasks(&self, lines: &mut Vec<String>) {
        lines.push(String::new());
        lines.push(self.heading("Tasks"));
        for (index, task) in self.gate.tasks.iter().enumerate() {
            if index > 0 {
                lines.push(String::new());
            }
            let first = format!("  {} {} ", text::safe_line(&task.id), self.badge(task.complexity));
            lines.push(color::paragraph(self.appearance.look, &first, BOLD, &task.title, self.appearance.width));
            let planned = self.gate.plan.task(&task.id);
            lines.extend(task.files.iter().map(|file| self.file(planned, file)));
            self.conditions(task, planned, lines);
        }
    }

    fn file(&self, planned: Option<&Task>, file: &str) -> String {
        let named = |files: &[String]| files.iter().any(|planned| planned == file);
        let verb = match planned {
            Some(task) if named(&task.files_to_create) => "create",
            Some(task) if named(&task.files_to_delete) => "delete",
            Some(task) if named(&task.files_to_modify) => "modify",
            _ => "write ",
        };
        let key = key(file);
        let (style, note) = match (self.protected.get(&key), self.flagged.get(&key)) {
            (Some(true), _) => (RED.bold(), "never written".to_owned()),
            (Some(false), _) => (RED.bold(), "protected".to_owned()),
            (None, Some(reason)) => (YELLOW, text::safe_line(reason)),
            (None, None) => (Style::new(), String::new()),
        };
        let line = format!("     {verb} {}", text::safe_line(file));
        if note.is_empty() {
            return line;
        }
        let (look, width) = (self.appearance.look, self.appearance.width);
        match text::columns_of(&line) + 2 + text::columns_of(&note) <= width {
            true => format!("{line}  {}", look.paint(style, &note)),
            false => format!("{line}\n{}", color::paragraph(look, "            ", style, &note, width)),
        }
    }

    fn conditions(&self, task: &GateTask, planned: Option<&Task>, lines: &mut Vec<String>) {
        if !task.depends_on.is_empty() {
            lines.push(self.text("     after  ", &task.depends_on.join(", ")));
        }
        let criteria = planned.map(|task| task.acceptance_criteria.as_slice()).unwrap_or_default();
        // Beside its words a narrow terminal has no room for the criteria.
        let is_narrow = self.appearance.width < 60;
        if is_narrow && !criteria.is_empty() {
            lines.push("     done when".to_owned());
        }
        for (index, criterion) in criteria.iter().enumerate() {
            let first = match (is_narrow, index) {
                (true, _) => "       - ",
                (false, 0) => "     done when  - ",
                (false, _) => "                - ",
            };
            lines.push(self.text(first, criterion));
        }
    }

    fn order(&self, lines: &mut Vec<String>) {
        let shown: HashSet<_> = self.gate.tasks.iter().map(|task| task.id.as_str()).collect();
        let groups: Vec<Vec<&str>> = (self.gate.plan.parallel_groups.iter())
            .map(|group| group.iter().map(String::as_str).filter(|id| shown.contains(id)).collect())
            .filter(|group: &Vec<_>| !group.is_empty())
            .collect();
        if shown.len() < 2 || groups.is_empty() {
            return;
        }
        lines.push(String::new());
        lines.push(self.heading("Order"));
        for (index, group) in groups.iter().enumerate() {
            let at_once = if group.len() > 1 { " at once" } else { "" };
            lines.push(self.text(&format!("  {}. ", index + 1), &format!("{}{at_once}", group.join(", "))));
        }
    }

    fn checks(&self, lines: &mut Vec<String>) {
        let GateContent { checks, offered_checks, .. } = &self.gate.content;
        let width = self.appearance.width;
        if !checks.is_empty() {
            lines.push(String::new());
            lines.push(self.heading("Checks after the work"));
            let yellow = |check: &GateCheck, line: String| match check.trusted {
                true => line,
                false => self.paint(YELLOW, &line),
            };
            lines.extend(checks.iter().zip(check_lines(checks, width)).map(|(check, line)| yellow(check, line)));
        } else if !offered_checks.is_empty() {
            lines.push(String::new());
            lines.push(self.heading("Checks after the work"));
            lines.push(self.text("  ", "None is set. This workspace shows how it is checked:"));
            lines.extend(offer_lines(offered_checks, width));
        } else {
            lines.push(String::new());
            lines.push(self.heading("Checks after the work"));
            lines.push(self.text("  ", "None is set, and none was recognized here: nothing will be run."));
        }
    }

    fn warnings(&self, lines: &mut Vec<String>) {
        let GateContent { protected, flagged, questions, warnings, .. } = &self.gate.content;
        if !protected.is_empty() || !flagged.is_empty() || !questions.is_empty() || !warnings.is_empty() {
            lines.push(String::new());
        }
        lines.extend(warnings.iter().map(|warning| self.paint(YELLOW, &self.text("! ", warning))));
        let severe = |what: String| self.paint(RED.bold(), &self.text("! ", &what));
        lines.extend(ProtectedFile::named(protected, false).map(|files| {
            severe(format!(
                "Protected: {files}. Written only if you approve this very plan: look at the tasks that do."
            ))
        }));
        lines.extend(ProtectedFile::named(protected, true).map(|files| {
            severe(format!(
                "Never written: {files}. Git directories and the memory folder are out of bounds, also for a plan that \
                 you approve."
            ))
        }));
        let mut reasons: Vec<&str> = flagged.iter().map(|file| file.reason.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        for reason in reasons {
            let files = flagged.iter().filter(|file| file.reason == reason);
            let files: Vec<String> = files.map(|file| format!("{} ({})", file.path, file.task)).collect();
            let what = format!("{}: {}. Read these changes before you do.", capital(reason), files.join(", "));
            lines.push(self.paint(YELLOW, &self.text("! ", &what)));
        }
        lines.extend(questions.iter().map(|question| self.text("? ", question)));
        if !questions.is_empty() {
            lines.push(self.dim(&self.text("  ", "Answer with c (changes); approving leaves it to the plan.")));
        }
    }

    fn costs(&self, lines: &mut Vec<String>) {
        let estimate = self.gate.content.estimate.words();
        lines.push(String::new());
        let recorded = if self.gate.content.estimate.is_recorded { AS_RECORDED } else { "" };
        let so_far = format!("{}{recorded}", self.gate.usage.words());
        lines.push(self.text("", &format!("So far {so_far}. To implement and review: {estimate}.")));
        lines.push(self.dim(&self.text("", &format!("The plan in full: {}", self.gate.plan_md))));
    }

    fn badge(&self, complexity: Complexity) -> String {
        let paint = match complexity {
            Complexity::Simple => GREEN,
            Complexity::Moderate => YELLOW,
            Complexity::Complex => RED,
        };
        self.paint(paint, &format!("[{}]", complexity.as_str()))
    }

    fn heading(&self, text: &str) -> String {
        self.paint(HEADING, text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint(DIM, text)
    }

    fn text(&self, first: &str, text: &str) -> String {
        text::paragraph(first, text, self.appearance.width)
    }

    fn paint(&self, style: Style, text: &str) -> String {
        self.appearance.look.paint(style, text)
    }
}

/// With a capital letter first.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The form in which a path of the plan and one of the gate are compared.
fn key(path: &str) -> String {
    RepoPath::parse(path).map_or_else(|_| path.to_owned(), Into::into)
}
