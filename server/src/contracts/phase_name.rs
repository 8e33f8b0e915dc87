use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Characters of a name.
const LONGEST: usize = 32;
/// Names that may be read in one process: a journal from elsewhere may hold any number of them.
const MOST_NAMES: usize = 4_096;

/// The name of a phase: its word in commands, events, file names of prompts and labels of agents.
///
/// It matches `[a-z][a-z0-9-]{0,31}`. Two names with the same text are the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhaseName(&'static str);

impl PhaseName {
    /// The name of a phase that is part of the program.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// A name that was read. It is kept for as long as the process lives, once.
    ///
    /// # Errors
    /// When the text cannot be the name of a phase; the message says what one looks like.
    pub fn read(text: &str) -> Result<Self, String> {
        static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let begins_well = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins_well || text.len() > LONGEST || !text.chars().all(is_plain) {
            return Err(format!(
                "the name of a phase is a lower-case letter, then at most {} of a-z, 0-9 and -",
                LONGEST - 1
            ));
        }
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(text) {
            return Ok(Self(known));
        }
        if names.len() >= MOST_NAMES {
            return Err("there are too many names of phases".to_owned());
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        names.insert(kept);
        Ok(Self(kept))
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl Serialize for PhaseName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for PhaseName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_read_is_the_same_as_one_of_the_program() {
        assert_eq!(PhaseName::read("review"), Ok(PhaseName::new("review")));
        assert_eq!(serde_json::from_str::<PhaseName>("\"review\"").unwrap(), PhaseName::new("review"));
        assert_eq!(serde_json::to_string(&PhaseName::new("review")).unwrap(), "\"review\"");
        assert!(std::ptr::eq(
            PhaseName::read("further-1").unwrap().as_str(),
            PhaseName::read("further-1").unwrap().as_str()
        ));
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        let long = "a".repeat(33);
        for text in ["", "Review", "1st", "-a", "a_b", "a b", "ä", "a/b", "\u{202e}a", long.as_str()] {
            assert!(PhaseName::read(text).is_err(), "{text:?}");
        }
        assert!(PhaseName::read(&long[..32]).is_ok());
    }
}
