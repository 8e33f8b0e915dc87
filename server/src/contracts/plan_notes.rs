//! The user's notes in plan.md: lines that begin with `>`, each about what stands under the heading above it.
//!
//! The rendering of a plan has no such line outside a block of code, so whatever has one was written by a person.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::{PlanOutput, Task};
use crate::text::{markdown_line, safe_line};

/// The heading under which notes go whose own is gone.
const ORPHANS: &str = "## Notes";

/// A note to the planner. Lines that follow each other are one note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanNote {
    /// Its first line in plan.md, from 1.
    pub line: u32,
    /// Its last line, from 1.
    #[serde(skip)]
    pub last_line: u32,
    /// The id of the task under whose heading it stands; `None` under another heading.
    pub task: Option<String>,
    /// The words of the heading that it stands under.
    #[serde(skip)]
    pub heading: Option<String>,
    /// What it says.
    pub text: String,
}

impl PlanNote {
    /// What it is about, as in "T1 (Add the flag)", "“Risks”" and "the plan".
    pub fn about(&self, plan: Option<&PlanOutput>) -> String {
        let task = self.task.as_deref().and_then(|id| plan.and_then(|plan| plan.task(id)));
        match (task, &self.task, &self.heading) {
            (Some(task), ..) => format!("{} ({})", task.id, safe_line(&task.title)),
            (None, Some(id), _) => id.clone(),
            (None, None, Some(heading)) => format!("“{}”", safe_line(heading)),
            (None, None, None) => "the plan".to_owned(),
        }
    }
}

/// The notes in a plan.md, from top to bottom. Without a readable plan no note has a task.
pub fn plan_notes(markdown: &str, plan: Option<&PlanOutput>) -> Vec<PlanNote> {
    let tasks = plan.map(|plan| plan.tasks.as_slice()).unwrap_or_default();
    let task_of = |heading: Option<&str>| heading.and_then(|heading| task_under(heading, tasks));
    let lines: Vec<Line<'_>> = lines(markdown).collect();
    let blocks = blocks(&lines).into_iter();
    let notes = blocks.map(|Block { first, last, heading, .. }| PlanNote {
        line: number(first),
        last_line: number(last),
        task: task_of(heading),
        heading: heading.filter(|heading| level(heading) > 1).map(|heading| words(heading).to_owned()),
        text: lines[first..=last]
            .iter()
            .map(|line| note_text(line.text))
            .collect::<Vec<_>>()
            .join("\n")
            .trim()
            .to_owned(),
    });
    notes.filter(|note| !note.text.is_empty()).collect()
}

/// The feedback that a planner gets of notes: each quoted under what it is about.
pub fn notes_as_feedback(notes: &[PlanNote], plan: Option<&PlanOutput>) -> String {
    let quoted = |note: &PlanNote| {
        let lines: Vec<String> = note.text.lines().map(|line| format!("> {line}").trim_end().to_owned()).collect();
        format!("On {}:\n{}", note.about(plan), lines.join("\n"))
    };
    let quoted: Vec<String> = notes.iter().map(quoted).collect();
    format!("Notes on the plan:\n\n{}", quoted.join("\n\n"))
}

/// A fresh rendering with the notes of the one before it: each under the same heading, behind the line it stood behind where
/// that is still there, else at the end of that part; under a heading of their own where that is gone. `old` itself, where
/// nothing else in it differs.
pub fn with_notes_of<'a>(old: &'a str, fresh: &'a str) -> Cow<'a, str> {
    let old_lines: Vec<Line<'_>> = lines(old).collect();
    let blocks = blocks(&old_lines);
    if blocks.is_empty() {
        return Cow::Borrowed(fresh);
    }
    let fresh_lines: Vec<Line<'_>> = lines(fresh).collect();
    if is_same_but_notes(&old_lines, &fresh_lines) {
        return Cow::Borrowed(old);
    }
    // After which line of the fresh text each note goes.
    let mut placed: BTreeMap<usize, Vec<&Block<'_>>> = BTreeMap::new();
    let mut orphans: Vec<&Block<'_>> = Vec::new();
    for block in &blocks {
        match block.place(&fresh_lines) {
            Some(after) => placed.entry(after).or_default().push(block),
            None => orphans.push(block),
        }
    }
    let text_of = |block: &Block<'_>| {
        old_lines[block.first..=block.last].iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    };
    let mut out = String::with_capacity(old.len() + fresh.len());
    for (at, line) in fresh_lines.iter().enumerate() {
        out.push_str(line.text);
        out.push('\n');
        let Some(blocks) = placed.get(&at) else { continue };
        for block in blocks {
            // Behind a blank line no note runs into what stands before it.
            out.push('\n');
            out.push_str(&text_of(block));
            out.push('\n');
        }
        if fresh_lines.get(at + 1).is_some_and(|next| !next.text.trim().is_empty()) {
            out.push('\n');
        }
    }
    if !orphans.is_empty() {
        out.push_str(&format!("\n{ORPHANS}\n"));
        for block in orphans {
            out.push_str(&format!("\n{}\n", text_of(block)));
        }
    }
    Cow::Owned(out)
}

