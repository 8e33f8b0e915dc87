//! Reseals what this user sealed at the path where a moved project was before.

use std::io::{self, Read};
use std::path::Path;

use cap_std::fs::Dir;

use super::handle::Store;
use super::uncounted::{Origin, number, origin, split_mac};
use crate::contracts::{Approval, Handoff, MAX_HANDOFF_BYTES, read};
use crate::memory::answers::LastAnswer;
use crate::memory::error::MemoryError;
use crate::memory::journal::{MAC_FIELD, SEAL_KIND, TRANSCRIPT};
use crate::memory::kept;
use crate::memory::lock::RunLock;
use crate::memory::seal::{PUBLISH, Seal};
use crate::workspace::{self, find_folder, identity, open_regular, read_bounded};

/// What was resealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Whether the answer to the plan was, so that it counts.
    pub approval: bool,
    /// Whether the acceptance of the work as it is was.
    pub acceptance: bool,
    /// How many publish journals.
    pub journals: usize,
    /// How many lines of transcripts.
    pub lines: usize,
}

impl Store {
    /// Reseals for the folder's current path everything that this user sealed at the path it was moved from. What does
    /// not verify under a seal of that path is left as it is, and so is an answer that was not the last one given
    /// there. After a kill it can be called again: each file is replaced whole, and the answer is last.
    ///
    /// The lock proves that no run writes meanwhile.
    ///
    /// # Errors
    /// When the folder was not moved from there, or a file cannot be read or written.
    pub fn reseal_from(&self, path: &Path, _lock: &RunLock) -> Result<Resealed, MemoryError> {
        let here = self.seal();
        let place = here.answers().known_workspaces().into_iter().find(|place| place.path == path);
        let moved = place.filter(|place| matches!(origin(place, identity(here.root())), Origin::Moved(_)));
        let Some(place) = moved else {
            let source = io::Error::other(format!("it was not moved from {}", path.display()));
            return Err(self.file_error("take over", "", source));
        };
        let there = here.at(path);
        let mut done = Resealed::default();
        for run in self.runs()? {
            let folder = self.run_folder(&run)?;
            let named = |file: &str| format!("runs/{run}/{file}");
            done.lines += reseal_lines(&folder, (TRANSCRIPT, SEAL_KIND), &there, here)
                .map_err(|source| self.file_error("seal anew", &named(TRANSCRIPT), source))?;
            reseal_lines(&folder, (kept::KEPT, kept::SEAL_KIND), &there, here)
                .map_err(|source| self.file_error("seal anew", &named(kept::KEPT), source))?;
            let verify = |content: &[u8], mac: &str| there.verify(PUBLISH, content, mac);
            let sign = |content: &[u8]| here.sign(PUBLISH, content);
            done.journals += workspace::reseal(&folder, &verify, &sign)
                .map_err(|source| self.file_error("seal anew", &named("publish"), source))?;
        }
        self.reseal_history(&there)?;
        done.acceptance = self.reseal_acceptance(&there)?;
        done.approval = self.reseal_answer(&there, place.last)?;
        // Answers in a remaining copy at the old path, such as a backup, are no longer valid.
        there.answers().count().map_err(|source| MemoryError::Io {
            action: "count the answer in",
            file: there.answers().file().display().to_string(),
            source,
        })?;
        Ok(done)
    }

    /// Reseals the answers to earlier plans.
    fn reseal_history(&self, there: &Seal) -> Result<(), MemoryError> {
        let dir = self.dir()?;
        let entries = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in dir.read_dir("history")? {
                names.extend(entry?.file_name().to_str().map(|name| format!("history/{name}")));
            }
            Ok(names)
        };
        let entries = match entries() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|source| self.file_error("read", "history", source))?,
        };
        for entry in entries {
            let Ok(Some(folder)) = find_folder(dir, &entry) else { continue };
            let Some(mut approval) = read_approval(&folder) else { continue };
            if self.is_sealed_by(there, &approval) {
                self.sign_approval(self.seal(), &mut approval);
                self.write_resealed(&folder, &approval, &format!("{entry}/{}", Approval::FILE))?;
            }
        }
        Ok(())
    }

    /// Reseals the answer to the current plan, if it was the last one given at the old path, under the next number
    /// here.
    fn reseal_answer(&self, there: &Seal, last: LastAnswer) -> Result<bool, MemoryError> {
        let Some(approval) = read_approval(self.dir()?) else { return Ok(false) };
        if number(&approval) != last || !self.is_sealed_by(there, &approval) {
            return Ok(false);
        }
        let Approval { plan_sha256, decision, by, tasks, at, .. } = approval;
        self.write_approval(&plan_sha256, decision, by, tasks, at.unwrap_or_default())?;
        Ok(true)
    }

    /// Reseals the acceptance of the work that the review at hand is about.
    fn reseal_acceptance(&self, there: &Seal) -> Result<bool, MemoryError> {
        let Some(mut acceptance) = self.acceptance().filter(|found| self.is_acceptance_sealed_by(there, found)) else {
            return Ok(false);
        };
        self.sign_acceptance(self.seal(), &mut acceptance);
        self.write(&acceptance).map(|()| true)
    }

    fn write_resealed(&self, folder: &Dir, approval: &Approval, name: &str) -> Result<(), MemoryError> {
        let mut bytes = serde_json::to_vec_pretty(approval).unwrap_or_default();
        bytes.push(b'\n');
        workspace::replace(folder, Approval::FILE, &bytes, 0o644)
            .map_err(|source| self.file_error("seal anew", name, source))
    }
}

fn read_approval(folder: &Dir) -> Option<Approval> {
    let bytes = read_bounded(folder, Approval::FILE, MAX_HANDOFF_BYTES).ok()??;
    read(std::str::from_utf8(&bytes).ok()?).ok()
}

/// Reseals those lines of a file that verify under the old seal; all others stay byte for byte. Returns their number.
fn reseal_lines(folder: &Dir, (name, kind): (&str, &str), there: &Seal, here: &Seal) -> io::Result<usize> {
    let mut bytes = Vec::new();
    match open_regular(folder, name)? {
        Some((mut file, _)) => file.read_to_end(&mut bytes)?,
        None => return Ok(0),
    };
    let (mut sealed, mut count) = (Vec::with_capacity(bytes.len()), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = std::str::from_utf8(line).unwrap_or_default().trim_end_matches('\n');
        match split_mac(text).filter(|(body, mac)| there.verify(kind, body.as_bytes(), mac)) {
            Some((body, _)) => {
                let mac = here.sign(kind, body.as_bytes());
                sealed.extend_from_slice(format!("{body}{MAC_FIELD}{mac}\"}}\n").as_bytes());
                count += 1;
            }
            None => sealed.extend_from_slice(line),
        }
    }
    if count > 0 {
        workspace::replace(folder, name, &sealed, 0o600)?;
    }
    Ok(count)
}
