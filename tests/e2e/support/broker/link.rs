//! The link of one process to the broker: a proxy on loopback that knows the frames of the protocol, and does to them what a
//! test asks for.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::acks::Acks;
use super::frames::Frame;
use super::wire;

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    ToBroker,
    ToClient,
}

/// Which neighbouring messages change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subjects {
    Same,
    Different,
}

/// What can be wrong with a link. Several add up; [`Link::heal`] ends them all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trouble {
    /// Connections are closed, and new ones are closed as soon as they are made.
    Cut,
    /// Frames of this direction are lost; the connection stays open. TCP loses no part of what was said before: where a frame
    /// was lost without which the two no longer agree (a subscription, say), healing closes the connection.
    Drop(Way),
    /// Frames of this direction wait until it is healed, as they do while TCP sends them again.
    Hold(Way),
    /// Every frame takes so much longer, both ways.
    Delay(Duration),
    /// Messages are passed on twice, both ways, each with this chance.
    Double(f64),
    /// A message changes places with the next one where their subjects are so, both ways, each with this chance.
    Swap(Subjects, f64),
}

/// A link; dropped, it is cut.
pub struct Link {
    shared: Arc<Shared>,
    address: SocketAddr,
}

/// What the link's threads share.
pub(super) struct Shared {
    broker: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
    frames: AtomicUsize,
    turned_away: AtomicUsize,
    acks: Arc<Acks>,
}

#[derive(Debug)]
struct State {
    troubles: Vec<Trouble>,
    random: fastrand::Rng,
    /// Both ends of each open connection.
    connections: Vec<[TcpStream; 2]>,
    /// A frame was dropped that client and server must agree on.
    has_lost_agreement: bool,
    is_over: bool,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Lost,
    PassedOn { twice: bool },
}

impl Link {
    /// A link to the broker at this address, whose chances come from this seed.
    pub fn to(broker: SocketAddr, seed: u64, acks: Arc<Acks>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = State {
            troubles: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            connections: Vec::new(),
            has_lost_agreement: false,
            is_over: false,
        };
        let shared = Arc::new(Shared {
            broker,
            state: Mutex::new(state),
            changed: Condvar::new(),
            frames: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
            acks,
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.state().is_over {
                    return;
                }
                if let Ok(client) = client {
                    accepting.connect(client);
                }
            }
        });
        Self { shared, address }
    }

    /// Where its client connects to.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// From now on.
    pub fn begin(&self, trouble: Trouble) {
        let mut state = self.shared.state();
        state.troubles.push(trouble);
        if trouble == Trouble::Cut {
            state.close_all();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// All is well from now on.
    pub fn heal(&self) {
        let mut state = self.shared.state();
        state.troubles.clear();
        if std::mem::take(&mut state.has_lost_agreement) {
            state.close_all();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Close its connections; new ones are served.
    pub fn reset(&self) {
        self.shared.state().close_all();
    }

    /// How many clients found nobody behind the link.
    pub fn turned_away(&self) -> usize {
        self.shared.turned_away.load(Ordering::SeqCst)
    }

    /// Frames that have come, both ways.
    pub fn frames(&self) -> usize {
        self.shared.frames.load(Ordering::SeqCst)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_over = true;
        state.close_all();
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serve a client, unless it cannot be: it sees then that its connection is closed.
    fn connect(self: &Arc<Self>, client: TcpStream) {
        if self.state().has(Trouble::Cut) {
            return;
        }
        let Ok(broker) = TcpStream::connect(self.broker) else {
            self.turned_away.fetch_add(1, Ordering::SeqCst);
            return;
        };
        // Frames are passed on one by one: none is to wait for the other side's word on the one before.
        for end in [&client, &broker] {
            end.set_nodelay(true).expect("a stream");
        }
        let clone = |stream: &TcpStream| stream.try_clone().expect("a stream");
        let mut state = self.state();
        // It may have been cut meanwhile.
        if state.has(Trouble::Cut) || state.is_over {
            return;
        }
        state.connections.push([clone(&client), clone(&broker)]);
        drop(state);
        for (way, from, to) in [(Way::ToBroker, &client, &broker), (Way::ToClient, &broker, &client)] {
            wire::carry(Arc::clone(self), way, clone(from), clone(to));
        }
    }

    /// A frame has come in.
    pub(super) fn note(&self, way: Way, frame: &Frame) {
        self.frames.fetch_add(1, Ordering::SeqCst);
        match way {
            Way::ToBroker => self.acks.sent(frame),
            Way::ToClient => self.acks.came(frame),
        }
    }

    /// Wait as long as this direction is held.
    pub(super) fn wait_while_held(&self, way: Way) {
        let is_held = |state: &mut State| state.has(Trouble::Hold(way)) && !state.has(Trouble::Cut) && !state.is_over;
        drop(self.changed.wait_while(self.state(), is_held).unwrap_or_else(PoisonError::into_inner));
    }

    /// What becomes of a frame that is to be passed on now.
    pub(super) fn fate(&self, way: Way, frame: &Frame) -> Fate {
        let mut state = self.state();
        if state.has(Trouble::Drop(way)) {
            state.has_lost_agreement |= frame.is_agreement();
            return Fate::Lost;
        }
        let chances: Vec<f64> = state.troubles.iter().filter_map(Trouble::doubles).collect();
        let twice = frame.is_message() && chances.into_iter().any(|chance| state.random.f64() < chance);
        Fate::PassedOn { twice }
    }

    /// How the next message must differ from this one for the two to change places, where they are to.
    pub(super) fn swaps(&self, frame: &Frame) -> Option<Subjects> {
        if !frame.is_message() {
            return None;
        }
        let mut state = self.state();
        let wanted: Vec<(Subjects, f64)> = state.troubles.iter().filter_map(Trouble::swaps).collect();
        wanted.into_iter().find(|(_, chance)| state.random.f64() < *chance).map(|(subjects, _)| subjects)
    }

    /// How much longer a frame takes.
    pub(super) fn delay(&self) -> Duration {
        self.state().troubles.iter().filter_map(Trouble::delays).sum()
    }
}

impl State {
    fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    fn close_all(&mut self) {
        for connection in self.connections.drain(..) {
            for end in connection {
                // One that the other side has closed is closed.
                let _closed = end.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Trouble {
    fn doubles(&self) -> Option<f64> {
        if let Self::Double(chance) = self { Some(*chance) } else { None }
    }

    fn swaps(&self) -> Option<(Subjects, f64)> {
        if let Self::Swap(subjects, chance) = self { Some((*subjects, *chance)) } else { None }
    }

    fn delays(&self) -> Option<Duration> {
        if let Self::Delay(delay) = self { Some(*delay) } else { None }
    }
}
