//! A whole call of `edit_file`, made of a file's own lines: for a model whose call does not say what is to be replaced.
//! It is shown and never carried out, for what the model meant is not known.

use serde_json::{Value, json};

use super::line_numbers::unnumbered;
use super::nearest::{alike, nearest};
use super::show::excerpt;
use crate::workspace::{Interrupt, Interrupted, masks};

/// The lines of a file that were likely meant, and what to do with them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Example {
    /// From 1, both included.
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) way: Way,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The input of a call that replaces them.
    Call(Value),
    /// The fields by which they are named, where a whole call would be too long to show.
    Fields(Value),
    /// The new text is what they say already.
    Unchanged,
}

impl Example {
    /// What to do, in words for the model. `like` says by what the lines were found.
    pub(super) fn advice(&self, path: &str, shown: &str, like: &str) -> String {
        let Self { first, last, way } = self;
        let there = excerpt(shown, *first, *last);
        match way {
            Way::Call(input) => format!(
                "The lines of {path} most like {like} are:\n{there}If these are to be replaced, call:\nedit_file {input}\n"
            ),
            Way::Fields(fields) => format!(
                "The lines of {path} most like {like} are:\n{there}If these are to be replaced, call edit_file with {fields} and \
                 with your new_text.\n"
            ),
            Way::Unchanged => format!(
                "new_text is what {path} already says:\n{there}If that is your change, it is made, and you can go on. Otherwise \
                 give as old_text the lines that are there now, without their numbers, and as new_text what they are to become.\n"
            ),
        }
    }
}

/// How alike lines must be to be taken for those that were meant.
const ALIKE: f32 = 0.5;
/// Bytes of a call beyond which it is not shown whole.
const LONGEST: usize = 3_000;
/// Lines by which the end of what is meant may be elsewhere than the number of lines says.
const SHIFTED: usize = 50;
/// Lines that are taken in around a text to make it unique.
const AROUND: usize = 3;

/// The call that replaces, in a file as the model sees it, the lines most like `like` by `new`. `None` where no lines are like
/// it, or where a secret stands in them.
pub(super) fn example(
    path: &str,
    shown: &str,
    (like, new): (&str, &str),
    interrupt: &Interrupt,
) -> Result<Option<Example>, Interrupted> {
    let lines: Vec<&str> = shown.lines().collect();
    let Some((first, last)) = meant(&lines, shown, like, interrupt)? else { return Ok(None) };
    let there = &lines[first - 1..last];
    if there.iter().any(|line| masks(line) > 0) {
        return Ok(None);
    }
    let new = unnumbered(new).map_or_else(|| new.to_owned(), |plain| plain.text);
    let new = indented_as(there[0], new.trim_end_matches('\n'));
    let is_same = there.join("\n").trim() == new.trim();
    let way = if is_same { Way::Unchanged } else { call(path, shown, &lines, (first, last), &new) };
    Ok(Some(Example { first, last, way }))
}

/// The lines, from 1, that stand where `like` is meant: by its line numbers where it came with them, else the most alike.
fn meant(
    lines: &[&str],
    shown: &str,
    like: &str,
    interrupt: &Interrupt,
) -> Result<Option<(usize, usize)>, Interrupted> {
    let plain = unnumbered(like);
    let like = plain.as_ref().map_or(like, |plain| &plain.text);
    let leading = like.lines().take_while(|line| line.trim().is_empty()).count();
    let wanted: Vec<&str> = like.trim_end().lines().skip(leading).collect();
    let (Some(opening), Some(closing)) = (wanted.first(), wanted.last()) else { return Ok(None) };
    let is_there = |line: &usize| {
        line.checked_sub(1).and_then(|index| lines.get(index)).is_some_and(|line| alike(opening, line) >= ALIKE)
    };
    let numbered = plain.as_ref().and_then(|plain| plain.start).map(|start| start.saturating_add(leading));
    let first = match numbered.filter(is_there) {
        Some(first) => first,
        None => match nearest(shown, like, interrupt)? {
            Some((first, _)) => first,
            None => return Ok(None),
        },
    };
    // Lines may have come in or gone: the last one is where the last one is found again.
    let expected = (first + wanted.len() - 1).min(lines.len());
    let reach = (first + 2 * wanted.len()).min(expected + SHIFTED).min(lines.len());
    let nearest_end = expected.saturating_sub(SHIFTED).max(first);
    let ends = if wanted.len() > 1 { nearest_end..=reach } else { expected..=expected };
    let score = |line: usize| lines.get(line - 1).map_or(0.0, |there| alike(closing, there));
    let last = ends
        .map(|line| (score(line), line))
        .filter(|(score, _)| *score > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.abs_diff(expected).cmp(&a.1.abs_diff(expected))))
        .map_or(expected, |(_, line)| line);
    Ok(Some((first, last.max(first))))
}

/// A new text that was written without the indentation of the lines it replaces, with it.
fn indented_as(there: &str, new: &str) -> String {
    let indent = |line: &str| line[..line.len() - line.trim_start().len()].to_owned();
    let opening = new.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let Some(missing) = indent(there).strip_suffix(&indent(opening)).map(str::to_owned) else { return new.to_owned() };
    let with_it = |line: &str| if line.trim().is_empty() { line.to_owned() } else { format!("{missing}{line}") };
    new.split('\n').map(with_it).collect::<Vec<_>>().join("\n")
}

