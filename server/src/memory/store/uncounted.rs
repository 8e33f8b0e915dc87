//! What is in a memory folder and counts as absent, because it does not verify under this user's seal for this folder.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use cap_std::fs::Dir;

use super::handle::Store;
use crate::contracts::{Approval, Handoff, ImplReport, MAX_HANDOFF_BYTES, PlanOutput, read};
use crate::memory::answers::{KnownWorkspace, LastAnswer};
use crate::memory::error::MemoryError;
use crate::memory::journal::{self, MAC_FIELD, SEAL_KIND, TRANSCRIPT, TranscriptLine};
use crate::memory::run_id::RunId;
use crate::memory::seal::{PUBLISH, Seal};
use crate::workspace::{self, Identity, identity, open_regular};

/// How much of a transcript is searched for a sealed line, in bytes.
const MAX_SCANNED: u64 = 8 * 1024 * 1024;

/// What counts as absent though it would matter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Uncounted {
    /// Grouped by where it was sealed.
    pub from: Vec<UncountedFrom>,
    /// An answer to the current plan that this user gave here and that is not the last one: its number and that of the
    /// last.
    pub old_answer: Option<(Option<u64>, LastAnswer)>,
}

/// What was sealed at one path.
#[derive(Debug, Clone, PartialEq)]
pub struct UncountedFrom {
    /// The path.
    pub origin: Origin,
    /// The answer to the current plan.
    pub approval: Option<Approval>,
    /// Whether a person's word that the work is taken as it is; only where nothing else says so.
    pub acceptance: bool,
    /// How many publish journals.
    pub journals: usize,
    /// How many runs' transcripts.
    pub transcripts: usize,
}

/// Where something was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// By this user at this path, where the folder is no longer: it was moved here.
    Moved(PathBuf),
    /// By this user at this path, where the folder still is: this one is a copy.
    Copied(PathBuf),
    /// By this user at this path, which is another name of the same folder.
    Same(PathBuf),
    /// By another user, under another home, or not at all.
    Unknown,
}

impl Store {
    /// What counts as absent in the current workflow.
    ///
    /// # Errors
    /// When the memory folder cannot be read.
    pub fn uncounted(&self) -> Result<Uncounted, MemoryError> {
        self.uncounted_in(&self.workflow_runs()?)
    }

    /// What counts as absent in these runs.
    ///
    /// # Errors
    /// When the memory folder cannot be read.
    pub fn uncounted_of(&self, runs: &[RunId]) -> Result<Uncounted, MemoryError> {
        let mut found = self.uncounted_in(runs)?;
        // The answer and the acceptance are those of the workflow at hand.
        found.old_answer = None;
        for from in &mut found.from {
            (from.approval, from.acceptance) = (None, false);
        }
        found.from.retain(|from| from.journals + from.transcripts > 0);
        Ok(found)
    }

    /// What counts as absent in all workflows.
    ///
    /// # Errors
    /// When the memory folder cannot be read.
    pub fn uncounted_of_all(&self) -> Result<Uncounted, MemoryError> {
        self.uncounted_in(&self.runs()?)
    }

    /// The agents with turns in the current workflow, by verified transcripts.
    ///
    /// # Errors
    /// When a transcript cannot be read.
    pub fn agents_heard(&self) -> Result<BTreeSet<String>, MemoryError> {
        let mut heard = BTreeSet::new();
        for run in self.workflow_runs()? {
            let read = journal::each(&self.run_folder(&run)?, self.seal(), |line| {
                heard.insert(match line {
                    TranscriptLine::Turn { turn, .. } => turn.agent,
                    TranscriptLine::Closed { closed, .. } => closed,
                    TranscriptLine::Lost { lost, .. } => lost,
                });
            });
            read.map_err(|source| self.file_error("read", TRANSCRIPT, source))?;
        }
        Ok(heard)
    }