/// The text without the notes that begin at these lines (from 1), or without all of them.
pub fn without_notes(markdown: &str, at: Option<&[u32]>) -> String {
    let lines: Vec<Line<'_>> = lines(markdown).collect();
    let gone: Vec<Block<'_>> =
        blocks(&lines).into_iter().filter(|block| at.is_none_or(|at| at.contains(&number(block.first)))).collect();
    let is_gone = |at: usize| gone.iter().any(|block| (block.first..=block.last).contains(&at));
    let mut out = String::with_capacity(markdown.len());
    let mut was_blank = false;
    for (at, line) in lines.iter().enumerate() {
        let is_blank = line.text.trim().is_empty();
        // The blank lines on both sides of a note become one.
        if is_gone(at) || (is_blank && was_blank && at > 0 && is_gone(at - 1)) {
            continue;
        }
        was_blank = is_blank;
        out.push_str(line.text);
        out.push('\n');
    }
    out
}

/// A line with what its place makes of it.
struct Line<'a> {
    text: &'a str,
    /// The last heading at or above it, marks and all.
    heading: Option<&'a str>,
    is_note: bool,
    /// Whether a block of code is open behind it.
    in_code: bool,
}

fn lines(markdown: &str) -> impl Iterator<Item = Line<'_>> {
    let mut fence: Option<(char, usize)> = None;
    let mut heading = None;
    let may_have_notes = begins_with_the_task_in_a_fence(markdown);
    markdown.trim_start_matches('\u{feff}').lines().map(move |text| {
        let trimmed = text.trim_start();
        let mark = trimmed.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        let run = mark.map_or(0, |mark| trimmed.len() - trimmed.trim_start_matches(mark).len());
        let rest = &trimmed[run..];
        let mut is_note = false;
        match (fence, mark) {
            (Some((of, length)), Some(mark)) if mark == of && run >= length && rest.trim().is_empty() => fence = None,
            (Some(_), _) => {}
            (None, Some(mark)) if run >= 3 && !(mark == '`' && rest.contains('`')) => fence = Some((mark, run)),
            (None, _) if level(text) > 0 => heading = Some(text),
            (None, _) => is_note = may_have_notes && trimmed.starts_with('>'),
        }
        Line { text, heading, is_note, in_code: fence.is_some() }
    })
}

/// Whether the task stands in a block of code, before the first section. Where it doesn't, an earlier version rendered the
/// plan: it quoted the task by lines with `>` and left such lines of a model as they were, so that none can be told from
/// a note.
fn begins_with_the_task_in_a_fence(markdown: &str) -> bool {
    let mut before_sections = markdown.lines().take_while(|line| level(line) != 2);
    before_sections.any(|line| line.starts_with("```") || line.starts_with("~~~"))
}

/// The level of a heading; 0 of what is none.
fn level(line: &str) -> usize {
    let marks = line.len() - line.trim_start_matches('#').len();
    if (1..=6).contains(&marks) && line[marks..].starts_with(' ') { marks } else { 0 }
}

/// The words of a heading.
fn words(heading: &str) -> &str {
    heading.trim_start_matches('#').trim()
}

/// The part of a heading that stays when its plan is made anew: the id of a task, without its title, and no version.
fn key(heading: &str) -> &str {
    match level(heading) {
        1 => "#",
        3 => words(heading).split(" · ").next().unwrap_or_default(),
        _ => words(heading),
    }
}

fn task_under(heading: &str, tasks: &[Task]) -> Option<String> {
    let key = (level(heading) == 3).then(|| key(heading))?;
    tasks.iter().find(|task| markdown_line(&task.id) == key).map(|task| task.id.clone())
}

