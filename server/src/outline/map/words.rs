//! Words of code and of a task, in a form in which they can be compared.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::text::head_bytes;

/// Characters of the longest name that is looked at.
pub(super) const LONGEST_WORD: usize = 64;
/// Bytes of a task that are looked at.
const MOST_TASK: usize = 32 * 1024;
/// How much a word counts in what is named before a colon, in the title, and in the rest of a task; how much more each time it
/// stands there again, and at most.
const IN_SUBJECT: f64 = 1.6;
const IN_TITLE: f64 = 1.0;
const IN_REST: f64 = 0.5;
const AGAIN: f64 = 0.1;
const MOST_WEIGHT: f64 = 2.0;
/// Bytes of a task's first paragraph that are its title, and of what is named before a colon there.
const LONGEST_TITLE: usize = 240;
const LONGEST_SUBJECT: usize = 48;
/// Words that say nothing of where to look.
const IDLE: &[&str] = &[
    "a", "about", "add", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been", "before", "but",
    "by", "can", "do", "does", "each", "every", "fix", "for", "from", "get", "had", "has", "have", "how", "if", "in",
    "instead", "into", "is", "it", "its", "let", "like", "make", "may", "more", "must", "new", "no", "not", "now",
    "of", "off", "on", "one", "only", "or", "other", "our", "out", "over", "own", "same", "say", "should", "so",
    "some", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "to", "up",
    "use", "was", "we", "what", "when", "where", "which", "while", "who", "will", "with", "without", "would", "you",
    "your",
];

/// What a task names.
#[derive(Debug, Default)]
pub(super) struct TaskWords {
    /// Its stems, each with a number from 0.
    pub(super) stems: HashMap<String, usize>,
    /// How much each stem counts, by its number.
    pub(super) weights: Vec<f64>,
    /// Its words as they are, where they say something.
    pub(super) words: HashSet<String>,
    /// What it spells like a name in code: these very words.
    pub(super) names: HashSet<String>,
    /// What it spells like a path, in lower case.
    pub(super) paths: Vec<String>,
}

impl TaskWords {
    pub(super) fn of(task: &str) -> Self {
        const MOST_STEMS: usize = 400;
        const MOST_PATHS: usize = 100;
        let task = head_bytes(task, MOST_TASK);
        let mut words = Self::default();
        let (subject, title) = title(task);
        let end = title.end;
        for token in tokens(task) {
            let weight = match token.start {
                at if subject.contains(&at) => IN_SUBJECT,
                at if at < end => IN_TITLE,
                _ => IN_REST,
            };
            for word in names(&task[token]) {
                words.add(word, weight, MOST_STEMS);
            }
        }
        for quoted in task.split('`').skip(1).step_by(2) {
            words.names.extend(names(quoted).map(str::to_owned));
        }
        let is_path = |word: &&str| word.len() > 3 && (word.contains('/') || word.contains('.'));
        let trimmed = task.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
        words.paths = trimmed.filter(is_path).take(MOST_PATHS).map(str::to_lowercase).collect();
        words
    }

    fn add(&mut self, word: &str, weight: f64, most: usize) {
        for part in parts(word) {
            let stem = stem(&part);
            if IDLE.contains(&part.as_str()) || IDLE.contains(&stem) {
                continue;
            }
            if let Some(known) = self.stems.get(stem).and_then(|number| self.weights.get_mut(*number)) {
                *known = known.max(weight) + AGAIN;
                *known = known.min(MOST_WEIGHT);
            } else if self.stems.len() < most {
                self.stems.insert(stem.to_owned(), self.weights.len());
                self.weights.push(weight);
            }
        }
        if !IDLE.contains(&word) {
            self.words.insert(word.to_owned());
        }
        let is_code = word.contains('_') || word.chars().skip(1).any(char::is_uppercase);
        if is_code {
            self.names.insert(word.to_owned());
        }
    }
}

/// Where the title of a task is, its first paragraph, and in that what is named before a colon, as in `parser: keep comments`.
fn title(task: &str) -> (Range<usize>, Range<usize>) {
    let start = task.len() - task.trim_start().len();
    let first = head_bytes(task[start..].split("\n\n").next().unwrap_or_default(), LONGEST_TITLE);
    let subject = first.split_once(": ").map_or("", |(subject, _)| subject);
    let is_subject = subject.len() <= LONGEST_SUBJECT && subject.split_whitespace().count() <= 3;
    (start..start + if is_subject { subject.len() } else { 0 }, start..start + first.len())
}

/// The parts of a task between blanks that name something of the project: not the addresses of pages, and not the numbers of
/// reports such as `CVE-2024-12345`.
fn tokens(task: &str) -> impl Iterator<Item = Range<usize>> {
    let is_number = |token: &str| {
        token.trim_matches(|c: char| !c.is_alphanumeric()).split_once('-').is_some_and(|(kind, number)| {
            let digits = number.chars().filter(char::is_ascii_digit).count();
            kind.chars().all(char::is_alphabetic)
                && digits >= 4
                && number.chars().all(|c| c == '-' || c.is_ascii_digit())
        })
    };
    let tokens = task.split_whitespace().map(move |token| {
        let start = token.as_ptr() as usize - task.as_ptr() as usize;
        start..start + token.len()
    });
    tokens.filter(move |token| {
        let token = &task[token.clone()];
        !token.contains("://") && !is_number(token)
    })
}

