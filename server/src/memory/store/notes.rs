//! The texts that people write or read: task.md, feedback.md, plan.md.

use std::borrow::Cow;
use std::io;

use super::handle::Store;
use crate::contracts::{
    Fault, MAX_MARKDOWN_BYTES, MAX_TEXT_BYTES, PlanNote, PlanOutput, plan_notes, with_notes_of, without_notes,
};
use crate::memory::error::{FileFaults, MemoryError};
use crate::memory::files::{FEEDBACK, PLAN_MARKDOWN, QUICK_MARK, TASK};
use crate::memory::history::SetAside;
use crate::memory::task_text::{self, tidied};
use crate::workspace::ReadFault;

/// The template of task.md, which counts as no task.
const TASK_TEMPLATE: &str = "# Task\n\nWrite here, in your own words, what is to be done, and save this file.\n";
/// The template of feedback.md.
const FEEDBACK_TEMPLATE: &str = "# What should be different about the plan?\n\nWrite it here and save this file.\n";

const QUICK_TEXT: &str = "This is a quick workflow: its context and plan are made in one conversation.\n";

impl Store {
    /// The task; `None`, with a fault, if task.md cannot be read or is not text.
    pub(super) fn task(&self, faults: &mut Vec<FileFaults>) -> Option<String> {
        self.person_text(TASK, TASK_TEMPLATE).unwrap_or_else(|fault| {
            faults.push(self.faults(TASK, vec![fault]));
            None
        })
    }

    /// Writes the task in the user's words. Another one that somebody has saved since it was decided to write this one goes to
    /// `history/`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_task(&self, task: &str) -> Result<(), MemoryError> {
        let there = self.person_text(TASK, TASK_TEMPLATE).ok().flatten();
        if there.is_some_and(|there| !task_text::is_same_task(&there, task)) {
            self.set_aside(SetAside::Phase, &[TASK])?;
        }
        self.replace(TASK, format!("{}\n", tidied(task)).as_bytes(), 0o644)
    }

    /// Marks the workflow as a quick one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin_quick(&self) -> Result<(), MemoryError> {
        self.replace(QUICK_MARK, QUICK_TEXT.as_bytes(), 0o644)
    }

    /// Makes sure that there is a task.md to write in: a missing or blank one is created from a template, which counts
    /// as no task. Returns its path, relative to the workspace root.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn offer_task_file(&self) -> Result<String, MemoryError> {
        self.offer(TASK, TASK_TEMPLATE)
    }

    /// Makes sure that there is a feedback.md to write in, as [`Self::offer_task_file`] does for task.md.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn offer_feedback_file(&self) -> Result<String, MemoryError> {
        self.offer(FEEDBACK, FEEDBACK_TEMPLATE)
    }

    fn offer(&self, file: &str, template: &str) -> Result<String, MemoryError> {
        let is_blank = |text: Option<&str>| text.is_none_or(|text| tidied(text).is_empty());
        if is_blank(self.text(file)?.as_deref()) {
            let blank = |text: Result<Option<&str>, &ReadFault>| text.is_ok_and(is_blank).then(|| template.to_owned());
            self.change(file, MAX_TEXT_BYTES, |text| Ok(blank(text)))?;
        }
        Ok(self.name(file))
    }

    /// The text that the user wrote in feedback.md.
    ///
    /// # Errors
    /// When the file cannot be read, or is no text.
    pub fn feedback(&self) -> Result<Option<String>, MemoryError> {
        let person_text = self.person_text(FEEDBACK, FEEDBACK_TEMPLATE);
        person_text.map_err(|fault| MemoryError::Faulty(vec![self.faults(FEEDBACK, vec![fault])]))
    }

    /// Removes feedback.md once it was used, so that the next feedback starts empty.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub(super) fn remove_feedback_file(&self) -> Result<(), MemoryError> {
        let Some(dir) = self.folder.existing() else { return Ok(()) };
        match dir.remove_file(FEEDBACK) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(self.file_error("remove", FEEDBACK, source)),
            _ => Ok(()),
        }
    }

    /// The path of plan.md, relative to the workspace root, if it exists.
    pub fn plan_markdown_file(&self) -> Option<String> {
        self.has(PLAN_MARKDOWN).then(|| self.name(PLAN_MARKDOWN))
    }

    /// Updates plan.md to a plan that others wrote, the user's notes in it kept; those of the plan before too, where that
    /// one was set aside without them being sent.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn refresh_plan_markdown(&self, markdown: &str) -> Result<(), MemoryError> {
        self.change(PLAN_MARKDOWN, MAX_MARKDOWN_BYTES, |before| {
            let noted = match before {
                Ok(Some(noted)) => Some(Cow::Borrowed(noted)),
                Ok(None) => self.unsent_plan_markdown()?.map(Cow::Owned),
                Err(_) => None,
            };
            Ok(Some(noted.map_or_else(|| markdown.to_owned(), |noted| with_notes_of(&noted, markdown).into_owned())))
        })
    }

    /// The user's notes in plan.md.
    pub fn plan_notes(&self, plan: Option<&PlanOutput>) -> Vec<PlanNote> {
        let text = self.read_at_rest(PLAN_MARKDOWN, MAX_MARKDOWN_BYTES).ok().flatten();
        text.map(|text| plan_notes(&String::from_utf8_lossy(&text), plan)).unwrap_or_default()
    }

    /// Takes notes out of plan.md: those that begin at these lines, from 1, or all of them. Answers how many.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn discard_plan_notes(&self, at: Option<&[u32]>) -> Result<usize, MemoryError> {
        let (mut gone, mut is_first) = (0, true);
        self.change(PLAN_MARKDOWN, MAX_MARKDOWN_BYTES, |text| {
            let error = |action, why: String| self.file_error(action, PLAN_MARKDOWN, io::Error::other(why));
            let text = text.map_err(|fault| error("read", fault.to_string()))?;
            // The lines are those of the text that was there first.
            if at.is_some() && !is_first {
                return Err(error("write", "it was saved at the same time; try again".to_owned()));
            }
            is_first = false;
            let text = text.unwrap_or_default();
            let rest = without_notes(text, at);
            gone = plan_notes(text, None).len() - plan_notes(&rest, None).len();
            Ok((gone > 0).then_some(rest))
        })?;
        Ok(gone)
    }

    /// plan.md of the plan that was set aside last, with those of its notes that were not sent.
    fn unsent_plan_markdown(&self) -> Result<Option<String>, MemoryError> {
        let past = self.past()?;
        let Some(entry) = past.entries.iter().rev().find(|entry| self.has(&format!("{entry}/{PLAN_MARKDOWN}"))) else {
            return Ok(None);
        };
        let text = |file: &str| {
            let bytes = self.read(&format!("{entry}/{file}"), MAX_MARKDOWN_BYTES).ok().flatten();
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let Some(noted) = text(PLAN_MARKDOWN) else { return Ok(None) };
        let Some(sent) = text(FEEDBACK) else { return Ok(Some(noted)) };
        // One that was saved after the others were read is not among what was sent.
        let is_sent = |note: &PlanNote| note.text.lines().all(|line| sent.contains(line.trim_end()));
        let sent: Vec<u32> =
            plan_notes(&noted, None).iter().filter(|note| is_sent(note)).map(|note| note.line).collect();
        Ok(Some(without_notes(&noted, Some(&sent))))
    }

    /// The text of a file beside its template; `None` if there is nothing else.
    pub(super) fn person_text(&self, file: &str, template: &str) -> Result<Option<String>, Fault> {
        let Some((bytes, _)) = self.bytes(file, MAX_TEXT_BYTES)? else { return Ok(None) };
        let text = task_text::decode(&bytes)?;
        let person_text = without_template(&text, template);
        Ok((!person_text.is_empty()).then(|| person_text.to_owned()))
    }
}

