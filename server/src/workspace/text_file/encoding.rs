//! The encodings of text files, and bytes in them that are not text.
//!
//! Such a byte shows as U+FFFD, as editors show it: one for each that the Encoding Standard's decoders report
//! (<https://encoding.spec.whatwg.org/#decoders>), and is kept beside the text as a [`Stray`].

use encoding_rs::WINDOWS_1252;

use crate::workspace::Interrupted;

/// What shows for bytes that are not text.
pub(super) const REPLACEMENT: char = '\u{fffd}';

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
    /// A U+FFFD of which it cannot be told for which of the file's bytes it stands.
    #[error(
        "line {line} has a U+FFFD, which stands for a byte of the file that is not text, and it cannot be told for \
         which; keep it in the line where it was, or write the character that is meant"
    )]
    Stray {
        /// The line, from 1.
        line: usize,
    },
    /// Text after the half character at the end of the file.
    #[error("the file ends in half a character, the U+FFFD at its end; put new text before that, or leave it out")]
    Half,
    /// It took too long, or was stopped.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
}

/// Bytes that are not text in the file's encoding, one to three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stray {
    bytes: [u8; 3],
    len: u8,
}

/// A stray and where its U+FFFD stands in a text, in bytes.
pub(super) type PlacedStray = (usize, Stray);

/// A file's characters as they stand in it, line endings and all, but for its byte order mark.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) charset: Charset,
    pub(super) bom: bool,
    pub(super) text: String,
    pub(super) strays: Vec<PlacedStray>,
}

impl Stray {
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let mut kept = [0; 3];
        kept.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: kept, len: u8::try_from(bytes.len()).ok()? })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Read bytes as text: UTF-8, UTF-16 with a byte order mark, else Windows-1252.
///
/// A text is UTF-8 with strays, and no Windows-1252, where at least as many bytes make up valid sequences as there are
/// strays: in a real Windows-1252 text two letters hardly ever look like one of UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Result<Raw, NotText> {
    let raw = match bytes {
        [0xef, 0xbb, 0xbf, body @ ..] => utf8(body, true).0,
        [0xff, 0xfe, body @ ..] => utf16(body, Charset::Utf16Le)?,
        [0xfe, 0xff, body @ ..] => utf16(body, Charset::Utf16Be)?,
        body => {
            let (raw, valid) = utf8(body, false);
            if raw.strays.len() <= valid { raw } else { windows_1252(body)? }
        }
    };
    let odd = |c: char| c.is_control() && (c < ' ') && !matches!(c, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}');
    // Any bytes at all are Windows-1252, or UTF-8 with strays, so there the control characters have to tell a binary.
    let lenient = raw.charset == Charset::Windows1252 || !raw.strays.is_empty();
    let binary = raw.text.contains('\0') || (lenient && raw.text.contains(odd));
    if binary || encode(raw.charset, raw.bom, &raw.text, &raw.strays).as_deref() != Ok(bytes) {
        return Err(NotText);
    }
    Ok(raw)
}

/// UTF-8, and how many bytes of it are of valid sequences longer than one.
fn utf8(body: &[u8], bom: bool) -> (Raw, usize) {
    let mut raw = Raw { charset: Charset::Utf8, bom, text: String::with_capacity(body.len()), strays: Vec::new() };
    let mut valid = 0;
    for chunk in body.utf8_chunks() {
        raw.text.push_str(chunk.valid());
        valid += chunk.valid().bytes().filter(|byte| !byte.is_ascii()).count();
        if let Some(stray) = Stray::new(chunk.invalid()).filter(|stray| stray.len > 0) {
            raw.strays.push((raw.text.len(), stray));
            raw.text.push(REPLACEMENT);
        }
    }
    (raw, valid)
}

/// UTF-16, in which surrogates may stand alone and a last byte be missing: but not many.
fn utf16(body: &[u8], charset: Charset) -> Result<Raw, NotText> {
    let unit = if charset == Charset::Utf16Be { u16::from_be_bytes } else { u16::from_le_bytes };
    let back = if charset == Charset::Utf16Be { u16::to_be_bytes } else { u16::to_le_bytes };
    let (pairs, rest) = body.as_chunks::<2>();
    let mut raw = Raw { charset, bom: true, text: String::with_capacity(pairs.len()), strays: Vec::new() };
    let mut valid = 0;
    for read in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match read {
            Ok(c) => {
                valid += 1;
                raw.text.push(c);
            }
            Err(lone) => push_stray(&mut raw, &back(lone.unpaired_surrogate())),
        }
    }
    if !rest.is_empty() {
        push_stray(&mut raw, rest);
    }
    if raw.strays.len() * 4 > valid { Err(NotText) } else { Ok(raw) }
}

fn push_stray(raw: &mut Raw, bytes: &[u8]) {
    if let Some(stray) = Stray::new(bytes) {
        raw.strays.push((raw.text.len(), stray));
        raw.text.push(REPLACEMENT);
    }
}

fn windows_1252(body: &[u8]) -> Result<Raw, NotText> {
    let text = WINDOWS_1252.decode_without_bom_handling_and_without_replacement(body).ok_or(NotText)?;
    Ok(Raw { charset: Charset::Windows1252, bom: false, text: text.into_owned(), strays: Vec::new() })
}

/// The bytes of a text, with the strays in the places of their U+FFFD.
pub(super) fn encode(charset: Charset, bom: bool, text: &str, strays: &[PlacedStray]) -> Result<Vec<u8>, CannotEncode> {
    let mut bytes = Vec::with_capacity(text.len() + 3);
    if bom {
        charset.encode("\u{feff}", &mut bytes)?;
    }
    let mut rest = 0;
    for (at, stray) in strays {
        charset.encode(text.get(rest..*at).unwrap_or_default(), &mut bytes)?;
        bytes.extend_from_slice(stray.bytes());
        rest = at + REPLACEMENT.len_utf8();
        // Whatever came after half a character would be read as something else.
        let is_half = matches!(charset, Charset::Utf16Le | Charset::Utf16Be) && stray.bytes().len() == 1;
        if is_half && rest < text.len() {
            return Err(CannotEncode::Half);
        }
    }
    charset.encode(text.get(rest..).unwrap_or_default(), &mut bytes)?;
    Ok(bytes)
}

impl Charset {
    fn encode(self, text: &str, bytes: &mut Vec<u8>) -> Result<(), CannotEncode> {
        match self {
            Self::Utf8 => bytes.extend_from_slice(text.as_bytes()),
            Self::Utf16Le => bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Self::Utf16Be => bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Self::Windows1252 => {
                let (encoded, _, unmappable) = WINDOWS_1252.encode(text);
                if unmappable {
                    let has = |c: char| !WINDOWS_1252.encode(c.encode_utf8(&mut [0; 4])).2;
                    let character = text.chars().find(|c| !has(*c)).unwrap_or_default();
                    return Err(CannotEncode::Character { charset: "Windows-1252", character });
                }
                bytes.extend_from_slice(&encoded);
            }
        }
        Ok(())
    }
}
