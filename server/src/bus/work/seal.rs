//! The key that coordinator and workers share, and what is sealed with it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::fault::BrokerFault;
use super::hex::{hex, unhex};

/// The header of a seal: a number used once, and the MAC.
pub(super) const HEADER: &str = "Baton-Mac";
/// Begins what is sealed; with the version of this protocol.
const DOMAIN: &str = "baton bus, protocol 1";
/// As many as a hash has: whoever reads what is sealed may try keys as fast as their machine can.
const MIN_KEY_BYTES: usize = 32;

/// The key that coordinator and workers share. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct BusKey(Hmac<Sha256>);

impl BusKey {
    /// A key of a text, spaces around it left out.
    ///
    /// # Errors
    /// When it is too short; says how to make one.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let short =
            || format!("the key of a bus has {MIN_KEY_BYTES} characters or more: make one with `openssl rand -hex 32`");
        if text.len() < MIN_KEY_BYTES {
            return Err(short());
        }
        Hmac::new_from_slice(text.as_bytes()).map(Self).map_err(|_| short())
    }
}

impl fmt::Debug for BusKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BusKey(..)")
    }
}

/// What a message is for: one kind is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Job,
    Entry,
    Worker,
    Signal,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Entry => "entry",
            Self::Worker => "worker",
            Self::Signal => "signal",
        }
    }
}

/// What is sealed of a message: what it says, and where and when it is valid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sealed<'a> {
    pub(super) kind: Kind,
    /// The subject that it stands on.
    pub(super) subject: &'a str,
    /// Its place there: the sequence of the entry before it, or its id.
    pub(super) place: &'a str,
    /// The stream that it stands in, as that was made.
    pub(super) incarnation: &'a str,
    /// The SHA-256 of its body, in hexadecimal.
    pub(super) sha256: &'a str,
}

impl Sealed<'_> {
    /// The seal as the value of the header; no two are the same.
    pub(super) fn seal(&self, key: &BusKey) -> Result<String, BrokerFault> {
        let mut once = [0; 16];
        getrandom::fill(&mut once).map_err(|error| BrokerFault::other(error.to_string()))?;
        let once = hex(&once);
        let mac = self.mac(key, &once).finalize().into_bytes();
        Ok(format!("{once}.{}", hex(&mac)))
    }

    /// Whether a value of the header seals this, in constant time.
    pub(super) fn is_sealed_by(&self, key: &BusKey, header: &str) -> bool {
        let Some((once, mac)) = header.split_once('.') else { return false };
        unhex(mac).is_some_and(|mac| self.mac(key, once).verify_slice(&mac).is_ok())
    }

    fn mac(&self, key: &BusKey, once: &str) -> Hmac<Sha256> {
        let mut mac = key.0.clone();
        for part in [DOMAIN, self.kind.word(), self.subject, self.place, self.incarnation, once, self.sha256] {
            // With its length, so that no two lists of parts are the same bytes.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::super::hex::sha256;
    use super::*;

    fn key(text: &str) -> BusKey {
        BusKey::new(text).unwrap()
    }

    #[test]
    fn a_key_is_long_enough_and_never_shown() {
        let error = BusKey::new(&format!(" {} ", "x".repeat(31))).unwrap_err();
        assert!(error.contains("32 characters or more") && error.contains("openssl rand -hex 32"), "{error}");
        assert_eq!(format!("{:?}", key(&"0123456789abcdef".repeat(2))), "BusKey(..)");
    }

    #[test]
    fn a_seal_holds_for_nothing_but_what_was_sealed() {
        let (mine, other) = (key(&"0123456789abcdef".repeat(2)), key(&"0123456789abcdeg".repeat(2)));
        let (body, altered) = (sha256(b"body"), sha256(b"bodx"));
        let sealed =
            Sealed { kind: Kind::Entry, subject: "baton.work.w.j", place: "4", incarnation: "17", sha256: &body };
        let header = sealed.seal(&mine).unwrap();
        assert!(sealed.is_sealed_by(&mine, &header));
        assert!(!sealed.is_sealed_by(&other, &header));
        for changed in [
            Sealed { kind: Kind::Job, ..sealed },
            Sealed { subject: "baton.work.w.k", ..sealed },
            Sealed { place: "5", ..sealed },
            Sealed { incarnation: "18", ..sealed },
            Sealed { sha256: &altered, ..sealed },
            // The same bytes, divided in another way.
            Sealed { place: "41", incarnation: "7", ..sealed },
        ] {
            assert!(!changed.is_sealed_by(&mine, &header), "{changed:?}");
        }
    }

    #[test]
    fn a_seal_that_is_altered_or_cut_does_not_verify() {
        let (key, body) = (key(&"0123456789abcdef".repeat(2)), sha256(b""));
        let sealed = Sealed { kind: Kind::Signal, subject: "s", place: "", incarnation: "1", sha256: &body };
        let header = sealed.seal(&key).unwrap();
        for at in 0..header.len() {
            let mut altered = header.clone().into_bytes();
            altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
            assert!(!sealed.is_sealed_by(&key, std::str::from_utf8(&altered).unwrap()), "{at}");
            assert!(!sealed.is_sealed_by(&key, &header[..at]), "{at}");
        }
    }

    #[test]
    fn the_same_thing_is_never_sealed_the_same_way_twice() {
        let (key, body) = (key(&"0123456789abcdef".repeat(2)), sha256(b""));
        let sealed = Sealed { kind: Kind::Entry, subject: "s", place: "0", incarnation: "1", sha256: &body };
        assert_ne!(sealed.seal(&key).unwrap(), sealed.seal(&key).unwrap());
    }
}
