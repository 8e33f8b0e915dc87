//! A file of ours that a person may have edited: its last line has the hash of the rest, by which an edit is seen.

use super::proposal::Outcome;
use crate::workspace::sha256;

const MARK: &str = "<!-- baton:written v1 sha256:";

/// What is to become of a file that should have this text, which ends with a line break.
pub(super) fn decide(before: Option<&str>, body: &str) -> Outcome {
    let text = sealed(body);
    let Some(before) = before else { return Outcome::Write(text) };
    // A checkout on Windows may have changed the ends of the lines.
    let lines = before.replace("\r\n", "\n");
    if lines == text {
        return Outcome::Same;
    }
    match lines.trim_end_matches('\n').rsplit_once('\n') {
        Some((rest, mark)) if mark.starts_with(MARK) => {
            match sealed(&format!("{rest}\n")).trim_end() == lines.trim_end() {
                true => Outcome::Write(text),
                false => {
                    Outcome::Left("it was edited since `baton init` wrote it; remove it to have it written anew".into())
                }
            }
        }
        _ => Outcome::Left("it is not from `baton init`; rename or remove it to have it written".into()),
    }
}

fn sealed(body: &str) -> String {
    format!("{body}{MARK}{} -->\n", sha256(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(before: Option<&str>, body: &str) -> Option<String> {
        match decide(before, body) {
            Outcome::Write(text) => Some(text),
            Outcome::Same | Outcome::Left(_) => None,
        }
    }

    #[test]
    fn what_nobody_edited_is_replaced_and_anything_else_stays() {
        let first = written(None, "one\n").unwrap();
        assert!(first.starts_with("one\n<!-- baton:written v1 sha256:"), "{first}");
        assert!(matches!(decide(Some(&first), "one\n"), Outcome::Same));
        assert!(matches!(decide(Some(&first.replace('\n', "\r\n")), "one\n"), Outcome::Same));
        let second = written(Some(&first), "two\n").unwrap();
        assert_eq!(written(Some(&second), "one\n"), Some(first.clone()));
        for (edited, why) in [
            (first.replace("one", "mine"), "it was edited"),
            (format!("{first}more\n"), "not from"),
            ("mine\n".to_owned(), "not from"),
            (String::new(), "not from"),
        ] {
            let Outcome::Left(said) = decide(Some(&edited), "two\n") else { panic!("{edited} was not left alone") };
            assert!(said.contains(why), "{edited}: {said}");
        }
    }
}
