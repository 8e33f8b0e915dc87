//! What a check prints: made safe to show, its secrets masked, and no more of it kept than is worth reading.
//!
//! A check can print without end. So nothing here grows with it: a log of at most [`MAX_LOG`] bytes, and of the text the
//! beginning and the end. What comes after the log is full is not even looked at, but for the last of it.
//!
//! The order matters: escape sequences and invisible characters are taken out before secrets are looked for, so that
//! none hides behind one.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};

use regex::{Regex, RegexBuilder};

use crate::text;
use crate::workspace::protect::masked;

/// Bytes of a log; what is printed after that is not recorded.
pub(super) const MAX_LOG: u64 = 16 << 20;
/// Bytes that are kept of the beginning.
const HEAD: usize = 8 << 10;
/// Bytes that are kept of the end.
const TAIL: usize = 24 << 10;
/// Bytes without a line end after which a line is cut, so that it costs no memory.
const LONGEST_LINE: usize = 64 << 10;
/// The longest escape sequence that is waited for at such a cut.
const LONGEST_SEQUENCE: usize = 4 << 10;
/// Bytes that are kept unread once the log is full: more than the end that is shown.
const LAST_BYTES: usize = TAIL + LONGEST_LINE;
/// Values that are looked for; more cannot be, but no user has as many.
const MOST_SECRETS: usize = 5_000;

/// What stands where a secret stood.
const MASK: &str = "<masked by Baton: secret>";

/// Takes what a check prints, piece by piece.
pub(super) struct Output {
    secrets: Secrets,
    log: Log,
    /// What has come since the last line end, as it came.
    pending: Vec<u8>,
    head: String,
    tail: VecDeque<u8>,
    /// Bytes that have left the tail again.
    dropped: u64,
    /// The last bytes that came after the log was full.
    last: VecDeque<u8>,
    unread: u64,
}

impl Output {
    /// An output that is recorded in a file, with these secrets masked.
    pub(super) fn new(log: File, secrets: &[String]) -> Self {
        Self {
            secrets: Secrets::new(secrets),
            log: Log { file: log, most: MAX_LOG, written: 0, is_cut: false, fault: None },
            pending: Vec::new(),
            head: String::new(),
            tail: VecDeque::new(),
            dropped: 0,
            last: VecDeque::new(),
            unread: 0,
        }
    }

