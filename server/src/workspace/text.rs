//! Text files, whose encoding, byte order mark and line endings are the file's own and survive a change.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// A text file as agents see it: line feeds only, no byte order mark, whatever the bytes on disk are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    text: String,
    charset: Charset,
    bom: bool,
    /// How each line of `text` ends in the file.
    ends: Vec<End>,
}

/// The file is binary, or in an encoding that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a text file")]
pub struct NotText;

/// A text that the file cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotEncode {
    /// A character that its encoding does not have.
    #[error("the file is in {charset}, which has no {character:?}; write it without that character")]
    Character {
        /// The encoding's name.
        charset: &'static str,
        /// The character.
        character: char,
    },
    /// A NUL character, which would make it a binary file.
    #[error("the text holds a NUL character, which would make the file binary")]
    Nul,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Lf,
    CrLf,
    /// The last line, when nothing ends it.
    Open,
}

impl TextFile {
    /// A file that does not exist yet: UTF-8, line feeds.
    pub fn empty() -> Self {
        Self { text: String::new(), charset: Charset::Utf8, bom: false, ends: Vec::new() }
    }

    /// Read bytes as text: UTF-8, UTF-16 with a byte order mark, else Windows-1252.
    ///
    /// # Errors
    /// When the bytes are not text, or would not come back the same.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotText> {
        let (charset, bom, raw) = decode_raw(bytes)?;
        let mut text = String::with_capacity(raw.len());
        let mut ends = Vec::new();
        for line in raw.split_inclusive('\n') {
            let (content, end) = match (line.strip_suffix("\r\n"), line.strip_suffix('\n')) {
                (Some(content), _) => (content, End::CrLf),
                (None, Some(content)) => (content, End::Lf),
                (None, None) => (line, End::Open),
            };
            text.push_str(content);
            if end != End::Open {
                text.push('\n');
            }
            ends.push(end);
        }
        Ok(Self { text, charset, bom, ends })
    }

    /// The text, lines ended by a line feed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of `new_text` in this file's manner. Lines that stay keep their own ending, new ones take the
    /// file's prevailing one; whether the last line is ended is as `new_text` says.
    ///
    /// # Errors
    /// When the file's encoding cannot hold the text.
    pub fn encode(&self, new_text: &str) -> Result<Vec<u8>, CannotEncode> {
        if new_text.contains('\0') {
            return Err(CannotEncode::Nul);
        }
        let lines: Vec<&str> = new_text.split_inclusive('\n').collect();
        let ends = self.ends_for(&lines);
        let mut raw = String::with_capacity(new_text.len() + lines.len());
        for (line, end) in lines.iter().zip(ends) {
            let Some(content) = line.strip_suffix('\n') else {
                raw.push_str(line);
                continue;
            };
            // A carriage return before the end is one only in a line that had it; else it was meant as the ending.
            let (content, end) = match end {
                Some(end) => (content, end),
                None => (content.strip_suffix('\r').unwrap_or(content), self.prevailing()),
            };
            raw.push_str(content);
            raw.push_str(if end == End::CrLf { "\r\n" } else { "\n" });
        }
        self.charset.encode(self.bom, &raw)
    }

    /// For each new line, the ending of the old line it is; `None` for those that are new.
    fn ends_for(&self, new: &[&str]) -> Vec<Option<End>> {
        let old: Vec<&str> = self.text.split_inclusive('\n').collect();
        let content = |line: &&str| line.strip_suffix('\n').unwrap_or(line).to_owned();
        let mut ends = vec![None; new.len()];
        let old_content: Vec<String> = old.iter().map(content).collect();
        let new_content: Vec<String> = new.iter().map(content).collect();
        for op in capture_diff_slices(Algorithm::Histogram, &old_content, &new_content) {
            if let DiffOp::Equal { old_index, new_index, len } = op {
                for offset in 0..len {
                    let end = self.ends[old_index + offset];
                    ends[new_index + offset] = Some(if end == End::Open { self.prevailing() } else { end });
                }
            }
        }
        ends
    }

    fn prevailing(&self) -> End {
        let crlf = self.ends.iter().filter(|end| **end == End::CrLf).count();
        let lf = self.ends.iter().filter(|end| **end == End::Lf).count();
        if crlf > lf { End::CrLf } else { End::Lf }
    }
}

