//! The protocol of NATS clients, cut into frames: <https://docs.nats.io/reference/reference-protocols/nats-protocol>.

/// What a frame is. A verb that is not known is passed on as a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Info,
    Connect,
    Ping,
    Pong,
    Pub,
    Hpub,
    Sub,
    Unsub,
    Msg,
    Hmsg,
    Ok,
    Err,
    Other,
}

/// One frame, with the bytes it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub verb: Verb,
    pub bytes: Vec<u8>,
    /// Length of its first line, with the line's end.
    line: usize,
    /// Length of its headers.
    headers: usize,
}

/// Frames from a stream of bytes, however it is cut.
#[derive(Debug, Default)]
pub struct Frames {
    rest: Vec<u8>,
}

/// The longest first line there can be; `INFO` is the longest in fact.
const LONGEST_LINE: usize = 64 << 10;

impl Frames {
    /// The frames that are whole now. `Err` with what is wrong when this is not the protocol.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, String> {
        self.rest.extend_from_slice(bytes);
        let (mut frames, mut from) = (Vec::new(), 0);
        while let Some(frame) = first(&self.rest[from..])? {
            from += frame.bytes.len();
            frames.push(frame);
        }
        self.rest.drain(..from);
        Ok(frames)
    }

    /// Bytes of a frame that is not whole yet.
    pub fn rest(&self) -> usize {
        self.rest.len()
    }
}

/// The first frame, if it is whole.
fn first(bytes: &[u8]) -> Result<Option<Frame>, String> {
    let Some(end) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
        return if bytes.len() < LONGEST_LINE { Ok(None) } else { Err("a line without an end".to_owned()) };
    };
    let line = end + 1;
    let text = String::from_utf8_lossy(&bytes[..line]).into_owned();
    let mut words = text.split_ascii_whitespace();
    let verb = verb(words.next().unwrap_or_default());
    let words: Vec<&str> = words.collect();
    let count = |from_last: usize| -> Result<usize, String> {
        let word = words.len().checked_sub(from_last).and_then(|at| words.get(at));
        word.and_then(|word| word.parse().ok()).ok_or_else(|| format!("a frame without its length: {text:?}"))
    };
    let (headers, body) = match verb {
        Verb::Pub | Verb::Msg => (0, Some(count(1)?)),
        Verb::Hpub | Verb::Hmsg => (count(2)?, Some(count(1)?)),
        Verb::Info | Verb::Connect | Verb::Ping | Verb::Pong => (0, None),
        Verb::Sub | Verb::Unsub | Verb::Ok | Verb::Err | Verb::Other => (0, None),
    };
    let whole = line + body.map_or(0, |body| body + b"\r\n".len());
    if headers > body.unwrap_or(0) {
        return Err(format!("headers longer than all: {text:?}"));
    }
    let Some(bytes) = bytes.get(..whole) else { return Ok(None) };
    if body.is_some() && !bytes.ends_with(b"\r\n") {
        return Err(format!("a payload of another length: {text:?}"));
    }
    Ok(Some(Frame { verb, bytes: bytes.to_vec(), line, headers }))
}

fn verb(word: &str) -> Verb {
    match word.to_ascii_uppercase().as_str() {
        "INFO" => Verb::Info,
        "CONNECT" => Verb::Connect,
        "PING" => Verb::Ping,
        "PONG" => Verb::Pong,
        "PUB" => Verb::Pub,
        "HPUB" => Verb::Hpub,
        "SUB" => Verb::Sub,
        "UNSUB" => Verb::Unsub,
        "MSG" => Verb::Msg,
        "HMSG" => Verb::Hmsg,
        "+OK" => Verb::Ok,
        "-ERR" => Verb::Err,
        _ => Verb::Other,
    }
}

impl Frame {
    /// Whether it carries a message of the program, and not a word between client and server.
    pub fn is_message(&self) -> bool {
        matches!(self.verb, Verb::Pub | Verb::Hpub | Verb::Msg | Verb::Hmsg)
    }

    /// Whether client and server no longer agree once it is lost: what is subscribed to, and who they are.
    pub fn is_agreement(&self) -> bool {
        matches!(self.verb, Verb::Info | Verb::Connect | Verb::Sub | Verb::Unsub | Verb::Other)
    }

    /// The words of its first line after the verb.
    fn words(&self) -> Vec<&str> {
        let line = std::str::from_utf8(&self.bytes[..self.line]).unwrap_or_default();
        line.split_ascii_whitespace().skip(1).collect()
    }

