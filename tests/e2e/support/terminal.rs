//! A terminal with a person at it: the screen and the keyboard.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::session::{Baton, Running};

/// How long what is typed takes to be shown, where it is.
const SOON: Duration = Duration::from_secs(2);

/// How long a test waits for what must appear.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer to a program that asks where the cursor is: in the first column, as far down as there is room above.
const AT_THE_LEFT: &[u8] = b"\x1b[20;1R";

/// What is below the cursor is cleared: live rows are drawn from here on.
const DRAWS: &[u8] = b"\x1b[J";

/// The person's end of a pseudo-terminal, 100 columns wide unless another width is asked for.
pub struct Terminal {
    keyboard: File,
    path: std::path::PathBuf,
    screen: Arc<Screen>,
    /// Of what was shown, without colours, how much a test has looked at.
    seen: usize,
    /// Reads what is shown, until the program and all that it started have ended.
    eye: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Screen {
    shown: Mutex<Vec<u8>>,
    news: Condvar,
}

impl Terminal {
    /// A new terminal.
    pub fn new() -> Self {
        Self::of_columns(100)
    }

    /// One of another width.
    pub fn of_columns(columns: u16) -> Self {
        Self::sized(40, columns)
    }

    /// One of another size.
    pub fn sized(rows: u16, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("a pseudo-terminal");
        unlockpt(&master).expect("a pseudo-terminal");
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("UTF-8");
        let keyboard = File::from(master);
        Self { keyboard, path: name.into(), screen: Arc::default(), seen: 0, eye: None }
    }

    /// Start a program here: its standard input, output and error.
    pub fn start(&mut self, baton: Baton) -> Running {
        let stream = || Stdio::from(self.open());
        let running =
            baton.env("TERM", "xterm-256color").env("PAGER", "cat").streams(stream(), stream(), stream()).start();
        let mut eye = self.keyboard.try_clone().expect("a handle");
        let mut answers = self.keyboard.try_clone().expect("a handle");
        let screen = self.screen.clone();
        self.eye = Some(thread::spawn(move || {
            let mut bytes = [0; 4096];
            // When the program ends the terminal hangs up, which is an error to the reader.
            while let Ok(length @ 1..) = eye.read(&mut bytes) {
                let mut shown = screen.shown.lock().unwrap();
                let asked = questions(&shown);
                shown.extend_from_slice(&bytes[..length]);
                for _ in asked..questions(&shown) {
                    // A program that has ended needs no answer.
                    let _ = answers.write_all(AT_THE_LEFT);
                }
                drop(shown);
                screen.news.notify_all();
            }
        }));
        running
    }

    /// Type a line and press Enter.
    pub fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).expect("a terminal");
        if !line.is_empty() {
            self.look_past(&format!("{line}\n"));
        }
    }

    /// Look past what was typed, with which a prompt may have been drawn again, where that is shown at all.
    fn look_past(&mut self, typed: &str) {
        let seen = self.seen;
        let end = |shown: &[u8]| {
            let text = plain(shown);
            text.get(seen..).and_then(|text| text.find(typed)).map(|at| seen + at + typed.len())
        };
        let shown = self.screen.shown.lock().unwrap();
        let is_missing = |shown: &mut Vec<u8>| end(shown).is_none();
        let (shown, _) = self.screen.news.wait_timeout_while(shown, SOON, is_missing).unwrap();
        self.seen = end(&shown).unwrap_or(seen);
    }

    /// Press these keys.
    pub fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Give it another size, which the program is told.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard, size).expect("a size");
    }

    /// Wait until live rows were drawn again three times, so that the second time began after this call and came to its end.
    #[track_caller]
    pub fn wait_for_drawing(&mut self) {
        let drawn = |shown: &[u8]| shown.windows(DRAWS.len()).filter(|window| *window == DRAWS).count();
        let shown = self.screen.shown.lock().unwrap();
        let before = drawn(&shown);
        let (shown, waited) =
            self.screen.news.wait_timeout_while(shown, PATIENCE, |shown| drawn(shown) < before + 3).unwrap();
        assert!(!waited.timed_out(), "nothing is drawn:\n{}", plain(&shown));
    }

    /// Press a key.
    pub fn press(&mut self, key: u8) {
        self.keyboard.write_all(&[key]).expect("a terminal");
    }

    /// Wait until this is shown, after all that was looked at before. What is shown up to its end is returned, without
    /// colours and the like.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) -> String {
        let seen = self.seen;
        // A sequence that came only in part changes nothing before it, so that what was seen keeps its place.
        let find = |shown: &[u8]| {
            let text = plain(shown);
            let at = text.get(seen..)?.find(words)?;
            Some(text[seen..seen + at + words.len()].to_owned())
        };
        let shown = self.screen.shown.lock().unwrap();
        let missing = |shown: &mut Vec<u8>| find(shown).is_none();
        let (shown, _) = self.screen.news.wait_timeout_while(shown, PATIENCE, missing).unwrap();
        let Some(text) = find(&shown) else {
            let text = plain(&shown);
            panic!("{words:?} is not shown:\n{}", text.get(seen..).unwrap_or(&text));
        };
        self.seen += text.len();
        text
    }

    /// Every byte that was shown so far, colours and the like included.
    pub fn shown(&self) -> Vec<u8> {
        self.screen.shown.lock().unwrap().clone()
    }

    /// The same up to where live rows were last begun to be drawn, so that those before them are whole.
    pub fn shown_whole(&self) -> Vec<u8> {
        let mut shown = self.shown();
        let last = shown.windows(DRAWS.len()).rposition(|window| window == DRAWS);
        shown.truncate(last.unwrap_or(shown.len()));
        shown
    }

    /// Every byte that was shown once the program has ended, and the terminal was read to its end.
    pub fn shown_at_end(&mut self) -> Vec<u8> {
        if let Some(eye) = self.eye.take() {
            eye.join().expect("it was read");
        }
        self.shown()
    }

    fn open(&self) -> File {
        let mut options = OpenOptions::new();
        let no_controlling = rustix::fs::OFlags::NOCTTY.bits();
        options.read(true).write(true).custom_flags(i32::try_from(no_controlling).expect("a flag"));
        options.open(&self.path).expect("the other end")
    }
}

/// How often a program has asked where the cursor is.
fn questions(shown: &[u8]) -> usize {
    shown.windows(4).filter(|window| window == b"\x1b[6n").count()
}

fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace('\r', "");
    console::strip_ansi_codes(&text).into_owned()
}
