//! Checks in the folders of runs: a log for each, and a sealed record of what the server itself saw. Without its record a
//! result in a report is anyone's word.

use std::collections::BTreeMap;
use std::io;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::OpenOptions;
use serde::{Deserialize, Serialize};

use super::handle::Store;
use super::load::Memory;
use crate::contracts::{BaseState, CheckResult, CheckState, Handoff, ImplReport, RepoPath};
use crate::memory::error::MemoryError;
use crate::memory::files::RUNS;
use crate::memory::platform::{private_file, private_folder};
use crate::memory::run_id::RunId;
use crate::workspace;

/// In the folder of a run.
const CHECKS: &str = "checks";
/// What the seal of a record is for.
const KIND: &str = "check";
/// The largest record that is read, in bytes: the output in it is bounded.
const MOST_BYTES: u64 = 1024 * 1024;

/// The workflow's files as a check saw them: the SHA-256 of each, in hex, `None` of one that was not there.
pub type CheckedFiles = BTreeMap<RepoPath, Option<String>>;

/// A result as it was recorded.
#[derive(Serialize, Deserialize)]
struct Record {
    name: String,
    command: String,
    state: CheckState,
    exit_code: Option<i32>,
    base: Option<BaseState>,
    /// The beginning and the end of what the check printed.
    output: String,
    /// Empty in records of before it was kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    files: CheckedFiles,
    #[serde(default)]
    mac: String,
}

impl Record {
    fn signed_content(&self) -> io::Result<Vec<u8>> {
        let Self { name, command, state, exit_code, base, output, files, .. } = self;
        let content = (name, command, state, exit_code, base, output);
        Ok(if files.is_empty() { serde_json::to_vec(&content)? } else { serde_json::to_vec(&(content, files))? })
    }

    fn is_of(&self, result: &CheckResult) -> bool {
        let CheckResult { name, command, state, exit_code, base, .. } = result;
        (&self.name, &self.command, &self.state, &self.exit_code, &self.base) == (name, command, state, exit_code, base)
    }
}

impl Store {
    /// Creates the log of a check, `checks/<n>-<name>.log` in the folder of a run. Returns it with its path from the memory
    /// folder. `name` is valid on every file system.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create_check_log(&self, run: &RunId, n: u32, name: &str) -> Result<(std::fs::File, String), MemoryError> {
        let (file, path) = (format!("{n}-{name}.log"), format!("{RUNS}/{run}/{CHECKS}/{n}-{name}.log"));
        let folder = self.run_folder(run)?;
        let create = || -> io::Result<std::fs::File> {
            match folder.create_dir_with(CHECKS, &private_folder()) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let checks = workspace::find_folder(&folder, CHECKS)?.ok_or(io::ErrorKind::NotFound)?;
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).follow(FollowSymlinks::No);
            Ok(checks.open_with(&file, private_file(&mut options))?.into_std())
        };
        create().map(|log| (log, path.clone())).map_err(|source| self.file_error("write", &path, source))
    }

    /// Records what a check said, beside its log, with the beginning and the end of its output and the files it saw.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record_check(&self, result: &CheckResult, output: &str, files: CheckedFiles) -> Result<(), MemoryError> {
        let CheckResult { name, command, state, exit_code, base, .. } = result.clone();
        let (output, mac) = (output.to_owned(), String::new());
        let mut record = Record { name, command, state, exit_code, base, output, files, mac };
        let file = record_file(&result.log)
            .ok_or_else(|| self.file_error("write", &result.log, io::Error::other("it is no log of a check")))?;
        let failed = |source: io::Error| self.file_error("write", &file, source);
        record.mac = self.seal().sign(KIND, &record.signed_content().map_err(failed)?);
        let mut bytes = serde_json::to_vec_pretty(&record).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        self.replace(&file, &bytes, 0o600)
    }

    /// Whether a result is what the server itself saw, or one that was skipped, which claims nothing.
    pub fn is_check_confirmed(&self, result: &CheckResult) -> bool {
        result.state == CheckState::Skipped || self.record_of(result).is_some()
    }

    /// Leaves of a report's checks only the [confirmed](Self::is_check_confirmed) ones: what nobody here saw is not shown.
    pub fn forget_unconfirmed_checks(&self, memory: &mut Memory) {
        if let Some(report) = &mut memory.report {
            report.checks.retain(|check| self.is_check_confirmed(check));
        }
    }

    /// The beginning and the end of what a check printed; `None` where that is not recorded. Untrusted, as any output.
    pub fn check_output(&self, result: &CheckResult) -> Option<String> {
        self.record_of(result).map(|record| record.output)
    }

    /// The workflow's files as a check saw them; none where that is not recorded.
    pub fn checked_files(&self, result: &CheckResult) -> CheckedFiles {
        self.record_of(result).map(|record| record.files).unwrap_or_default()
    }

    /// How a check ends on the files as they were before the workflow, as an earlier round found out.
    pub fn known_base(&self, name: &str, command: &str) -> Option<BaseState> {
        let past = self.past().ok()?;
        let entries = past.entries.iter().rev();
        let mut reports = entries.filter_map(|entry| self.set_aside_handoff::<ImplReport>(entry, ImplReport::FILE));
        let known = |report: ImplReport| {
            let found = report.checks.into_iter().find(|check| check.name == name && check.command == command)?;
            let is_known = matches!(found.base, Some(BaseState::Passed | BaseState::Failed));
            found.base.filter(|_| is_known && self.is_check_confirmed(&found))
        };
        reports.find_map(known)
    }

    fn record_of(&self, result: &CheckResult) -> Option<Record> {
        let bytes = self.read(&record_file(&result.log)?, MOST_BYTES).ok()??;
        let record: Record = serde_json::from_slice(&bytes).ok()?;
        let is_genuine = self.seal().verify(KIND, &record.signed_content().ok()?, &record.mac);
        (is_genuine && record.is_of(result)).then_some(record)
    }
}

/// The record beside a log, which a report from elsewhere may name anywhere.
fn record_file(log: &str) -> Option<String> {
    let (run, file) = log.strip_prefix(RUNS)?.strip_prefix('/')?.split_once('/')?;
    let name = file.strip_prefix(CHECKS)?.strip_prefix('/')?.strip_suffix(".log")?;
    let is_plain = RunId::parse(run).is_some() && !name.contains(['/', '\\', '\0']);
    is_plain.then(|| format!("{RUNS}/{run}/{CHECKS}/{name}.json"))
}
