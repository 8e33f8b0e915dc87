//! The encodings of text files, and invalid bytes in them.
//!
//! An invalid sequence is shown as U+FFFD, as in editors: one for each that the Encoding Standard's decoders report
//! (<https://encoding.spec.whatwg.org/#decoders>). It is kept beside the text as a [`Stray`].

use encoding_rs::WINDOWS_1252;

use crate::workspace::Interrupted;

/// What is shown for invalid bytes.
pub(super) const REPLACEMENT: char = '\u{fffd}';

/// The file is binary, or in an unknown encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a text file")]
pub struct NotText;

/// Why the file cannot hold a text.
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
    /// A U+FFFD that cannot be matched with an invalid sequence of the file.
    #[error(
        "line {line} has a U+FFFD, which stands for a byte of the file that is not text, and it cannot be told for \
         which; keep it in the line where it was, or write the character that is meant"
    )]
    Stray {
        /// The line, from 1.
        line: usize,
    },
    /// Text after half a character at the end of the file.
    #[error("the file ends in half a character, the U+FFFD at its end; put new text before that, or leave it out")]
    Half,
    /// It was cancelled or took too long.
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

/// One to three bytes that are invalid in the file's encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stray {
    bytes: [u8; 3],
    len: u8,
}

/// A stray and the byte offset of its U+FFFD in the text.
pub(super) type PlacedStray = (usize, Stray);

/// A file's characters with its line endings, without its byte order mark.
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

/// Decodes bytes as UTF-8, UTF-16 with a byte order mark, else Windows-1252.
///
/// A text is UTF-8 with strays rather than Windows-1252 if at least as many bytes form valid multi-byte sequences as
/// there are strays: in Windows-1252, two letters hardly ever look like UTF-8.
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
    // Any bytes are valid Windows-1252, or UTF-8 with strays, so only control characters reveal a binary.
    let lenient = raw.charset == Charset::Windows1252 || !raw.strays.is_empty();
    let binary = raw.text.contains('\0') || (lenient && raw.text.contains(odd));
    if binary || encode(raw.charset, raw.bom, &raw.text, &raw.strays).as_deref() != Ok(bytes) {
        return Err(NotText);
    }
    Ok(raw)
}

/// Decodes UTF-8, and counts the bytes of valid multi-byte sequences.
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

/// Decodes UTF-16, with few unpaired surrogates or a missing last byte.
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

/// Encodes a text, with the strays in place of their U+FFFD.
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
        // Text after half a character would be decoded differently.
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