/// The call by text if there are few lines and they stand in the file once, or do so with lines around them; else by numbers.
fn call(path: &str, shown: &str, lines: &[&str], (first, last): (usize, usize), new: &str) -> Way {
    for around in 0..=AROUND {
        let (from, to) = (first.saturating_sub(around).max(1), (last + around).min(lines.len()));
        let old = lines[from - 1..to].join("\n");
        if old.trim().is_empty() || masks(&old) > 0 || old.len() + new.len() > LONGEST {
            break;
        }
        if is_unique(shown, &old) {
            let (before, after) = (&lines[from - 1..first - 1], &lines[last..to]);
            let new = [before, &[new], after].concat().join("\n");
            return Way::Call(json!({ "path": path, "old_text": old, "new_text": new }));
        }
    }
    let mut input = json!({
        "path": path, "old_text": "", "start_line": first, "end_line": last, "first": lines[first - 1], "last": lines[last - 1],
    });
    if input.to_string().len() + new.len() > LONGEST {
        return Way::Fields(input);
    }
    input["new_text"] = new.into();
    Way::Call(input)
}

fn is_unique(text: &str, old: &str) -> bool {
    let is_further = |at: usize| {
        text.get(at + old.chars().next().map_or(1, char::len_utf8)..).is_some_and(|rest| rest.contains(old))
    };
    text.find(old).is_some_and(|at| !is_further(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREET: &str = "\
def greet(name):
    \"\"\"Greet.\"\"\"
    return f\"Hello, {name}\"


def main():
    print(greet(\"world\"))
";

    fn made(text: &str, new: &str) -> Option<Example> {
        example("greet.py", text, (new, new), &Interrupt::never()).unwrap()
    }

    #[track_caller]
    fn check(text: &str, new: &str, lines: (usize, usize), (old, expected): (&str, &str)) {
        let example = made(text, new).unwrap();
        assert_eq!((example.first, example.last), lines);
        assert_eq!(example.way, Way::Call(json!({ "path": "greet.py", "old_text": old, "new_text": expected })));
    }

    #[test]
    fn a_new_text_alone_is_shown_with_the_lines_it_is_most_like() {
        let (old, new) = ("    return f\"Hello, {name}\"", "    return f\"Hello, {name}!\"");
        check(GREET, new, (3, 3), (old, new));
        check(GREET, &format!("    3\t{new}\n"), (3, 3), (old, new));
        check(GREET, &format!("   12\t{new}"), (3, 3), (old, new));
        check(GREET, new.trim_start(), (3, 3), (old, new));
        let whole = "def greet(name):\n    \"\"\"Greet.\"\"\"\n    return f\"Hello, {name}";
        check(GREET, &format!("{whole}!\"\n"), (1, 3), (&format!("{whole}\""), &format!("{whole}!\"")));
    }

    #[test]
    fn lines_that_came_in_or_went_do_not_shift_the_end() {
        let old = "def greet(name):\n    \"\"\"Greet.\"\"\"\n    return f\"Hello, {name}\"";
        let longer =
            "def greet(name):\n    \"\"\"Greet.\"\"\"\n    name = name.strip()\n    return f\"Hello, {name}!\"";
        check(GREET, longer, (1, 3), (old, longer));
        let shorter = "def greet(name):\n    return f\"Hello, {name}!\"";
        check(GREET, shorter, (1, 3), (old, shorter));
    }

    #[test]
    fn lines_that_stand_twice_are_taken_with_those_around_them_or_by_their_numbers() {
        let text = "a = [\n    item_one,\n]\nb = [\n    item_one,\n]\n";
        check(text, "    5\t    item_ones,", (5, 5), ("b = [\n    item_one,\n]", "b = [\n    item_ones,\n]"));
        let same = "    item_one,\n".repeat(12);
        let Way::Call(input) = made(&same, "    6\t    item_ones,").unwrap().way else { panic!("a call") };
        let expected = json!({
            "path": "greet.py", "old_text": "", "start_line": 6, "end_line": 6, "first": "    item_one,", "last": "    item_one,",
            "new_text": "    item_ones,",
        });
        assert_eq!(input, expected);
    }

    #[test]
    fn what_says_nothing_new_or_is_like_nothing_makes_no_call() {
        assert_eq!(made(GREET, "    7\t    print(greet(\"world\"))\n").unwrap().way, Way::Unchanged);
        assert_eq!(made(GREET, "0123456789"), None);
        assert_eq!(made("", "x"), None);
        assert_eq!(made(GREET, "\n \n"), None);
        let secret = format!("token = {}\n", crate::workspace::masked(&format!("ghp_{}", "a1B2".repeat(9))));
        assert_eq!(made(&secret, &secret.replace("token", "tokens")), None);
    }

    #[test]
    fn a_long_stretch_is_named_by_its_lines_without_repeating_it() {
        let text: String = (1..=400).map(|n| format!("line number {n}\n")).collect();
        let Way::Fields(input) = made(&text, &text.replace("400", "four hundred")).unwrap().way else {
            panic!("fields")
        };
        assert_eq!((&input["start_line"], &input["end_line"]), (&json!(1), &json!(400)));
        assert!(input.get("new_text").is_none());
    }
}
