//! Text that a person wrote: from a file, in whatever encoding an editor or shell saved it, and from a command line.
//!
//! Text that cannot be decoded without guessing is a fault with its position, never sent to a model as garbage.

use unicode_normalization::UnicodeNormalization;

use crate::contracts::{Fault, Position};

/// U+FEFF, which some editors and shells put in front of a text.
const MARK: char = '\u{feff}';

/// Decodes a file that a person wrote: UTF-8, with or without a byte order mark, or UTF-16 with one, as the `>` of
/// Windows PowerShell writes it. Lines end in `\n`, and the mark is removed.
///
/// # Errors
/// The first position that is not text in that encoding, or holds a NUL character, as UTF-16 without a mark does.
pub fn decode(bytes: &[u8]) -> Result<String, Fault> {
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => utf8(bytes)?,
    };
    if let Some(at) = text.find('\0') {
        return Err(fault(&text[..at], "a NUL character, which no task holds; save the file as UTF-8"));
    }
    Ok(unmarked(&text))
}

/// Normalises a text from a command line, an editor or a file: no byte order mark, `\n` line ends, no blanks around it.
pub fn tidied(text: &str) -> String {
    unmarked(text).trim().to_owned()
}

/// Whether two texts are the same task: line ends, trailing blanks and the normal form of accents make no difference.
pub fn is_same_task(one: &str, other: &str) -> bool {
    let words = |text: &str| -> String {
        let lines: Vec<String> = tidied(text).lines().map(|line| line.trim_end().nfc().collect()).collect();
        lines.join("\n")
    };
    words(one) == words(other)
}

fn unmarked(text: &str) -> String {
    text.trim_start_matches(MARK).replace("\r\n", "\n").replace('\r', "\n")
}

fn utf8(bytes: &[u8]) -> Result<String, Fault> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
        let before = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
        fault(&before, "not UTF-8 text; save the file in that encoding")
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Fault> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for decoded in char::decode_utf16(pairs.iter().copied().map(unit)) {
        match decoded {
            Ok(c) => text.push(c),
            Err(_) => return Err(fault(&text, "not UTF-16 text, though its mark says so; save the file as UTF-8")),
        }
    }
    if rest.is_empty() { Ok(text) } else { Err(fault(&text, "half a character of UTF-16; save the file as UTF-8")) }
}

/// A fault directly after this text.
fn fault(before: &str, message: &str) -> Fault {
    let at = before.len();
    Fault {
        code: "schema",
        message: message.to_owned(),
        pointer: String::new(),
        span: at..at,
        position: Position::of(before, at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = "Grüße\nund \u{1F980}\n";

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_task_is_the_same_text_in_each_encoding_it_may_have() {
        let windows = TASK.replace('\n', "\r\n");
        for text in [TASK, &windows, &TASK.replace('\n', "\r")] {
            let marked = format!("{MARK}{text}");
            for bytes in [
                text.as_bytes().to_vec(),
                marked.as_bytes().to_vec(),
                utf16(&marked, u16::to_le_bytes),
                utf16(&marked, u16::to_be_bytes),
            ] {
                assert_eq!(decode(&bytes).unwrap(), TASK, "{bytes:x?}");
            }
        }
        assert_eq!(decode(b"").unwrap(), "");
        assert_eq!(decode(&[0xFF, 0xFE]).unwrap(), "");
    }

    #[test]
    fn what_is_no_text_is_reported_at_its_place() {
        for (bytes, position, said) in [
            (b"Mend\ncaf\xe9 now".as_slice(), "2:4", "not UTF-8"),
            (b"\xef\xbb\xbfa\xff", "1:3", "not UTF-8"),
            (&utf16("ab", u16::to_le_bytes), "1:2", "a NUL character"),
            (b"\xff\xfea\0b", "1:2", "half a character"),
            (b"\xff\xfea\0\n\0\x00\xd8b\0", "2:1", "not UTF-16"),
            // UTF-32 begins with the mark of UTF-16.
            (b"\xff\xfe\0\0a\0\0\0", "1:1", "a NUL character"),
        ] {
            let fault = decode(bytes).unwrap_err();
            assert_eq!(fault.position.to_string(), position, "{bytes:x?}");
            assert!(fault.message.starts_with(said), "{}", fault.message);
        }
    }

    #[test]
    fn a_task_is_the_same_whatever_its_lines_end_in() {
        let task = "Add a flag.\n\n  - caf\u{e9}\n";
        for same in [
            "Add a flag.\r\n\r\n  - café\r\n",
            "\u{feff}Add a flag.  \n\t\n  - cafe\u{301}",
            "\nAdd a flag.\r\r  - café ",
        ] {
            assert!(is_same_task(task, same), "{same:?}");
        }
        for other in ["Add a flag.\n  - café", "Add a flag.\n\n- café", "add a flag.\n\n  - café"] {
            assert!(!is_same_task(task, other), "{other:?}");
        }
    }
}