    /// The reports on the current plan that were set aside, newest first.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn earlier_reports(&self) -> Result<Vec<ImplReport>, MemoryError> {
        let past = self.past()?;
        let has_plan = |entry: &str| self.has(&format!("{entry}/{}", PlanOutput::FILE));
        let entries = past.entries.iter().rev().take_while(|entry| !has_plan(entry));
        Ok(entries.filter_map(|entry| self.set_aside_handoff(entry, ImplReport::FILE)).collect())
    }

    fn uncounted_in(&self, runs: &[RunId]) -> Result<Uncounted, MemoryError> {
        let elsewhere = OtherSeals::new(self.seal());
        let mut found = Uncounted::default();
        if let Some(approval) = self.answer_to_plan() {
            if !self.is_genuine(&approval) {
                let place = elsewhere.find(|seal| self.is_sealed_by(seal, &approval));
                match place.map(|at| elsewhere.known_workspaces()[at].0.last).filter(|last| *last != number(&approval))
                {
                    // It cannot be resealed: it would not count there either.
                    Some(last) => found.old_answer = Some((approval.n, last)),
                    None => found.of(elsewhere.origin(place)).approval = Some(approval),
                }
            } else if !self.is_last_answer(&approval) {
                found.old_answer = Some((approval.n, self.seal().answers().last()));
            }
        }
        if let Some(acceptance) = self.acceptance()
            && !self.is_genuine_acceptance(&acceptance)
            && self.would_accept()?
        {
            let place = elsewhere.find(|seal| self.is_acceptance_sealed_by(seal, &acceptance));
            found.of(elsewhere.origin(place)).acceptance = true;
        }
        for run in runs {
            let folder = self.run_folder(run)?;
            let journals =
                elsewhere.journals(&folder).map_err(|source| self.file_error("read", "publish journals", source))?;
            for (place, count) in &journals.places {
                found.of(elsewhere.origin(*place)).journals += count;
            }
            if journals.verified && journals.places.is_empty() {
                // A run is sealed at one path.
                continue;
            }
            if let Some(place) = elsewhere.transcript(&folder) {
                found.of(elsewhere.origin(place)).transcripts += 1;
            }
        }
        Ok(found)
    }

    /// Whether the workflow would be accepted if accepted.json counted, and is not without it.
    fn would_accept(&self) -> Result<bool, MemoryError> {
        let (mut memory, _) = self.inspect()?;
        let is_accepted = memory.is_accepted();
        memory.acceptance = self.acceptance();
        Ok(!is_accepted && memory.is_accepted())
    }

    /// approval.json, verified or not, if it answers the current plan.
    fn answer_to_plan(&self) -> Option<Approval> {
        let bytes = self.read(Approval::FILE, MAX_HANDOFF_BYTES).ok()??;
        let approval: Approval = read(std::str::from_utf8(&bytes).ok()?).ok()?;
        (self.plan_sha256()? == approval.plan_sha256).then_some(approval)
    }
}

/// An answer's number, comparable with the last one.
pub(super) fn number(approval: &Approval) -> LastAnswer {
    approval.n.map_or(LastAnswer::Uncounted, LastAnswer::Number)
}

impl Uncounted {
    /// Whether nothing counts as absent.
    pub fn is_empty(&self) -> bool {
        self.from.is_empty() && self.old_answer.is_none()
    }

    fn of(&mut self, origin: Origin) -> &mut UncountedFrom {
        let at = self.from.iter().position(|from| from.origin == origin).unwrap_or_else(|| {
            self.from.push(UncountedFrom { origin, approval: None, acceptance: false, journals: 0, transcripts: 0 });
            self.from.len() - 1
        });
        &mut self.from[at]
    }
}

/// The user's seals at other paths.
struct OtherSeals<'a> {
    here: &'a Seal,
    folder: Option<Identity>,
    places: OnceCell<Vec<(KnownWorkspace, Seal)>>,
    /// Where something verified last: things found together were mostly sealed together.
    last_match: Cell<usize>,
}

