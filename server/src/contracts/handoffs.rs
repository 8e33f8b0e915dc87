//! The registry of handoffs: which files there are in the memory folder, in which order, and how each is read.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::fault::Fault;
use super::findings::Findings;
use super::phase_name::PhaseName;
use super::schema::{Assumptions, Handoff, read, read_noted, schema_of};
use super::{BaseReview, Dismissed, TaskResult};

/// One handoff file of the memory folder.
#[derive(Clone, Copy)]
pub struct HandoffFile {
    /// Its name in the memory folder.
    pub file: &'static str,
    /// How it is read, where it holds JSON.
    pub json: Option<HandoffJson>,
}

/// How a handoff that holds JSON is read.
#[derive(Clone, Copy)]
pub struct HandoffJson {
    /// Its name for `baton schema`.
    pub name: &'static str,
    /// Its JSON Schema (draft 2020-12).
    pub schema: fn() -> Value,
    /// Finds all faults of syntax and shape in a text.
    pub check: fn(&str) -> Vec<Fault>,
    /// Finds what is taken otherwise than it stands in a text that is read.
    pub assumed: fn(&str) -> Assumptions,
    /// Reads what a further reviewing phase found.
    pub findings: Option<FindingsReader>,
}

impl HandoffFile {
    /// The file of a handoff of this type.
    pub const fn of<T: Handoff>() -> Self {
        Self { file: T::FILE, json: Some(HandoffJson::of::<T>(T::NAME)) }
    }

    /// The file of a further reviewing phase, whose handoff of type `T` holds findings.
    pub const fn findings<T: Handoff + Into<Findings>>(file: &'static str, name: &'static str) -> Self {
        let json = HandoffJson { findings: Some(read_findings::<T>), ..HandoffJson::of::<T>(name) };
        Self { file, json: Some(json) }
    }

    /// A file that holds no JSON.
    pub const fn text(file: &'static str) -> Self {
        Self { file, json: None }
    }
}

impl HandoffJson {
    const fn of<T: Handoff>(name: &'static str) -> Self {
        Self { name, schema: schema_of::<T>, check: faults_of::<T>, assumed: assumed_of::<T>, findings: None }
    }
}

impl fmt::Debug for HandoffFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandoffFile").field(&self.file).finish()
    }
}

fn faults_of<T: Handoff>(text: &str) -> Vec<Fault> {
    read::<T>(text).err().unwrap_or_default()
}

fn assumed_of<T: Handoff>(text: &str) -> Assumptions {
    read_noted::<T>(text).map(|(_, assumed)| assumed).unwrap_or_default()
}

fn read_findings<T: Handoff + Into<Findings>>(text: &str) -> Result<Findings, Vec<Fault>> {
    read::<T>(text).map(Into::into)
}

/// What one phase writes to the memory folder.
#[derive(Debug, Clone, Copy)]
pub struct PhaseFiles {
    /// The phase.
    pub phase: PhaseName,
    /// Its files, in the order in which they are written.
    pub files: &'static [HandoffFile],
}

impl PhaseFiles {
    fn has(&self, file: &str) -> bool {
        self.files.iter().any(|own| own.file == file)
    }
}

/// All handoffs there are, in the order of the phases that write them. Every list of files of the memory folder is
/// derived from it.
#[derive(Debug, Clone)]
pub struct Handoffs(Arc<[PhaseFiles]>);

/// What the user dismissed belongs to no phase: it stays when phases are reset.
const DISMISSED: HandoffFile = HandoffFile::of::<Dismissed>();

/// The review against a commit belongs to no workflow: it stays when one is set aside.
const BASE_REVIEW: HandoffFile = HandoffFile::of::<BaseReview>();

impl Handoffs {
    /// The handoffs of these phases.
    pub fn new(phases: impl IntoIterator<Item = PhaseFiles>) -> Self {
        Self(phases.into_iter().collect())
    }

    /// What each phase writes.
    pub fn phases(&self) -> &[PhaseFiles] {
        &self.0
    }

    /// Every file, in the order in which a workflow writes them, and what stands beside it.
    pub fn all(&self) -> impl Iterator<Item = &HandoffFile> {
        self.of_workflow().chain([&BASE_REVIEW])
    }

    /// The files that belong to a workflow, in the order in which it writes them.
    pub fn of_workflow(&self) -> impl Iterator<Item = &HandoffFile> {
        self.0.iter().flat_map(|phase| phase.files).chain([&DISMISSED])
    }

    /// The files that hold JSON.
    pub fn json(&self) -> impl Iterator<Item = (&'static str, HandoffJson)> {
        self.all().filter_map(|file| Some((file.file, file.json?)))
    }