/// The characters of a text file as they stand in it, line endings and byte order mark included.
pub(super) fn decode_lines(bytes: &[u8]) -> Result<String, NotText> {
    let (_, bom, raw) = decode_raw(bytes)?;
    Ok(if bom { format!("\u{feff}{raw}") } else { raw })
}

fn decode_raw(bytes: &[u8]) -> Result<(Charset, bool, String), NotText> {
    let (charset, bom, body) = match bytes {
        [0xef, 0xbb, 0xbf, body @ ..] => (Charset::Utf8, true, body),
        [0xff, 0xfe, body @ ..] => (Charset::Utf16Le, true, body),
        [0xfe, 0xff, body @ ..] => (Charset::Utf16Be, true, body),
        body if std::str::from_utf8(body).is_ok() => (Charset::Utf8, false, body),
        body => (Charset::Windows1252, false, body),
    };
    let raw = charset.decode(body).ok_or(NotText)?;
    let odd = |c: char| c.is_control() && (c < ' ') && !matches!(c, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}');
    // Any bytes at all are Windows-1252, so there the control characters have to tell a binary.
    let binary = raw.contains('\0') || (charset == Charset::Windows1252 && raw.contains(odd));
    if binary || charset.encode(bom, &raw).as_deref() != Ok(bytes) {
        return Err(NotText);
    }
    Ok((charset, bom, raw))
}