/// The names and words of a text: letters, digits and `_`, not beginning with a digit.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    // Bytes beyond ASCII are parts of words: whatever is cut is cut between characters.
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + bytes.get(at..)?.iter().position(is_part)?;
            let length = bytes[start..].iter().take_while(|byte| is_part(byte)).count();
            at = start + length;
            if !bytes[start].is_ascii_digit() && (2..=LONGEST_WORD).contains(&length) {
                return text.get(start..at);
            }
        }
    })
}

/// The parts of a name in lower case: `readFile`, `read_file` and `ReadFile` are all `read` and `file`.
pub(super) fn parts(name: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut characters = name.chars().peekable();
    let mut before_is_upper = true;
    while let Some(c) = characters.next() {
        if !c.is_alphanumeric() {
            push(&mut parts, &mut part);
            before_is_upper = true;
            continue;
        }
        let begins =
            c.is_uppercase() && (!before_is_upper || characters.peek().is_some_and(|next| next.is_lowercase()));
        if begins {
            push(&mut parts, &mut part);
        }
        before_is_upper = c.is_uppercase();
        part.extend(c.to_lowercase());
    }
    push(&mut parts, &mut part);
    parts
}

fn push(parts: &mut Vec<String>, part: &mut String) {
    if part.len() > 1 {
        parts.push(std::mem::take(part));
    }
    part.clear();
}

/// A word without its ending, so that `parse`, `parses`, `parsed`, `parser` and `parsing` are one.
pub(super) fn stem(word: &str) -> &str {
    if !word.is_ascii() || word.len() < 4 {
        return word;
    }
    let word = match word.strip_suffix('s') {
        Some(one) if !one.ends_with(['s', 'u', 'i']) => one,
        _ => word,
    };
    let shorter = ["ing", "ed", "er"].iter().find_map(|end| word.strip_suffix(end).filter(|rest| rest.len() > 2));
    let word = shorter.unwrap_or(word);
    let bytes = word.as_bytes();
    match bytes {
        [.., a, b] if shorter.is_some() && a == b && !b"lsz".contains(b) && word.len() > 3 => &word[..word.len() - 1],
        [.., b'e'] if word.len() > 3 => &word[..word.len() - 1],
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_where_their_writers_join_words() {
        for (name, expected) in [
            ("readFile", vec!["read", "file"]),
            ("HTTPServer_v2x", vec!["http", "server", "v2x"]),
            ("__init__", vec!["init"]),
            ("a", vec![]),
            ("ÜberGröße", vec!["über", "größe"]),
        ] {
            assert_eq!(parts(name), expected, "{name}");
        }
        assert_eq!(
            names("fn a_b(x1: &é, 12ab) -> Foo::Bar").collect::<Vec<_>>(),
            ["fn", "a_b", "x1", "é", "Foo", "Bar"]
        );
        assert_eq!(names("").count() + names("--").count(), 0);
    }

    #[test]
    fn forms_of_a_word_are_one() {
        for forms in [&["parse", "parses", "parsed", "parser", "parsing"][..], &["run", "runs", "running", "runner"]] {
            let stems: HashSet<_> = forms.iter().map(|form| stem(form)).collect();
            assert_eq!(stems.len(), 1, "{stems:?}");
        }
        assert_ne!(stem("class"), stem("clas"));
        assert_eq!(stem("é"), "é");
    }

    #[test]
    fn a_task_names_words_code_and_paths() {
        let task = TaskWords::of("Fix the parser: `retry` in src/HTTP/client.rs ignores maxRetries.");
        let mut stems: Vec<_> = task.stems.keys().map(String::as_str).collect();
        stems.sort_unstable();
        assert_eq!(stems, ["client", "http", "ignor", "max", "pars", "retri", "retry", "rs", "src"]);
        assert!(task.names.contains("maxRetries") && task.names.contains("retry") && !task.names.contains("parser"));
        assert_eq!(task.paths, ["src/http/client.rs"]);
    }

    #[test]
    fn what_stands_in_the_title_counts_more_and_numbers_of_reports_and_addresses_nothing() {
        let task = TaskWords::of("\nparser: keep comments\n\nThe printer loses comments.");
        let weight = |stem: &str| task.weights[task.stems[stem]];
        assert_eq!([weight("pars"), weight("keep"), weight("print")], [IN_SUBJECT, IN_TITLE, IN_REST]);
        assert_eq!(weight("comment"), IN_TITLE + AGAIN);
        assert_eq!(weight("comment"), TaskWords::of("Keep comments, all comments").weights[1]);
        let task = TaskWords::of("Fixed CVE-2024-12345 (gh-68966): https://tracker.example.org/x says UTF-8");
        let mut stems: Vec<_> = task.stems.keys().map(String::as_str).collect();
        stems.sort_unstable();
        assert_eq!(stems, ["utf"]);
        for task in ["", "\n\n", ": x", "é: é", &"é".repeat(LONGEST_TITLE)] {
            assert_eq!(TaskWords::of(task).weights.len(), TaskWords::of(task).stems.len());
        }
    }
}
