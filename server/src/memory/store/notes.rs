//! The texts that people write or read: task.md, feedback.md, plan.md.

use std::io;

use super::Store;
use crate::contracts::{Fault, MAX_MARKDOWN_BYTES, MAX_TEXT_BYTES};
use crate::memory::error::{FileFaults, MemoryError};
use crate::memory::files::{FEEDBACK, PLAN_MARKDOWN, TASK};
use crate::memory::task_text::{self, tidied};

/// What task.md holds until somebody writes a task there: a text that is no task.
const TASK_TEMPLATE: &str = "# Task\n\nWrite here, in your own words, what is to be done, and save this file.\n";
/// What the latter holds until somebody writes there.
const FEEDBACK_TEMPLATE: &str = "# What should be different about the plan?\n\nWrite it here and save this file.\n";

impl Store {
    /// The task; `None`, with a fault, where task.md is no text or cannot be read.
    pub(super) fn task(&self, faults: &mut Vec<FileFaults>) -> Option<String> {
        self.person_text(TASK, TASK_TEMPLATE).unwrap_or_else(|fault| {
            faults.push(self.faults(TASK, vec![fault]));
            None
        })
    }

    /// Write the task in the user's words.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_task(&self, task: &str) -> Result<(), MemoryError> {
        self.replace(TASK, format!("{}\n", tidied(task)).as_bytes(), 0o644)
    }

    /// Have a task.md to write in: where it is missing or blank, it is made from a template, which counts as no task.
    /// Answers with its path, relative to the workspace root.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn offer_task_file(&self) -> Result<String, MemoryError> {
        if self.text(TASK)?.is_none_or(|text| tidied(&text).is_empty()) {
            self.replace(TASK, TASK_TEMPLATE.as_bytes(), 0o644)?;
        }
        Ok(self.name(TASK))
    }

    /// Have a feedback.md to write in, as [`Self::offer_task_file`] does a task.md.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn offer_feedback_file(&self) -> Result<String, MemoryError> {
        if self.text(FEEDBACK)?.is_none_or(|text| tidied(&text).is_empty()) {
            self.replace(FEEDBACK, FEEDBACK_TEMPLATE.as_bytes(), 0o644)?;
        }
        Ok(self.name(FEEDBACK))
    }

    /// What somebody wrote to feedback.md.
    ///
    /// # Errors
    /// When the file cannot be read, or is no text.
    pub fn feedback(&self) -> Result<Option<String>, MemoryError> {
        let person_text = self.person_text(FEEDBACK, FEEDBACK_TEMPLATE);
        person_text.map_err(|fault| MemoryError::Faulty(vec![self.faults(FEEDBACK, vec![fault])]))
    }

    /// feedback.md has been taken: the next feedback begins anew.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove_feedback_file(&self) -> Result<(), MemoryError> {
        let Some(dir) = self.folder.existing() else { return Ok(()) };
        match dir.remove_file(FEEDBACK) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(self.file_error("remove", FEEDBACK, source)),
            _ => Ok(()),
        }
    }

    /// plan.md, relative to the workspace root, where there is one.
    pub fn plan_markdown_file(&self) -> Option<String> {
        self.has(PLAN_MARKDOWN).then(|| self.name(PLAN_MARKDOWN))
    }

    /// Bring plan.md up to date with a plan that others wrote.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn refresh_plan_markdown(&self, markdown: &str) -> Result<(), MemoryError> {
        match self.read(PLAN_MARKDOWN, MAX_MARKDOWN_BYTES) {
            Ok(Some(bytes)) if bytes == markdown.as_bytes() => Ok(()),
            _ => self.replace(PLAN_MARKDOWN, markdown.as_bytes(), 0o644),
        }
    }

    /// What a person wrote to a file that may hold a template; nothing where that is all there is.
    pub(super) fn person_text(&self, file: &str, template: &str) -> Result<Option<String>, Fault> {
        let Some((bytes, _)) = self.bytes(file, MAX_TEXT_BYTES)? else { return Ok(None) };
        let text = task_text::decode(&bytes)?;
        let person_text = without_template(&text, template);
        Ok((!person_text.is_empty()).then(|| person_text.to_owned()))
    }
}

/// What somebody wrote into a file that began as a template: all of it, without the template where that still stands.
fn without_template<'a>(text: &'a str, template: &str) -> &'a str {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    for line in template.lines().filter(|line| !line.is_empty()) {
        match rest.strip_prefix(line) {
            Some(after) if after.is_empty() || after.starts_with(['\n', '\r']) => rest = after.trim(),
            // Somebody wrote over the template; its heading is a heading then.
            _ if rest.is_empty() => break,
            _ => return text.trim(),
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

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