/// The journals of a run that do not verify here, by the path they were sealed at; `None` for an unknown one.
#[derive(Default)]
struct Journals {
    verified: bool,
    places: Vec<(Option<usize>, usize)>,
}

impl<'a> OtherSeals<'a> {
    fn new(here: &'a Seal) -> Self {
        Self { here, folder: identity(here.root()), places: OnceCell::new(), last_match: Cell::new(0) }
    }

    /// Read only if something does not verify, which is rare.
    fn known_workspaces(&self) -> &[(KnownWorkspace, Seal)] {
        self.places.get_or_init(|| {
            let places =
                self.here.answers().known_workspaces().into_iter().filter(|place| place.path != self.here.root());
            places.map(|place| (place.clone(), self.here.at(&place.path))).collect()
        })
    }

    /// The index of the workspace whose seal verifies something.
    fn find(&self, verifies: impl Fn(&Seal) -> bool) -> Option<usize> {
        let last_match = self.known_workspaces().get(self.last_match.get()).is_some_and(|(_, seal)| verifies(seal));
        if last_match {
            return Some(self.last_match.get());
        }
        let found = self.known_workspaces().iter().position(|(_, seal)| verifies(seal));
        self.last_match.set(found.unwrap_or(self.last_match.get()));
        found
    }

    fn origin(&self, place: Option<usize>) -> Origin {
        place.map_or(Origin::Unknown, |at| origin(&self.known_workspaces()[at].0, self.folder))
    }

    fn journals(&self, folder: &Dir) -> io::Result<Journals> {
        let found = RefCell::new(Journals::default());
        let note = |content: &[u8], mac: &str| {
            let mut found = found.borrow_mut();
            if self.here.verify(PUBLISH, content, mac) {
                found.verified = true;
                return true;
            }
            // Once one journal is unknown, do not search all paths for each of the others.
            let has_unknown = found.places.iter().any(|(place, _)| place.is_none());
            let place = if has_unknown { None } else { self.find(|seal| seal.verify(PUBLISH, content, mac)) };
            match found.places.iter_mut().find(|(known, _)| *known == place) {
                Some((_, count)) => *count += 1,
                None => found.places.push((place, 1)),
            }
            false
        };
        workspace::records(folder, &note)?;
        Ok(found.into_inner())
    }

    /// The path that a run's transcript was sealed at, if not here; `None` if it verifies or has no line.
    fn transcript(&self, folder: &Dir) -> Option<Option<usize>> {
        let (file, _) = open_regular(folder, TRANSCRIPT).ok()??;
        for line in BufReader::new(file.take(MAX_SCANNED)).lines() {
            let line = line.ok()?;
            // A line cut short by a kill has no seal.
            let Some((body, mac)) = split_mac(&line) else { continue };
            if self.here.verify(SEAL_KIND, body.as_bytes(), mac) {
                return None;
            }
            return Some(self.find(|seal| seal.verify(SEAL_KIND, body.as_bytes(), mac)));
        }
        None
    }
}

/// A transcript's line without its end, and its MAC.
pub(super) fn split_mac(line: &str) -> Option<(&str, &str)> {
    line.strip_suffix("\"}")?.rsplit_once(MAC_FIELD)
}

/// Whether a folder was moved or copied from a path, or is the same. `here` identifies the folder.
pub(super) fn origin(place: &KnownWorkspace, here: Option<Identity>) -> Origin {
    let path = place.path.clone();
    let there = identity(&path);
    if there.is_some() && there == here {
        return Origin::Same(path);
    }
    let was_there = here.is_some_and(|here| place.earlier.contains(&here) || place.folder == Some(here));
    let still_there = match place.folder {
        // Some file systems get a new device number with every mount.
        Some(folder) => there.is_some_and(|there| there.inode == folder.inode),
        None => path.is_dir(),
    };
    if still_there && !was_there { Origin::Copied(path) } else { Origin::Moved(path) }
}
