//! What an agent is given first, made to fit the window of its model.

use serde::{Deserialize, Serialize};

use crate::contracts::RepoPath;
use crate::text::head_bytes;

/// An agent's first message, in parts. Parts that can be had in other ways may give way where the message is too long: the
/// least needed first, each step by step. In their order, with nothing shortened, the parts are the message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    parts: Vec<Part>,
    /// Files of which the whole text stands in it, and that text: they count as read where it is not left out.
    files: Vec<(RepoPath, String)>,
}

/// How much an attachment is needed. What is needed least gives way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Need {
    /// It saves a look that may not be needed: it stands only where it leaves half of the room to the conversation.
    Spare,
    /// It saves a look at something that tools show.
    Helpful,
    /// It tells what no tool shows, and the work can be done without.
    Telling,
    /// It is what the work is about.
    Essential,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    need: Need,
    /// The whole first, then shorter and shorter. Never empty.
    forms: Vec<String>,
}

impl Opening {
    /// Without any part.
    pub fn new() -> Self {
        Self::default()
    }

    /// Add what always stays.
    pub fn push_str(&mut self, text: &str) {
        let last = self.parts.last_mut().filter(|part| part.need == Need::Essential);
        if let Some([only]) = last.map(|part| part.forms.as_mut_slice()) {
            only.push_str(text);
        } else {
            self.parts.push(Part { need: Need::Essential, forms: vec![text.to_owned()] });
        }
    }

    /// Add what may give way: as `whole`, or in one of the shorter forms, of which the last one says what was left out and how
    /// it is to be had.
    pub fn attach(&mut self, need: Need, whole: String, shorter: impl IntoIterator<Item = String>) {
        let mut forms = vec![whole];
        // What says that something was left out may be longer than what it stands for.
        for form in shorter {
            if forms.last().is_none_or(|last| json_bytes(&form) < json_bytes(last)) {
                forms.push(form);
            }
        }
        self.parts.push(Part { need, forms });
    }

    /// Add the parts of another message.
    pub fn append(&mut self, other: Self) {
        for part in other.parts {
            match part.forms.as_slice() {
                [only] if part.need == Need::Essential => self.push_str(only),
                _ => self.parts.push(part),
            }
        }
        self.files.extend(other.files);
    }

    /// The same with each text made another.
    pub(super) fn map(&self, text: &dyn Fn(&str) -> String) -> Self {
        let part = |part: &Part| Part { need: part.need, forms: part.forms.iter().map(|form| text(form)).collect() };
        Self {
            parts: self.parts.iter().map(part).collect(),
            files: self.files.iter().map(|(path, shown)| (path.clone(), text(shown))).collect(),
        }
    }

    /// Say that the whole text of a file stands in it, and how.
    pub fn shows_file(&mut self, path: RepoPath, text: String) {
        self.files.push((path, text));
    }

    /// The files whose text is no part of the message that it became: they do not count as read.
    pub fn files_left_out<'a>(&'a self, message: &'a str) -> impl Iterator<Item = &'a RepoPath> {
        self.files.iter().filter(|(_, text)| !message.contains(text.as_str())).map(|(path, _)| path)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Add text that may be cut, in `framed`, which puts a frame around what is left of it. `way` says how the rest is to be
    /// had, `without` stands where nothing is left.
    pub fn attach_text(&mut self, need: Need, text: &str, framed: &dyn Fn(&str) -> String, way: &str, without: String) {
        const LEAST: usize = 1_000;
        let half =
            std::iter::successors(Some(text.len() / 2), |bytes| Some(bytes / 2)).take_while(|bytes| *bytes >= LEAST);
        let cut = half.map(|bytes| framed(&cut_at_line(text, bytes, way))).collect::<Vec<_>>();
        self.attach(need, framed(text), cut.into_iter().chain([without]));
    }

    /// The message with nothing left out.
    pub fn whole(&self) -> String {
        self.parts.iter().filter_map(|part| part.forms.first()).map(String::as_str).collect()
    }

    /// The message in at most so many bytes, as JSON writes it.
    ///
    /// # Errors
    /// The shortest form of it, where even that is longer.
    pub fn fitted(&self, most: usize) -> Result<String, String> {
        let sizes: Vec<Vec<usize>> =
            self.parts.iter().map(|part| part.forms.iter().map(|form| json_bytes(form)).collect()).collect();
        let mut taken = vec![0; self.parts.len()];
        let mut size: usize = sizes.iter().filter_map(|forms| forms.first()).sum();
        let mut shorten = |most: usize, gives: &dyn Fn(Need) -> bool| {
            while size > most {
                let can_give = |at: &usize| gives(self.parts[*at].need) && taken[*at] + 1 < sizes[*at].len();
                let least_needed = (0..taken.len())
                    .filter(can_give)
                    .min_by_key(|at| (self.parts[*at].need, std::cmp::Reverse(sizes[*at][taken[*at]])));
                let Some(at) = least_needed else { break };
                size -= sizes[at][taken[at]];
                taken[at] += 1;
                size += sizes[at][taken[at]];
            }
        };
        shorten(most / 2, &|need| need == Need::Spare);
        shorten(most, &|_| true);
        let text = self.parts.iter().zip(taken).map(|(part, form)| part.forms[form].as_str()).collect();
        if size > most { Err(text) } else { Ok(text) }
    }
}

impl From<String> for Opening {
    fn from(text: String) -> Self {
        let mut opening = Self::new();
        opening.push_str(&text);
        opening
    }
}

/// The first lines of a text in so many bytes, and that it was cut.
pub(super) fn cut_at_line(text: &str, bytes: usize, way: &str) -> String {
    let head = head_bytes(text, bytes);
    let head = head.rfind('\n').filter(|end| *end > head.len() / 2).map_or(head, |end| &head[..end]);
    format!("{head}\n[cut: {} of {} bytes are shown, to fit the model's context window; {way}]", head.len(), text.len())
}

/// Bytes of a text as JSON writes it, without the quotes.
pub(super) fn json_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening() -> Opening {
        let mut opening = Opening::new();
        opening.push_str("task ");
        opening.push_str("text\n");
        opening.attach(Need::Telling, "what editors say\n".repeat(20), ["(editor left out)\n".to_owned()]);
        let lines: String = (0..1_000).map(|n| format!("line {n}\n")).collect();
        opening.attach_text(
            Need::Essential,
            &lines,
            &|text| format!("<diff>\n{text}\n</diff>\n"),
            "read_diff",
            "(no diff)\n".to_owned(),
        );
        opening.attach(Need::Helpful, "conventions\n".repeat(100), ["(read CONTRIBUTING.md)\n".to_owned()]);
        opening.push_str("Begin.");
        opening
    }