/// The text without the template that the file was created with; the whole text if the template was changed.
fn without_template<'a>(text: &'a str, template: &str) -> &'a str {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    for line in template.lines().filter(|line| !line.is_empty()) {
        match rest.strip_prefix(line) {
            Some(after) if after.is_empty() || after.starts_with(['\n', '\r']) => rest = after.trim(),
            // The template was changed, so its heading belongs to the text.
            _ if rest.is_empty() => break,
            _ => return text.trim(),
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{Handoffs, RepoPath};
    use crate::memory::Seal;
    use crate::workspace::Workspace;

    #[test]
    fn a_task_that_was_saved_meanwhile_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        let (memory, seal) = (RepoPath::parse(".agent_memory").unwrap(), Seal::ephemeral(workspace.root()).unwrap());
        let store = Store::open(&workspace, &memory, seal, Handoffs::new([])).unwrap();
        store.offer_task_file().unwrap();
        store.write_task("Mine").unwrap();
        store.write_task("Mine ").unwrap();
        assert!(!store.has("history"), "neither a template nor the same task is kept");
        store.write_task("Another").unwrap();
        let text = |file: &str| store.text(file).unwrap();
        assert_eq!(text("history/0001-phase/task.md").as_deref(), Some("Mine\n"));
        assert_eq!(text(TASK).as_deref(), Some("Another\n"));
    }

    #[test]
    fn the_template_of_task_md_is_no_task() {
        let windows = TASK_TEMPLATE.replace('\n', "\r\n");
        for (text, task) in [
            (TASK_TEMPLATE, ""),
            (windows.as_str(), ""),
            ("# Task\n", ""),
            ("", ""),
            ("  \n", ""),
            (&format!("{TASK_TEMPLATE}\nAdd a flag.\n"), "Add a flag."),
            (&format!("{windows}Add a flag."), "Add a flag."),
            ("# Task\n\nAdd a flag.\n", "# Task\n\nAdd a flag."),
            ("Add a flag.\n", "Add a flag."),
            ("# Tasks of today\n", "# Tasks of today"),
        ] {
            assert_eq!(without_template(text, TASK_TEMPLATE), task, "{text:?}");
        }
    }
}