fn note_text(line: &str) -> &str {
    let text = line.trim_start().trim_start_matches('>');
    text.strip_prefix(' ').unwrap_or(text).trim_end()
}

fn number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

/// Lines of notes that follow each other, with what they follow.
struct Block<'a> {
    first: usize,
    last: usize,
    heading: Option<&'a str>,
    /// The line above that is neither blank nor a note, and how many lines like it stand above it in its part.
    behind: Option<(&'a str, usize)>,
}

impl Block<'_> {
    /// After which of these lines it goes; `None` if its part is gone.
    fn place(&self, fresh: &[Line<'_>]) -> Option<usize> {
        let wanted = self.heading.map_or("#", key);
        let is_part = |line: &Line<'_>| line.heading.map_or("#", key) == wanted;
        let lines = fresh.iter().enumerate();
        let part: Vec<(usize, &str)> = lines
            .filter(|(_, line)| is_part(line) && !line.in_code && !line.text.trim().is_empty())
            .map(|(at, line)| (at, line.text))
            .collect();
        let (behind, nth) = self.behind?;
        // A heading changes with the title of its task.
        let is_alike = |text: &str| if level(behind) > 0 { level(text) > 0 } else { text == behind };
        let alike: Vec<usize> = part.iter().filter(|(_, text)| is_alike(text)).map(|(at, _)| *at).collect();
        alike.get(nth).or(alike.last()).copied().or(part.last().map(|(at, _)| *at))
    }
}

fn blocks<'a>(lines: &[Line<'a>]) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block<'a>> = Vec::new();
    let mut behind: Option<(&'a str, usize)> = None;
    // Lines of the part so far that a note may stand behind.
    let mut above: Vec<&'a str> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.is_note {
            match blocks.last_mut().filter(|block| block.last + 1 == at) {
                Some(block) => block.last = at,
                None => blocks.push(Block { first: at, last: at, heading: line.heading, behind }),
            }
            continue;
        }
        if level(line.text) > 0 && line.heading == Some(line.text) {
            above.clear();
        }
        if !line.text.trim().is_empty() && !line.in_code {
            behind = Some((line.text, above.iter().filter(|text| **text == line.text).count()));
            above.push(line.text);
        }
    }
    blocks
}