impl Charset {
    fn decode(self, body: &[u8]) -> Option<String> {
        let encoding: &'static Encoding = match self {
            Self::Utf8 => return std::str::from_utf8(body).ok().map(str::to_owned),
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
            Self::Windows1252 => WINDOWS_1252,
        };
        encoding.decode_without_bom_handling_and_without_replacement(body).map(Into::into)
    }

    fn encode(self, bom: bool, raw: &str) -> Result<Vec<u8>, CannotEncode> {
        let marked = |mark: &[u8]| if bom { mark.to_vec() } else { Vec::new() };
        match self {
            Self::Utf8 => {
                let mut bytes = marked(b"\xef\xbb\xbf");
                bytes.extend_from_slice(raw.as_bytes());
                Ok(bytes)
            }
            Self::Utf16Le => {
                let mut bytes = marked(b"\xff\xfe");
                bytes.extend(raw.encode_utf16().flat_map(u16::to_le_bytes));
                Ok(bytes)
            }
            Self::Utf16Be => {
                let mut bytes = marked(b"\xfe\xff");
                bytes.extend(raw.encode_utf16().flat_map(u16::to_be_bytes));
                Ok(bytes)
            }
            Self::Windows1252 => {
                let (bytes, _, unmappable) = WINDOWS_1252.encode(raw);
                if unmappable {
                    let has = |c: char| !WINDOWS_1252.encode(c.encode_utf8(&mut [0; 4])).2;
                    let character = raw.chars().find(|c| !has(*c)).unwrap_or_default();
                    return Err(CannotEncode::Character { charset: "Windows-1252", character });
                }
                Ok(bytes.into_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
        let file = TextFile::decode(bytes).unwrap();
        assert_eq!(file.encode(file.text()).unwrap(), bytes, "an unchanged text comes back the same");
        file.encode(&file.text().replace(from, to)).unwrap()
    }

    #[test]
    fn windows_line_endings_survive() {
        assert_eq!(edit(b"a\r\nb\r\n", "b\n", "c\nd\n"), b"a\r\nc\r\nd\r\n");
    }

    #[test]
    fn each_line_keeps_its_own_ending_in_a_mixed_file() {
        assert_eq!(edit(b"a\r\nb\nc\r\nd\r\n", "c\n", "x\ny\n"), b"a\r\nb\nx\r\ny\r\nd\r\n");
        assert_eq!(edit(b"a\r\r\nb\n", "b\n", "c\n"), b"a\r\r\nc\n");
    }

    #[test]
    fn a_missing_last_newline_is_as_the_text_says() {
        assert_eq!(edit(b"a\r\nb", "b", "c"), b"a\r\nc");
        assert_eq!(edit(b"a\r\nb", "b", "b\nc"), b"a\r\nb\r\nc");
        assert_eq!(edit(b"a\r\nb\r\n", "b\n", "b"), b"a\r\nb");
    }

    #[test]
    fn carriage_returns_of_a_model_are_not_doubled() {
        let file = TextFile::decode(b"a\r\nb\r\n").unwrap();
        assert_eq!(file.encode("a\nnew\r\nb\n").unwrap(), b"a\r\nnew\r\nb\r\n");
        assert_eq!(TextFile::empty().encode("a\r\nb\r\n").unwrap(), b"a\nb\n");
    }

    #[test]
    fn byte_order_marks_and_utf16_survive() {
        assert_eq!(edit("\u{feff}grün\n".as_bytes(), "grün", "rot"), "\u{feff}rot\n".as_bytes());
        let utf16: Vec<u8> = "\u{feff}a\r\n𝄞\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let expected: Vec<u8> = "\u{feff}b\r\n𝄞\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(edit(&utf16, "a", "b"), expected);
        let utf16: Vec<u8> = "\u{feff}a\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let expected: Vec<u8> = "\u{feff}é\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(edit(&utf16, "a", "é"), expected);
    }

    #[test]
    fn windows_1252_survives_and_tells_what_it_cannot_hold() {
        assert_eq!(edit(b"caf\xe9 \x80\n", "café", "thé"), b"th\xe9 \x80\n");
        let file = TextFile::decode(b"caf\xe9\n").unwrap();
        let refused = file.encode("→ café\n").unwrap_err();
        assert_eq!(refused, CannotEncode::Character { charset: "Windows-1252", character: '→' });
    }

    #[test]
    fn binaries_are_no_text() {
        let broken_utf16 = b"\xff\xfea";
        let lone_surrogate = b"\xff\xfe\x00\xd8a\x00";
        let utf32 = b"\xff\xfe\0\0a\0\0\0";
        for bytes in [b"a\0b".as_slice(), b"\x89PNG\r\n\x1a\n\xff", broken_utf16, lone_surrogate, utf32] {
            assert_eq!(TextFile::decode(bytes), Err(NotText), "{bytes:?}");
        }
        assert_eq!(TextFile::empty().encode("a\0"), Err(CannotEncode::Nul));
    }

    #[test]
    fn an_empty_file_is_text() {
        assert_eq!(TextFile::decode(b"").unwrap().text(), "");
        assert_eq!(TextFile::decode(b"").unwrap().encode("a\n").unwrap(), b"a\n");
    }

    #[test]
    fn whatever_decodes_comes_back_the_same() {
        let mut random = fastrand::Rng::with_seed(7);
        let pieces: [&[u8]; 8] = [b"a", b"\r\n", b"\n", b"\r", b"\xe9", "é".as_bytes(), b"\xff\xfe", b"\xef\xbb\xbf"];
        let mut decoded = 0;
        for _ in 0..5_000 {
            let bytes: Vec<u8> = (0..random.usize(..12)).flat_map(|_| pieces[random.usize(..8)].to_vec()).collect();
            let Ok(file) = TextFile::decode(&bytes) else { continue };
            decoded += 1;
            assert_eq!(file.encode(file.text()).unwrap(), bytes, "{bytes:?}");
            let longer = file.encode(&format!("{}end", file.text())).unwrap();
            assert!(TextFile::decode(&longer).is_ok_and(|again| again.text().ends_with("end")), "{bytes:?}");
        }
        assert!(decoded > 1_000);
    }
}