    /// The files of a phase and of every later one; none of a phase that there is not.
    pub fn from_phase(&self, phase: PhaseName) -> Vec<&'static str> {
        let from = self.0.iter().skip_while(|own| own.phase != phase);
        from.flat_map(|own| own.files).map(|file| file.file).collect()
    }

    /// The files of the phase that writes this file, and of every later one.
    pub fn from_file(&self, file: &str) -> Vec<&'static str> {
        let from = self.0.iter().skip_while(|own| !own.has(file));
        from.flat_map(|own| own.files).map(|file| file.file).collect()
    }

    /// The files of the phases after the one that writes this file.
    pub fn after_file(&self, file: &str) -> Vec<&'static str> {
        let after = self.0.iter().skip_while(|own| !own.has(file)).skip(1);
        after.flat_map(|own| own.files).map(|file| file.file).collect()
    }

    /// The further reviewing phases: each with its file and how that is read.
    pub fn reviewing(&self) -> impl Iterator<Item = (PhaseName, &'static str, FindingsReader)> {
        self.0
            .iter()
            .filter_map(|own| own.files.iter().find_map(|file| Some((own.phase, file.file, file.json?.findings?))))
    }

    /// Everything that `baton schema` prints, by name: the handoffs, and what one implementing agent submits.
    pub fn schemas(&self) -> Vec<HandoffJson> {
        let mut schemas: Vec<HandoffJson> = self.json().map(|(_, json)| json).collect();
        schemas.push(HandoffJson::of::<TaskResult>(TaskResult::NAME));
        schemas
    }

    /// The schema of a name, which may end in `.json`.
    ///
    /// # Errors
    /// When there is none; the message lists those there are.
    pub fn schema(&self, name: &str) -> Result<Value, String> {
        let wanted = name.trim_end_matches(".json");
        let schemas = self.schemas();
        match schemas.iter().find(|schema| schema.name == wanted) {
            Some(schema) => Ok((schema.schema)()),
            None => {
                let known: Vec<_> = schemas.iter().map(|schema| schema.name).collect();
                Err(format!("no schema is called {name:?}; there are {}", known.join(", ")))
            }
        }
    }
}

/// Reads the findings of one reviewing phase from the text of its file.
pub type FindingsReader = fn(&str) -> Result<Findings, Vec<Fault>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{ContextOutput, ImplReport, ReviewOutput, Round};

    const CONTEXT: [HandoffFile; 1] = [HandoffFile::of::<ContextOutput>()];
    const IMPLEMENT: [HandoffFile; 2] = [HandoffFile::of::<Round>(), HandoffFile::of::<ImplReport>()];
    const SECURITY: [HandoffFile; 1] = [HandoffFile::findings::<Findings>("security.json", "security")];
    const REVIEW: [HandoffFile; 1] = [HandoffFile::of::<ReviewOutput>()];

    fn handoffs() -> Handoffs {
        let row = |phase, files| PhaseFiles { phase: PhaseName::new(phase), files };
        Handoffs::new([
            row("context", &CONTEXT),
            row("implement", &IMPLEMENT),
            row("security", &SECURITY),
            row("review", &REVIEW),
        ])
    }

    #[test]
    fn a_phase_asked_for_by_name_sets_its_files_and_the_later_ones_aside() {
        let from = handoffs().from_phase(PhaseName::new("implement"));
        assert_eq!(from, ["round.json", "impl_report.json", "security.json", "review.json"]);
        assert_eq!(handoffs().from_file("impl_report.json"), from);
        assert_eq!(handoffs().after_file("impl_report.json"), ["security.json", "review.json"]);
        assert!(handoffs().from_phase(PhaseName::new("unknown")).is_empty());
    }

    #[test]
    fn every_handoff_has_a_schema_and_a_reader() {
        for schema in handoffs().schemas() {
            assert_eq!(handoffs().schema(schema.name), Ok((schema.schema)()), "{}", schema.name);
            assert!(!(schema.check)("[1").is_empty(), "{}", schema.name);
        }
        let unknown = handoffs().schema("nothing").unwrap_err();
        assert!(
            unknown.contains(
                "there are context, round, impl_report, security, review, dismissed, base_review, task_result"
            ),
            "{unknown}"
        );
    }

    #[test]
    fn a_review_against_a_commit_is_a_handoff_of_no_workflow() {
        let handoffs = handoffs();
        assert!(handoffs.json().any(|(file, json)| (file, json.name) == ("base_review.json", "base_review")));
        assert!(handoffs.of_workflow().all(|file| file.file != "base_review.json"));
        assert!(!handoffs.from_phase(PhaseName::new("context")).contains(&"base_review.json"));
    }

    #[test]
    fn findings_are_read_from_the_file_of_their_phase() {
        let (phase, file, read) = handoffs().reviewing().next().unwrap();
        assert_eq!((phase.as_str(), file), ("security", "security.json"));
        let found = read(r#"{"summary": "none", "round": 2}"#).unwrap();
        assert_eq!((found.round, found.issues.len()), (2, 0));
        assert_eq!(read(r#"{"issues": []}"#).unwrap_err().len(), 1);
    }
}
