use super::fault::Fault;
use crate::contracts::Usage;

/// Whether more is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::models) enum Step {
    More,
    Done,
}

/// An answer that is put together from the pieces of a stream.
pub(in crate::models) trait Incoming: Send {
    /// The request has so many bytes.
    fn sent(&mut self, bytes: usize);

    /// Take in one event: its own name, where it has one, and its data. What is not known is passed over.
    fn take(&mut self, name: Option<&str>, data: &str) -> Result<Step, Fault>;

    /// Take in an answer that came as one JSON text though a stream was asked for.
    fn take_whole(&mut self, _body: &str) -> Result<(), Fault> {
        Err(Fault::Form("no event stream: it is application/json".to_owned()))
    }

    /// The stream ended before the answer said that it is done.
    fn end(&mut self) -> Result<(), Fault> {
        Err(Fault::Cut)
    }

    /// A number that rises whenever something new of the answer came. Pings, empty pieces and what was reported before are
    /// nothing new.
    fn news(&self) -> u64;

    /// Characters of text and tool input so far.
    fn characters(&self) -> usize;

    /// What it has cost so far, should it break off: nothing where nothing of it came.
    fn usage(&self) -> Usage;
}
