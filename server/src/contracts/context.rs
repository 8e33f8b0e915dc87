use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Handoff, lenient_timestamp, null_as_default};
use crate::text;

/// What the context agent found: the part of the workspace the task is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextOutput {
    /// When the context was gathered. The server fills it.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub timestamp: Option<Timestamp>,
    /// The task, restated precisely in the light of the code.
    pub task_description: String,
    /// The files a planner must know, most relevant first.
    pub relevant_files: Vec<RelevantFile>,
    /// Libraries the task touches.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<Dependency>>")]
    pub dependencies: Vec<Dependency>,
    /// Conventions and patterns of this code base that the work should follow.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub existing_patterns: Vec<String>,
    /// What must hold or must not change.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub constraints: Vec<String>,
    /// Paths the task may touch.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_in_scope: Vec<String>,
    /// Paths that look related and must stay as they are.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_out_of_scope: Vec<String>,
    /// How large the work is: `small` where one task in at most three files does all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<TaskSize>,
}

/// How large the work of a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskSize {
    /// One task in at most three files does all of it.
    Small,
    /// It takes more.
    Normal,
}

/// A file that matters to the task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelevantFile {
    /// Path relative to the workspace root, with forward slashes.
    pub path: String,
    /// What the file does, as far as the task is concerned.
    pub summary: String,
    /// How much the task depends on it.
    pub relevance: Relevance,
    /// Lines in the file. The server counts them.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<u32>")]
    pub line_count: u32,
    /// The line ranges `[first, last]` that whoever plans or does the work has to see, from 1, both included: their text is
    /// attached for them. Empty where they need none.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Vec<u32>>>")]
    pub ranges: Vec<Vec<u32>>,
}

/// Ranges of lines, first and last, in their order; those that touch are one.
pub fn joined_ranges(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u32, u32)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined
}

impl RelevantFile {
    /// The ranges as first and last line, in the order of the file; those that touch are one. What is no range, as another
    /// tool may have written it, is passed over.
    pub fn line_ranges(&self) -> Vec<(u32, u32)> {
        joined_ranges(self.ranges.iter().filter_map(|range| line_range(range).ok()).collect())
    }

    /// Cut the ranges that begin in the file, of `line_count` lines, and end after it. Returns those that were cut, as they were.
    pub fn cut_ranges(&mut self) -> Vec<(u32, u32)> {
        let mut cut = Vec::new();
        for range in &mut self.ranges {
            if let Ok((first, last)) = line_range(range)
                && first <= self.line_count
                && last > self.line_count
            {
                cut.push((first, last));
                *range = vec![first, self.line_count];
            }
        }
        cut
    }

    /// What is wrong with the ranges, by their indices, for a file of `line_count` lines. That one only ends after the file is no
    /// fault ([`RelevantFile::cut_ranges`]).
    pub fn range_faults(&self) -> Vec<(usize, String)> {
        let fault = |range: &Vec<u32>| match line_range(range) {
            Err(message) => Some(message),
            Ok((first, _)) if first > self.line_count => Some(match self.line_count {
                0 => format!("{} has no lines to show; leave its ranges empty", self.path),
                lines => format!("line {first} is after the end of {}, which has {}", self.path, count_lines(lines)),
            }),
            Ok(_) => None,
        };
        let faults = self.ranges.iter().enumerate();
        faults.filter_map(|(index, range)| fault(range).map(|message| (index, message))).collect()
    }
}

/// `[first, last]`, or what is wrong with it.
fn line_range(range: &[u32]) -> Result<(u32, u32), String> {
    match *range {
        [first, last] if first >= 1 && first <= last => Ok((first, last)),
        [first, last] => Err(format!("[{first}, {last}] is no range: lines count from 1, and the first comes first")),
        _ => Err("a range is two numbers, [first line, last line]".to_owned()),
    }
}

fn count_lines(lines: u32) -> String {
    text::count(lines as usize, "line")
}

/// How much a task depends on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Relevance {
    /// The task changes it or cannot be understood without it.
    High,
    /// The task calls it or is called by it.
    Medium,
    /// Worth knowing of.
    Low,
}

/// A library the task touches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dependency {
    /// Its name in the manifest.
    pub name: String,
    /// Its version or requirement; empty where none is stated.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub version: String,
    /// What it is used for here.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub usage: String,
}

