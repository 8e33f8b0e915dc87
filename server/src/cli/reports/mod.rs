//! What is told of a run's end to other programs, in files that the user names: SARIF, reviewdog's format, annotations and
//! a Markdown summary.
//!
//! Invariants: a file that cannot be written stops the run before it begins; every end writes every report, and one without
//! a review an empty one that says why; a model's words are text in each format, never its syntax.

mod annotations;
mod baseline;
mod findings;
mod markdown;
#[expect(clippy::disallowed_methods, reason = "the user names files, which may be anywhere")]
mod out_file;
mod rdjsonl;
mod sarif;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub(super) use self::baseline::Baseline;
pub(super) use self::findings::Ending;
use self::out_file::OutFile;
use self::sarif::Origin;
use super::failure::Failure;
use super::output::print_bytes;
use super::report_args::ReportArgs;
use crate::config;

/// The reports that were asked for.
pub(super) struct Reports {
    sarif: Option<OutFile>,
    rdjsonl: Option<OutFile>,
    annotations: bool,
    summary: Option<OutFile>,
    started: Timestamp,
    root: Option<PathBuf>,
    is_written: bool,
}

impl Reports {
    /// Find out whether all of them can be written.
    ///
    /// # Errors
    /// Wrong usage: a file cannot be written, or two things would go to the same place.
    pub(super) fn open(args: &ReportArgs, is_json: bool) -> Result<Self, Failure> {
        let replace = |path: &Option<PathBuf>| path.as_deref().map(OutFile::to_replace).transpose();
        let named: Vec<&PathBuf> = [&args.sarif, &args.rdjsonl, &args.summary].into_iter().flatten().collect();
        if let Some(twice) = named.iter().enumerate().find_map(|(at, path)| named[..at].contains(path).then_some(path))
        {
            return Err(Failure::usage(format!("{} is named for two reports; name a file for each", twice.display())));
        }
        let reports = Self {
            sarif: replace(&args.sarif)?,
            rdjsonl: replace(&args.rdjsonl)?,
            annotations: args.annotations,
            summary: args.summary.as_deref().map(OutFile::to_append).transpose()?,
            started: Timestamp::now(),
            root: None,
            is_written: false,
        };
        if reports.takes_standard_output() && (is_json || args.annotations) {
            let flag = if is_json { "--json" } else { "--annotations" };
            return Err(Failure::usage(format!("{flag} prints to standard output; name a file for the report")));
        }
        Ok(reports)
    }

    /// Whether a report goes to standard output, so that what is for people must not.
    pub(super) fn takes_standard_output(&self) -> bool {
        [&self.sarif, &self.rdjsonl].into_iter().flatten().any(OutFile::is_standard_output)
    }

    /// Say where the workspace is.
    pub(super) fn set_root(&mut self, root: &Path) {
        self.root = Some(root.to_owned());
    }

    /// Write them all.
    ///
    /// # Errors
    /// When one cannot be written; the others are.
    pub(super) fn write(&mut self, ending: &Ending) -> Result<(), Failure> {
        self.is_written = true;
        let origin = Origin { started: self.started, root: self.root.as_deref() };
        let mut done = Vec::new();
        if let Some(file) = &mut self.sarif {
            done.push(sarif::sarif(ending, &origin, Timestamp::now()).and_then(|log| file.write(&log)));
        }
        if let Some(file) = &mut self.rdjsonl {
            done.push(file.write(&rdjsonl::rdjsonl(ending)));
        }
        if let Some(file) = &mut self.summary {
            done.push(file.write(&markdown::summary(ending)));
        }
        if self.annotations {
            let folder = folder_in_repository(self.root.as_deref());
            done.push(print_bytes(annotations::annotations(ending, &folder).as_bytes()));
        }
        // A reader that has left is no reason to hide that a file could not be written.
        let (mut quiet, mut failed) = (None, None);
        for failure in done.into_iter().filter_map(Result::err) {
            (if failure.is_quiet() { &mut quiet } else { &mut failed }).get_or_insert(failure);
        }
        failed.or(quiet).map_or(Ok(()), Err)
    }

    /// Write them, unless that is done, where the run did not come to an end of its own: without a review, and with the
    /// reason.
    pub(super) fn also_of_failure(&mut self, done: Result<u8, Failure>) -> Result<u8, Failure> {
        if let Err(failure) = &done
            && !failure.is_quiet()
            && !self.is_written
        {
            let ending = Ending { exit_code: failure.code, message: failure.message.clone(), ..Ending::default() };
            // Why it failed is told in any case, and comes first.
            let _ = self.write(&ending);
        }
        done
    }
}

/// Where the workspace lies in the repository that a job of GitHub Actions has checked out, `sub/folder/`: annotations name
/// files from there. Empty where it is the repository, or outside of it.
fn folder_in_repository(root: Option<&Path>) -> String {
    let below = |root: &Path| {
        let repository = config::variable("GITHUB_WORKSPACE")?;
        let below = root.strip_prefix(repository).ok()?.to_str()?.to_owned();
        (!below.is_empty()).then(|| format!("{below}/"))
    };
    root.and_then(below).unwrap_or_default()
}