    /// Takes a piece of the output.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.log.is_full() {
            self.push_unread(bytes);
            return;
        }
        let mut rest = bytes;
        // In pieces, so that one large write costs no more than many small ones.
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(LONGEST_LINE));
            rest = after;
            self.pending.extend_from_slice(piece);
            self.take_lines();
        }
    }

    /// The beginning and the end of what was printed. Whatever has not come by now is not waited for.
    pub(super) fn into_text(mut self) -> String {
        let pending = std::mem::take(&mut self.pending);
        self.read(&pending);
        if self.log.is_full() {
            self.finish_unread();
        }
        // Also where what was recorded before filled the log to its last byte.
        if self.unread > 0 {
            self.log.say_cut();
        }
        let mut shown = self.head;
        if self.dropped > 0 {
            let left_out = size(self.dropped);
            shown.truncate(shown.trim_end_matches('\n').len());
            shown.push_str(&format!("\n[... {left_out} left out here ...]\n"));
        }
        let tail: Vec<u8> = self.tail.into();
        // The tail is cut between characters, and what it is cut from is text.
        let tail = String::from_utf8_lossy(&tail);
        let tail = if self.dropped > 0 { from_a_line(&tail) } else { &tail };
        shown.push_str(tail);
        if let Some(fault) = self.log.finish() {
            shown.push_str(&format!("\n[the log is not complete: {fault}]\n"));
        }
        masked(&shown).into_owned()
    }

    /// Takes what is complete of the pending bytes.
    fn take_lines(&mut self) {
        let end = match self.pending.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if self.pending.len() >= LONGEST_LINE => self.safe_cut(),
            None => return,
        };
        let rest = self.pending.split_off(end);
        let lines = std::mem::replace(&mut self.pending, rest);
        self.read(&lines);
    }

    /// Where an endless line may be cut: in no secret, no escape sequence, no character.
    fn safe_cut(&self) -> usize {
        let bytes = &self.pending;
        // What could be the beginning of something goes on being looked at.
        let mut cut = bytes.len().saturating_sub(self.secrets.longest.max(LONGEST_SEQUENCE));
        if let Some(escape) = bytes[cut.saturating_sub(LONGEST_SEQUENCE)..cut].iter().rposition(|byte| *byte == 0x1b) {
            let escape = cut.saturating_sub(LONGEST_SEQUENCE) + escape;
            if escape > 0 {
                cut = escape;
            }
        }
        // A secret that begins before the cut and ends after it.
        let from = cut.saturating_sub(self.secrets.longest);
        let around = String::from_utf8_lossy(&bytes[from..]);
        // Replaced bytes would shift what is found; then the cut stays where it is.
        if around.len() == bytes.len() - from
            && let Some(first) =
                self.secrets.spans(&around).find(|span| span.start < cut - from && span.end > cut - from)
        {
            cut = from + first.start;
        }
        while cut > 0 && cut < bytes.len() && bytes[cut] & 0xc0 == 0x80 {
            cut -= 1;
        }
        if cut == 0 { bytes.len() } else { cut }
    }

    fn read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let clean = clean(bytes);
        let clean = self.secrets.mask(&clean);
        self.log.write(&masked(&clean));
        self.keep(&clean);
    }

    fn keep(&mut self, text: &str) {
        let mut rest = text;
        if self.tail.is_empty() && self.dropped == 0 && self.head.len() < HEAD {
            let head = text::head_bytes(rest, HEAD - self.head.len());
            self.head.push_str(head);
            rest = &rest[head.len()..];
        }
        self.tail.extend(rest.as_bytes());
        let mut over = self.tail.len().saturating_sub(TAIL);
        while self.tail.get(over).is_some_and(|byte| byte & 0xc0 == 0x80) {
            over += 1;
        }
        if over > 0 {
            self.tail.drain(..over);
            self.dropped += over as u64;
        }
    }

    /// Takes a piece after the log was full: only the last of it is kept.
    fn push_unread(&mut self, bytes: &[u8]) {
        self.unread += bytes.len() as u64;
        let news = &bytes[bytes.len().saturating_sub(LAST_BYTES)..];
        let over = (self.last.len() + news.len()).saturating_sub(LAST_BYTES);
        self.last.drain(..over.min(self.last.len()));
        self.last.extend(news);
    }

    /// Reads the last bytes, from the first that can be the beginning of something whole.
    fn finish_unread(&mut self) {
        let last: Vec<u8> = std::mem::take(&mut self.last).into();
        let skipped = if self.unread > last.len() as u64 {
            // Half a secret may stand at the front.
            let line = last.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n').map(|at| at + 1);
            line.unwrap_or_else(|| self.secrets.longest.clamp(LONGEST_SEQUENCE, LONGEST_LINE)).min(last.len())
        } else {
            0
        };
        let clean = clean(&last[skipped..]);
        let clean = self.secrets.mask(&clean);
        self.dropped += self.unread - (last.len() - skipped) as u64;
        self.keep(&clean);
    }
}

/// Text that is safe to show. A carriage return begins a new line: a progress bar that is drawn over itself is read in
/// its order, and hides nothing.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.contains('\r') {
        text::safe_text(&text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        text::safe_text(&text)
    }
}

fn from_a_line(text: &str) -> &str {
    match text.find('\n') {
        // A line of many kilobytes is better cut than left out.
        Some(at) if at < 1_024 => &text[at + 1..],
        _ => text,
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MB", bytes >> 20),
        _ => format!("{:.1} GB", bytes as f64 / f64::from(1 << 30)),
    }
}

/// The values that are masked.
struct Secrets {
    pattern: Option<Regex>,
    /// The length of the longest in bytes.
    longest: usize,
}

impl Secrets {
    fn new(values: &[String]) -> Self {
        // They are compared with text that was made safe.
        let mut values: Vec<String> = values.iter().map(|value| text::safe_text(value)).collect();
        values.retain(|value| !value.is_empty());
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        values.truncate(MOST_SECRETS);
        let longest = values.first().map_or(0, String::len);
        let escaped: Vec<String> = values.iter().map(|value| regex::escape(value)).collect();
        // Alternatives are tried in order, so the longest value wins where one begins with another.
        let pattern = (!escaped.is_empty())
            .then(|| RegexBuilder::new(&escaped.join("|")).size_limit(1 << 28).unicode(true).build().ok())
            .flatten();
        Self { pattern, longest }
    }

    fn mask(&self, text: &str) -> String {
        match &self.pattern {
            Some(pattern) => pattern.replace_all(text, regex::NoExpand(MASK)).into_owned(),
            None => text.to_owned(),
        }
    }

    fn spans<'a>(&'a self, text: &'a str) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
        self.pattern.iter().flat_map(move |pattern| pattern.find_iter(text).map(|found| found.range()))
    }
}

