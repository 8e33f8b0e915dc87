//! One direction of a connection of a link: frames in, and out again as the link wants.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::frames::{Frame, Frames};
use super::link::{Fate, Shared, Subjects, Way};

/// How long a message waits for the next one, to change places with it.
const NEXT_COMES: Duration = Duration::from_millis(300);

/// A frame, and when it came.
type Came = (Instant, Frame);

/// Carry what comes from one end to the other, in threads of their own, until either end is closed.
pub(super) fn carry(link: Arc<Shared>, way: Way, mut from: TcpStream, mut to: TcpStream) {
    let (sender, receiver) = mpsc::channel::<Came>();
    let noting = Arc::clone(&link);
    thread::spawn(move || {
        let mut frames = Frames::default();
        let mut piece = vec![0; 64 << 10];
        while let Ok(length) = from.read(&mut piece) {
            if length == 0 {
                break;
            }
            let found = frames.push(&piece[..length]).unwrap_or_else(|fault| panic!("{way:?}: {fault}"));
            for frame in found {
                noting.note(way, &frame);
                // The other end has gone: what follows is lost with it.
                let _gone = sender.send((Instant::now(), frame));
            }
        }
    });
    thread::spawn(move || {
        // Whoever has gone, the other end is to see it.
        let _gone = pass_on(&link, way, &receiver, &mut to);
        let _closed = to.shutdown(Shutdown::Both);
    });
}

fn pass_on(link: &Shared, way: Way, came: &Receiver<Came>, to: &mut TcpStream) -> io::Result<()> {
    let mut waiting: Option<(Frame, Subjects)> = None;
    loop {
        let next = match &waiting {
            Some(_) => came.recv_timeout(NEXT_COMES),
            None => came.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let (at, frame) = match next {
            Ok(next) => next,
            Err(reason) => {
                if let Some((frame, _)) = waiting.take() {
                    send(link, way, &frame, to)?;
                }
                match reason {
                    RecvTimeoutError::Timeout => continue,
                    RecvTimeoutError::Disconnected => return Ok(()),
                }
            }
        };
        thread::sleep((at + link.delay()).saturating_duration_since(Instant::now()));
        match waiting.take() {
            Some((first, wanted)) if change_places(&first, &frame, wanted) => {
                send(link, way, &frame, to)?;
                send(link, way, &first, to)?;
            }
            Some((first, _)) => {
                send(link, way, &first, to)?;
                send(link, way, &frame, to)?;
            }
            None => match link.swaps(&frame) {
                Some(wanted) => waiting = Some((frame, wanted)),
                None => send(link, way, &frame, to)?,
            },
        }
    }
}

/// Only messages do: what client and server say to each other about the connection has its order.
fn change_places(first: &Frame, second: &Frame, wanted: Subjects) -> bool {
    second.is_message() && (first.subject() == second.subject()) == (wanted == Subjects::Same)
}

fn send(link: &Shared, way: Way, frame: &Frame, to: &mut TcpStream) -> io::Result<()> {
    link.wait_while_held(way);
    match link.fate(way, frame) {
        Fate::Lost => Ok(()),
        Fate::PassedOn { twice } => {
            to.write_all(&frame.bytes)?;
            if twice { to.write_all(&frame.bytes) } else { Ok(()) }
        }
    }
}
