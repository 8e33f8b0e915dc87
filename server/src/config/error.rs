//! What is wrong with settings, and where.

use std::fmt;

use crate::contracts::Position;

/// Where a value of a setting was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, the environment variable, the flag, or the editor setting.
    pub source: String,
    /// Line and column within a file.
    pub position: Option<Position>,
}

/// A setting that cannot be used as given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// Where it was given.
    pub place: Location,
    /// The setting, as a dotted key; empty where the fault is the file's.
    pub setting: String,
    /// What is wrong, and what would be right. Names the setting.
    pub message: String,
}

/// Everything wrong with the settings, layer by layer and in the order of each file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl Location {
    /// A place without lines: a variable, a flag, an editor setting.
    pub(super) fn named(source: impl Into<String>) -> Self {
        Self { source: source.into(), position: None }
    }

    /// The same source without the position.
    pub(super) fn whole(&self) -> Self {
        Self { source: self.source.clone(), position: None }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}:{position}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// `; did you mean x?`, or nothing when no candidate is near.
pub(super) fn closest<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    nearest(wrong, candidates, 1).first().map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}

/// The candidates that are near, nearest first, so many at most.
pub(super) fn nearest<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    const NEAR: f64 = 0.84;
    let wrong = wrong.to_lowercase().replace('-', "_");
    let near = |candidate: &str| {
        let last = candidate.rsplit('.').next().unwrap_or(candidate);
        let score = |known: &str| strsim::jaro_winkler(&wrong, &known.to_lowercase());
        score(candidate).max(score(last))
    };
    let mut scored: Vec<(f64, &str)> = candidates.map(|candidate| (near(candidate), candidate)).collect();
    scored.retain(|(score, _)| *score > NEAR);
    // Of equals the last one counts.
    scored.reverse();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(most).map(|(_, candidate)| candidate).collect()
}