    #[test]
    fn with_room_it_is_whole() {
        let whole = opening().whole();
        assert!(
            whole.starts_with("task text\nwhat editors say\n")
                && whole.contains("say\n<diff>\nline 0\n")
                && whole.ends_with("conventions\nBegin.")
        );
        assert_eq!(opening().fitted(json_bytes(&whole)), Ok(whole.clone()));
        assert_eq!(Opening::from(whole.clone()).fitted(usize::MAX), Ok(whole));
    }

    #[test]
    fn what_is_needed_least_gives_way_first_and_each_says_so() {
        let size = json_bytes(&opening().whole());
        let fitted = opening().fitted(size - 1).unwrap();
        assert!(
            fitted.contains("(read CONTRIBUTING.md)")
                && fitted.contains("what editors say")
                && !fitted.contains("[cut")
        );
        let fitted = opening().fitted(size - 1_400).unwrap();
        assert!(fitted.contains("(editor left out)") && !fitted.contains("[cut: "), "{fitted}");
        let fitted = opening().fitted(size - 1_700).unwrap();
        assert!(fitted.contains("(editor left out)") && fitted.contains("[cut: "), "{fitted}");
        let fitted = opening().fitted(3_000).unwrap();
        assert!(fitted.contains("line 200\n") && fitted.contains("context window; read_diff]\n</diff>"), "{fitted}");
        assert!(fitted.starts_with("task text\n") && fitted.ends_with("Begin."), "{fitted}");
        for most in (200..size).step_by(500) {
            assert!(json_bytes(&opening().fitted(most).unwrap()) <= most);
        }
        let least = "task text\n(editor left out)\n(no diff)\n(read CONTRIBUTING.md)\nBegin.";
        assert_eq!(opening().fitted(50), Err(least.to_owned()));
    }

    #[test]
    fn what_is_shorter_than_the_word_that_it_was_left_out_stays() {
        let mut opening = Opening::new();
        opening.attach(Need::Helpful, "a.txt\n".to_owned(), ["(the list of files is left out)\n".to_owned()]);
        assert_eq!(opening.fitted(0), Err("a.txt\n".to_owned()));
    }

    #[test]
    fn what_is_spare_leaves_half_of_the_room() {
        let mut opening = Opening::from("task\n".to_owned());
        for name in ["a", "b"] {
            opening.attach(Need::Spare, format!("{name}\n").repeat(300), [format!("({name} left out)\n")]);
        }
        let mut whole = Opening::new();
        whole.append(opening.clone());
        whole.push_str("Begin.");
        assert_eq!((whole.whole(), Opening::new().is_empty()), (opening.whole() + "Begin.", true));
        assert_eq!(opening.fitted(4_000), Ok(opening.whole()));
        let fitted = opening.fitted(3_000).unwrap();
        assert!(fitted.contains("(a left out)") && fitted.contains("b\nb\n"), "{fitted}");
        assert_eq!(opening.fitted(1_000).unwrap(), "task\n(a left out)\n(b left out)\n");
    }

    #[test]
    fn bytes_are_counted_as_json_writes_them() {
        for text in ["", "plain", "a\"b\\c\nd\te\r", "\u{1}\u{8}\u{c}\u{1f}\u{7f}é🦀"] {
            assert_eq!(json_bytes(text) + 2, serde_json::Value::from(text).to_string().len(), "{text:?}");
        }
    }
}