/// The file that records the output.
struct Log {
    file: File,
    /// Bytes that it may have.
    most: u64,
    written: u64,
    /// Whether its last line says that there was more.
    is_cut: bool,
    /// The first error.
    fault: Option<io::Error>,
}

impl Log {
    fn is_full(&self) -> bool {
        self.written >= self.most
    }

    fn write(&mut self, text: &str) {
        if self.fault.is_some() || self.is_full() {
            return;
        }
        let room = usize::try_from(self.most - self.written).unwrap_or(usize::MAX);
        let fits = text::head_bytes(text, room);
        match self.file.write_all(fits.as_bytes()) {
            Ok(()) if fits.len() == text.len() => self.written += fits.len() as u64,
            Ok(()) => {
                self.written = self.most;
                self.say_cut();
            }
            Err(error) => self.fault = Some(error),
        }
    }

    /// Says, once, that more was printed than is recorded.
    fn say_cut(&mut self) {
        if self.is_cut || self.fault.is_some() {
            return;
        }
        self.is_cut = true;
        let last = format!("\n[the check printed more than {}; the rest was not recorded]\n", size(self.most));
        self.fault = self.file.write_all(last.as_bytes()).err();
    }

    fn finish(mut self) -> Option<io::Error> {
        if self.fault.is_none() {
            self.fault = self.file.flush().err();
        }
        self.fault
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    fn new(secrets: &[&str]) -> (Output, File) {
        let file = tempfile::tempfile().expect("a file");
        let secrets: Vec<String> = secrets.iter().map(|&secret| secret.to_owned()).collect();
        (Output::new(file.try_clone().expect("a second handle"), &secrets), file)
    }

    /// What is shown and what is in the log after these pieces.
    fn after(secrets: &[&str], pieces: &[&[u8]]) -> (String, String) {
        let (mut output, file) = new(secrets);
        for piece in pieces {
            output.take(piece);
        }
        (output.into_text(), text_of(file))
    }

    fn text_of(mut file: File) -> String {
        let mut text = String::new();
        file.rewind().expect("the beginning");
        file.read_to_string(&mut text).expect("text");
        text
    }

    #[test]
    fn what_is_short_is_shown_as_it_is() {
        let (shown, log) = after(&[], &[b"one\n", b"\ttwo\nthr", b"ee"]);
        assert_eq!(shown, "one\n\ttwo\nthree");
        assert_eq!(log, shown);
        assert_eq!(after(&[], &[]), (String::new(), String::new()));
    }

    #[test]
    fn nothing_reaches_a_terminal() {
        let printed =
            "\u{1b}]0;title\u{7}red \u{1b}[31mtext\u{1b}[0m\u{7}\r10%\r20%\r\n\u{202e}abc\u{9b}2Jd\u{0}\n".as_bytes();
        let (shown, log) = after(&[], &[printed]);
        assert_eq!(shown, "red text\n10%\n20%\nabcd\n");
        assert_eq!(log, shown);
    }

    /// However the output is cut into pieces, it comes out the same.
    #[test]
    fn pieces_make_no_difference() {
        let printed =
            "pässword-12 \u{1b}[1;31mpassw\u{1b}[0mord-1234\u{1b}]8;;http://x\u{1b}\\ end\u{2028}€uro\nlast".as_bytes();
        let whole = after(&["password-1234", "pässword-12"], &[printed]);
        assert_eq!(whole.0, format!("{MASK} {MASK} end\n€uro\nlast"));
        for length in 1..printed.len() {
            let pieces: Vec<&[u8]> = printed.chunks(length).collect();
            assert_eq!(after(&["password-1234", "pässword-12"], &pieces), whole, "in pieces of {length}");
        }
    }

    #[test]
    fn a_secret_is_masked_across_the_cuts_of_an_endless_line() {
        let secret = "correct-horse-battery";
        for before in LONGEST_LINE - LONGEST_SEQUENCE - 40..LONGEST_LINE - LONGEST_SEQUENCE + 3 {
            let mut printed = vec![b'x'; before];
            printed.extend_from_slice(secret.as_bytes());
            printed.resize(LONGEST_LINE * 2, b'y');
            let (_, log) = after(&[secret], &[&printed]);
            assert!(!log.contains("battery") && !log.contains("correct"), "{before}");
            assert_eq!(log.len(), printed.len() - secret.len() + MASK.len(), "{before}");
        }
    }

    #[test]
    fn an_escape_sequence_is_taken_out_across_the_cuts_of_an_endless_line() {
        for before in LONGEST_LINE - LONGEST_SEQUENCE - 12..LONGEST_LINE - LONGEST_SEQUENCE + 3 {
            let mut printed = vec![b'x'; before];
            printed.extend_from_slice(b"\x1b[38;5;12m");
            printed.resize(LONGEST_LINE * 2, b'y');
            let (_, log) = after(&[], &[&printed]);
            assert!(log.bytes().all(|byte| matches!(byte, b'x' | b'y')), "{before}");
        }
    }

    #[test]
    fn the_longer_of_two_secrets_is_masked_whole() {
        let (shown, _) = after(&["secret-one", "secret-one-and-more"], &[b"a secret-one-and-more b secret-one c"]);
        assert_eq!(shown, format!("a {MASK} b {MASK} c"));
    }

    #[test]
    fn tokens_of_known_form_are_masked_without_being_told() {
        let (shown, log) = after(&[], &[b"token npm_abcdefghijklmnopqrstuvwxyz0123456789 here\n"]);
        assert_eq!(shown, "token <masked by Baton: npm token> here\n");
        assert_eq!(log, shown);
    }

    #[test]
    fn of_much_the_beginning_and_the_end_are_shown() {
        let lines: Vec<String> = (0..20_000).map(|number| format!("line {number}\n")).collect();
        let printed = lines.concat();
        let (shown, log) = after(&[], &[printed.as_bytes()]);
        assert!(shown.starts_with("line 0\nline 1\n") && shown.ends_with("line 19998\nline 19999\n"));
        assert!(shown.len() < HEAD + TAIL + 100, "{}", shown.len());
        let left_out: Vec<&str> = shown.lines().filter(|line| line.contains("left out")).collect();
        assert_eq!(left_out, ["[... 171 KB left out here ...]"]);
        assert_eq!(log, printed, "the log has it all");
    }

    /// A gigabyte takes neither the memory nor the log, and its last line is still the last that is shown.
    #[test]
    fn a_gigabyte_is_no_more_than_its_ends() {
        let (mut output, file) = new(&["the-secret-value"]);
        let block = "0123456789abcde\n".repeat(1 << 16);
        output.take(b"first\n");
        for _ in 0..1_024 {
            output.take(block.as_bytes());
            let held = output.pending.capacity() + output.tail.capacity() + output.last.capacity();
            assert!(held < 4 << 20, "{held}");
        }
        output.take(b"the-secret-value\nthe end\n");
        let shown = output.into_text();
        assert!(shown.starts_with("first\n"));
        assert!(shown.ends_with(&format!("\n{MASK}\nthe end\n")), "{}", &shown[shown.len() - 80..]);
        assert!(shown.contains("[... 1.0 GB left out here ...]") || shown.contains("MB left out"));
        let log = text_of(file);
        assert!(log.len() as u64 > MAX_LOG && (log.len() as u64) < MAX_LOG + 100, "{}", log.len());
        assert!(log.ends_with("\n[the check printed more than 16 MB; the rest was not recorded]\n"));
    }

    /// Half of a secret may be the first that is kept of the end.
    #[test]
    fn a_log_that_is_full_to_its_last_byte_says_that_there_was_more() {
        for (extra, is_said) in [("", false), ("more\n", true)] {
            let (mut output, file) = new(&[]);
            output.log.most = 8;
            output.take(b"one\ntwo\n");
            output.take(extra.as_bytes());
            output.into_text();
            let log = text_of(file);
            assert!(log.starts_with("one\ntwo\n"), "{log}");
            assert_eq!(log.ends_with("the rest was not recorded]\n"), is_said, "{log}");
        }
    }

    #[test]
    fn no_part_of_a_secret_begins_the_end() {
        let secret = "never-to-be-seen-by-anyone";
        let (mut output, _) = new(&[secret]);
        output.log.most = 1 << 20;
        let block = secret.repeat((1 << 20) / secret.len());
        for _ in 0..3 {
            output.take(block.as_bytes());
        }
        let shown = output.into_text();
        for part in ["never", "anyone", "seen"] {
            assert!(!shown.replace(MASK, "").contains(part), "{part}: {}", &shown[shown.len() - 200..]);
        }
    }

    #[test]
    fn a_log_that_cannot_be_written_is_said() {
        let read_only = File::open("/dev/null").expect("a device");
        let mut output = Output::new(read_only, &[]);
        output.take(b"printed\n");
        let shown = output.into_text();
        assert!(shown.starts_with("printed\n\n[the log is not complete: "), "{shown}");
    }
}