    /// The subject of a message.
    pub fn subject(&self) -> Option<&str> {
        if self.is_message() { self.words().first().copied() } else { None }
    }

    /// Where a message wants its answer.
    pub fn reply(&self) -> Option<&str> {
        // Words before it, and counts after it.
        let (before, after) = match self.verb {
            Verb::Pub => (1, 1),
            Verb::Hpub => (1, 2),
            Verb::Msg => (2, 1),
            Verb::Hmsg => (2, 2),
            _ => return None,
        };
        let words = self.words();
        if words.len() == before + 1 + after { words.get(before).copied() } else { None }
    }

    /// The payload of a message, without its headers.
    pub fn payload(&self) -> &[u8] {
        if self.is_message() { &self.bytes[self.line + self.headers..self.bytes.len() - 2] } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Frames, Verb};

    const TALK: &[u8] = b"INFO {\"server_id\":\"X\",\"headers\":true}\r\nCONNECT {\"verbose\":false}\r\nPING\r\nPONG\r\n\
        SUB jobs.* q 1\r\nUNSUB 1 5\r\nPUB a.b 5\r\nhello\r\nPUB a.b _INBOX.1 0\r\n\r\n\
        HPUB a.c _INBOX.2 22 27\r\nNATS/1.0\r\nId: 1:22\r\n\r\nhello\r\nMSG a.b 7 4\r\n\r\n\r\n\r\nMSG a.b 7 _INBOX.3 2\r\nok\r\n\
        HMSG a.c 9 12 12\r\nNATS/1.0\r\n\r\n\r\n+OK\r\n-ERR 'Unknown Protocol Operation'\r\npub x 1\r\n\n\r\n";

    fn shown(frame: &Frame) -> String {
        let payload = String::from_utf8_lossy(frame.payload()).into_owned();
        let words = [frame.subject(), frame.reply()].map(|word| word.unwrap_or("-").to_owned()).join(" ");
        format!("{:?} {words} {payload:?}", frame.verb)
    }

    #[test]
    fn frames_are_cut_where_they_end() {
        let mut frames = Frames::default();
        let found: Vec<String> = frames.push(TALK).unwrap().iter().map(shown).collect();
        let expected = [
            "Info - - \"\"",
            "Connect - - \"\"",
            "Ping - - \"\"",
            "Pong - - \"\"",
            "Sub - - \"\"",
            "Unsub - - \"\"",
            "Pub a.b - \"hello\"",
            "Pub a.b _INBOX.1 \"\"",
            "Hpub a.c _INBOX.2 \"hello\"",
            "Msg a.b - \"\\r\\n\\r\\n\"",
            "Msg a.b _INBOX.3 \"ok\"",
            "Hmsg a.c - \"\"",
            "Ok - - \"\"",
            "Err - - \"\"",
            "Pub x - \"\\n\"",
        ];
        assert_eq!(found, expected);
        assert_eq!(frames.rest(), 0);
    }

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let whole = Frames::default().push(TALK).unwrap();
        let mut random = fastrand::Rng::with_seed(20_261_128);
        let by_one = vec![1; TALK.len()];
        let by_chance = (0..200).map(|_| (0..TALK.len()).map(|_| random.usize(1..40)).collect());
        let cuts: Vec<Vec<usize>> = std::iter::once(by_one).chain(by_chance).collect();
        for lengths in cuts {
            let (mut frames, mut found, mut rest) = (Frames::default(), Vec::new(), TALK);
            for length in &lengths {
                let (piece, after) = rest.split_at((*length).min(rest.len()));
                found.extend(frames.push(piece).unwrap());
                rest = after;
            }
            assert_eq!(found, whole, "{lengths:?}");
            let bytes: Vec<u8> = found.iter().flat_map(|frame| frame.bytes.clone()).collect();
            assert_eq!(bytes, TALK, "{lengths:?}");
        }
    }

    #[test]
    fn what_is_no_frame_is_said() {
        let fault = |text: &[u8]| Frames::default().push(text).unwrap_err();
        assert!(fault(b"PUB a\r\n").contains("without its length"));
        assert!(fault(b"HPUB a 9 4\r\nabcd\r\n").contains("longer than all"));
        assert!(fault(b"PUB a 2\r\nabcd\r\n").contains("another length"));
        assert!(fault(&[b'x'; 70_000]).contains("without an end"));
        assert_eq!(Frames::default().push(b"PING\r\nPUB a 9\r\nabc").unwrap()[0].verb, Verb::Ping);
    }
}