/// Whether two texts differ in notes and blank lines alone.
fn is_same_but_notes(old: &[Line<'_>], fresh: &[Line<'_>]) -> bool {
    let without = |lines: &[Line<'_>]| {
        let kept = lines.iter().filter(|line| !line.is_note && !line.text.trim().is_empty());
        kept.map(|line| line.text.trim_end().to_owned()).collect::<Vec<_>>()
    };
    without(old) == without(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{GateFacts, plan_markdown};

    fn plan(version: u32, title: &str, tasks: &[&str]) -> PlanOutput {
        let task = |id: &&str| {
            serde_json::json!({
                "id": id, "title": title, "description": "Do it.\n\n```\n> no note\n```", "files_to_modify": ["a.rs"],
                "acceptance_criteria": ["It works", "It works"], "estimated_complexity": "simple"
            })
        };
        let plan = serde_json::json!({
            "plan_version": version, "approach_summary": "> an approach", "risks": ["None"],
            "tasks": tasks.iter().map(task).collect::<Vec<_>>(), "parallel_groups": [tasks]
        });
        serde_json::from_value(plan).unwrap()
    }

    fn rendered(plan: &PlanOutput) -> String {
        plan_markdown(plan, "> the task\n```\n> too", &GateFacts::default())
    }

    /// The rendering with these lines behind the last line that begins so.
    fn noted(markdown: &str, notes: &[(&str, &str)]) -> String {
        let mut lines: Vec<String> = markdown.lines().map(str::to_owned).collect();
        for (behind, note) in notes {
            let at = lines.iter().rposition(|line| line.starts_with(behind)).expect(behind);
            lines.insert(at + 1, (*note).to_owned());
        }
        format!("{}\n", lines.join("\n"))
    }

    #[test]
    fn what_an_earlier_version_quoted_is_no_note() {
        let text =
            "# Plan, version 1\n\n> Greet by name\n\nAn approach\n\n> of a model\n\n## Tasks\n\n```\ncode\n```\n";
        assert_eq!(plan_notes(text, None), []);
        let fresh = rendered(&plan(1, "Greet", &["T1"]));
        assert_eq!(with_notes_of(text, &fresh), fresh);
    }

    #[test]
    fn a_rendering_has_no_notes_and_a_person_s_lines_are_some() {
        let plan = plan(1, "Say > it", &["T1", "T_2"]);
        let text = rendered(&plan);
        assert_eq!(plan_notes(&text, Some(&plan)), []);
        let text = noted(
            &text,
            &[
                ("# Plan", "> first\n>  second\n>\n>third\n"),
                ("### T1", "  > under T1"),
                ("### T_2", "> a\n\n> b\n>"),
                ("## Order", ">\n>"),
                ("## Risks", "```\n> code\n```\n> risky"),
            ],
        );
        let told: Vec<(String, String)> =
            plan_notes(&text, Some(&plan)).iter().map(|note| (note.about(Some(&plan)), note.text.clone())).collect();
        let expected = [
            ("the plan", "first\n second\n\nthird"),
            ("“Risks”", "risky"),
            ("T1 (Say > it)", "under T1"),
            ("T_2 (Say > it)", "a"),
            ("T_2 (Say > it)", "b"),
        ];
        assert_eq!(told, expected.map(|(about, text)| (about.to_owned(), text.to_owned())));
        let notes = plan_notes(&text, Some(&plan));
        for note in &notes {
            let line = text.lines().nth(note.line as usize - 1).unwrap();
            assert!(line.contains(note.text.lines().next().unwrap()), "{line}");
        }
        let feedback = notes_as_feedback(&notes, Some(&plan));
        assert!(
            feedback.starts_with("Notes on the plan:\n\nOn the plan:\n> first\n>  second\n>\n> third\n\nOn “Risks”"),
            "{feedback}"
        );
        assert!(plan_notes(&text, None).iter().all(|note| note.task.is_none()));
    }

    #[test]
    fn notes_stay_where_they_stood_when_the_plan_is_rendered_again() {
        let (before, after) = (plan(1, "Say it", &["T1", "T2"]), plan(2, "Say it aloud", &["T3", "T2"]));
        let old = noted(
            &rendered(&before),
            &[
                ("### T1", "> about a task that goes"),
                ("### T2", "> about T2"),
                ("- It works", "> about the second criterion"),
                ("## Order", "> about the order"),
                ("# Plan", "> about all"),
            ],
        );
        let fresh = rendered(&after);
        let carried = with_notes_of(&old, &fresh).into_owned();
        let told: Vec<(String, String)> =
            plan_notes(&carried, Some(&after)).iter().map(|note| (note.about(None), note.text.clone())).collect();
        let expected = [
            ("the plan", "about all"),
            ("T2", "about T2"),
            ("T2", "about the second criterion"),
            ("“Order”", "about the order"),
            ("“Notes”", "about a task that goes"),
        ];
        assert_eq!(told, expected.map(|(about, text)| (about.to_owned(), text.to_owned())), "{carried}");
        assert!(carried.contains("- It works\n- It works\n\n> about the second criterion\n\n## Order"), "{carried}");
        assert_eq!(with_notes_of(&carried, &fresh), carried, "a second time changes nothing");
        assert_eq!(without_notes(&carried, None).trim_end().trim_end_matches(ORPHANS).trim_end(), fresh.trim_end());
    }

    #[test]
    fn a_plan_md_that_has_notes_and_is_up_to_date_is_left_alone() {
        let fresh = rendered(&plan(1, "Say it", &["T1"]));
        let old = noted(&fresh, &[("### T1", "> mine\n\n\n> and mine")]);
        assert_eq!(with_notes_of(&old, &fresh), old);
        assert_eq!(with_notes_of("no notes\n", &fresh), fresh);
    }

    #[test]
    fn one_note_can_be_taken_out_or_all() {
        let fresh = rendered(&plan(1, "Say it", &["T1"]));
        let old = noted(&fresh, &[("## Order", "\n> one\n> more"), ("### T1", "> other")]);
        let notes = plan_notes(&old, None);
        let rest = without_notes(&old, Some(&[notes[1].line]));
        assert_eq!(plan_notes(&rest, None).iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), ["other"]);
        assert_eq!(without_notes(&old, None), fresh);
        assert_eq!(without_notes(&fresh, None), fresh);
    }
}
