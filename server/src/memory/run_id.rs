use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The id of a run: when it started (UTC) and a few random digits. Ids sort by time.
///
/// It names a folder and serves as the progress token, so it holds only digits, lower-case letters and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// A new id that sorts after `newest`, whatever the clock says.
    pub fn new(now: Timestamp, newest: Option<&str>) -> Self {
        let mut at = now;
        loop {
            let stamp = at.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string();
            let id = format!("{stamp}-{:04x}", fastrand::u16(..));
            if newest.is_none_or(|newest| id.as_str() > newest) {
                return Self(id);
            }
            // The clock was set back, or two runs began within one second.
            let Ok(later) = at.checked_add(jiff::SignedDuration::from_secs(1)) else { return Self(id) };
            at = later;
        }
    }

    /// Read an id as it names a folder; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 20
            && bytes.iter().enumerate().all(|(index, byte)| match index {
                8 | 15 => *byte == b'-',
                16.. => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
                _ => byte.is_ascii_digit(),
            });
        shaped.then(|| Self(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_start_even_when_the_clock_goes_back() {
        let noon: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
        let first = RunId::new(noon, None);
        let second = RunId::new(noon - jiff::SignedDuration::from_hours(1), Some(first.as_str()));
        assert!(second > first.clone() || first.as_str() < second.as_str());
        assert!(first.as_str().starts_with("20260102-120000-"));
    }

    #[test]
    fn only_ids_parse() {
        let id = RunId::new(Timestamp::UNIX_EPOCH, None);
        assert_eq!(RunId::parse(id.as_str()), Some(id));
        for text in ["", "..", "20260102-120000-zzzz", "20260102-120000-00", "2026010212000000-aaa"] {
            assert_eq!(RunId::parse(text), None, "{text:?}");
        }
    }
}