impl Handoff for ContextOutput {
    const NAME: &'static str = "context";
    const FILE: &'static str = "context.json";
    const SERVER_FILLED: &'static [&'static str] = &["timestamp", "relevant_files.line_count"];

    fn complete(mut value: Value, assume: &mut dyn FnMut(String, String)) -> Value {
        let Some(files) = value.get_mut("relevant_files").and_then(Value::as_array_mut) else { return value };
        for (index, file) in files.iter_mut().enumerate() {
            let at = format!("/relevant_files/{index}");
            if let Value::String(path) = file {
                assume(at.clone(), "a file without a word on it was taken as of medium relevance".to_owned());
                *file = json!({ "path": path, "summary": "", "relevance": "medium" });
            }
            let Some(file) = file.as_object_mut() else { continue };
            for (name, missing) in [("summary", ""), ("relevance", "medium")] {
                if file.get(name).is_none_or(Value::is_null) {
                    assume(at.clone(), format!("\"{name}\" is missing and was taken as {missing:?}"));
                    file.insert(name.to_owned(), Value::from(missing));
                }
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{parse, read};

    fn file(ranges: &serde_json::Value) -> RelevantFile {
        let file = json!({ "path": "a.rs", "summary": "s", "relevance": "high", "line_count": 20, "ranges": ranges });
        serde_json::from_value(file).unwrap()
    }

    #[test]
    fn ranges_come_in_the_order_of_the_file_and_those_that_touch_are_one() {
        let ranges = json!([[12, 14], [1, 3], [4, 6], [2, 2], [13, 20], [9, 9]]);
        assert_eq!(file(&ranges).line_ranges(), [(1, 6), (9, 9), (12, 20)]);
        assert_eq!(file(&json!([[3, 1], [1], [], [0, 4], [1, 2, 3], [5, 5]])).line_ranges(), [(5, 5)]);
        assert_eq!(file(&json!([[1, u32::MAX], [3, u32::MAX]])).line_ranges(), [(1, u32::MAX)]);
    }

    #[test]
    fn a_range_that_the_file_does_not_have_is_a_fault() {
        assert_eq!(file(&json!([[1, 20], [7, 7]])).range_faults(), []);
        let faults = file(&json!([[1, 20], [0, 4], [5, 2], [1], [21, 30], [3, 21]])).range_faults();
        let told: Vec<String> = faults.iter().map(|(index, message)| format!("{index}: {message}")).collect();
        assert_eq!(
            told,
            [
                "1: [0, 4] is no range: lines count from 1, and the first comes first",
                "2: [5, 2] is no range: lines count from 1, and the first comes first",
                "3: a range is two numbers, [first line, last line]",
                "4: line 21 is after the end of a.rs, which has 20 lines",
            ]
        );
        let binary = RelevantFile { line_count: 0, ..file(&json!([[1, 2]])) };
        assert_eq!(binary.range_faults()[0].1, "a.rs has no lines to show; leave its ranges empty");
    }

    #[test]
    fn a_range_that_begins_in_the_file_is_cut_at_its_end() {
        let mut api = file(&json!([[1, 20], [3, 21], [20, u32::MAX], [21, 30], [5, 2], [1]]));
        assert_eq!(api.cut_ranges(), [(3, 21), (20, u32::MAX)]);
        assert_eq!(json!(api.ranges), json!([[1, 20], [3, 20], [20, 20], [21, 30], [5, 2], [1]]));
        assert_eq!(api.cut_ranges(), []);
        let mut binary = RelevantFile { line_count: 0, ..file(&json!([[1, 2]])) };
        assert_eq!((binary.cut_ranges(), binary.range_faults().len()), (vec![], 1));
    }

    #[test]
    fn a_context_without_ranges_is_read_and_written_as_before() {
        let text = r#"{ "task_description": "t", "relevant_files": [
            { "path": "a", "summary": "s", "relevance": "low", "line_count": 3 },
            { "path": "b", "summary": "s", "relevance": "low", "ranges": null } ] }"#;
        let context: ContextOutput = read(text).unwrap();
        assert!(context.relevant_files.iter().all(|file| file.ranges.is_empty()));
        assert!(!serde_json::to_string(&context).unwrap().contains("ranges"));
        let odd = json!({ "task_description": "t", "relevant_files": [
            { "path": "a", "summary": "s", "relevance": "low", "ranges": [[-1, 2]] } ] });
        assert_eq!(parse::<ContextOutput>(odd).unwrap_err()[0].pointer, "/relevant_files/0/ranges/0/0");
    }
}
