//! Run ids, which sort by time.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

/// How far an id may be ahead of the clock and still be accepted: a clock is off by hours where two systems on one
/// machine disagree on its time zone, and by less where it is corrected over the network.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// The id of a run: when it started (UTC) and a few random digits. Ids sort by time.
///
/// It names a folder and serves as the progress token, so it holds only digits, lower-case letters and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// Creates an id that sorts after `newest`, whatever the clock says.
    pub fn new(now: Timestamp, newest: Option<&Self>) -> Self {
        let own = stamp(now);
        // The clock was set back, or two runs began within one second.
        let later = newest.filter(|newest| newest.0[..own.len()] >= *own).and_then(|newest| newest.started());
        let stamp = later.map_or(own, |newest| stamp(newest.checked_add(SignedDuration::from_secs(1)).unwrap_or(now)));
        Self(format!("{stamp}-{:04x}", fastrand::u16(..)))
    }

    /// Parses the name of a run folder; `None` for any other text, and for an invalid time.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 20
            && bytes.iter().enumerate().all(|(index, byte)| match index {
                8 | 15 => *byte == b'-',
                16.. => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
                _ => byte.is_ascii_digit(),
            });
        let id = shaped.then(|| Self(text.to_owned()))?;
        // The largest time leaves no room for another run.
        let is_possible = id.time().is_ok_and(|at| at >= Timestamp::UNIX_EPOCH && at.checked_add(AHEAD).is_ok());
        is_possible.then_some(id)
    }

    /// Whether its time is so far ahead that no roughly correct clock has made it.
    pub fn is_ahead_of(&self, now: Timestamp) -> bool {
        let Ok(latest) = now.checked_add(AHEAD) else { return false };
        self.time().is_ok_and(|at| at > latest)
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When it started, by its name.
    pub fn started(&self) -> Option<Timestamp> {
        self.time().ok()
    }

    fn time(&self) -> Result<Timestamp, jiff::Error> {
        let bytes = self.0.as_bytes();
        let number =
            |at: std::ops::Range<usize>| bytes[at].iter().fold(0, |sum, byte| sum * 10 + i16::from(byte - b'0'));
        let [month, day, hour, minute, second] =
            [4..6, 6..8, 9..11, 11..13, 13..15].map(|at| i8::try_from(number(at)).unwrap_or_default());
        let at = civil::DateTime::new(number(0..4), month, day, hour, minute, second, 0)?;
        Ok(at.to_zoned(TimeZone::UTC)?.timestamp())
    }
}

fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string()
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-01-02T12:00:00Z".parse().unwrap()
    }

    fn id(text: &str) -> RunId {
        RunId::parse(text).unwrap()
    }

    #[test]
    fn ids_sort_by_start_even_when_the_clock_goes_back() {
        let first = RunId::new(noon(), None);
        assert!(first.as_str().starts_with("20260102-120000-"));
        let second = RunId::new(noon() - SignedDuration::from_hours(1), Some(&first));
        assert!(second.as_str().starts_with("20260102-120001-"), "{second}");
        let third = RunId::new(noon(), Some(&second));
        assert!(third.as_str().starts_with("20260102-120002-"), "{third}");
        let later = RunId::new(noon() + SignedDuration::from_hours(1), Some(&third));
        assert!(later.as_str().starts_with("20260102-130000-"), "{later}");
    }

    #[test]
    fn an_id_far_ahead_takes_one_step_too() {
        let far = id("99981231-235959-ffff");
        assert!(RunId::new(noon(), Some(&far)).as_str().starts_with("99990101-000000-"));
    }

    #[test]
    fn only_ids_parse() {
        let epoch = RunId::new(Timestamp::UNIX_EPOCH, None);
        assert_eq!(RunId::parse(epoch.as_str()), Some(epoch));
        for text in ["", "..", "20260102-120000-zzzz", "20260102-120000-00", "2026010212000000-aaa"] {
            assert_eq!(RunId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn times_that_there_are_not_are_no_ids() {
        for stamp in [
            "99991231-235959",
            "00000101-000000",
            "19691231-235959",
            "20260229-120000",
            "20261301-120000",
            "20260100-120000",
            "20260102-240000",
            "20260102-126000",
            "20260102-120061",
            "99999999-999999",
        ] {
            assert_eq!(RunId::parse(&format!("{stamp}-ffff")), None, "{stamp}");
        }
    }

    #[test]
    fn a_clock_that_was_hours_off_makes_ids_that_count() {
        for (text, is_ahead) in
            [("20260102-120000-0000", false), ("20260103-120000-0000", false), ("20260103-120001-0000", true)]
        {
            assert_eq!(id(text).is_ahead_of(noon()), is_ahead, "{text}");
        }
        assert!(id("99981231-235959-ffff").is_ahead_of(noon()));
    }
}
