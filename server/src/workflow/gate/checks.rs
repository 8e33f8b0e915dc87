//! The checks at the gate: which would run, which wait for a person's word, and which commands could become some.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::{Check, CheckOrigin, Settings, WORKSPACE_FILE, has_program, with_check};
use crate::contracts::{GateCheck, OfferedCheck, RepoPath};
use crate::memory::{CheckTrust, Store};
use crate::text::revealed;
use crate::workflow::run::checks::checks_in_force;
use crate::workflow::run::error::StartError;
use crate::workflow::run::question::CheckAnswer;
use crate::workspace::{self, DetectedCheck, Workspace, detected_checks};

/// Digits of an id; as many as those of other things have.
const ID_DIGITS: usize = 12;

/// The checks as they are now.
pub(crate) struct GateChecks<'a> {
    workspace: &'a Workspace,
    checks: Vec<Check>,
    trust: CheckTrust,
    /// Whether the settings say of checks, be it that there are none.
    is_settled: bool,
}

/// What became of an answer about checks, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChecksAnswered {
    /// Commands that may run from now on.
    pub trusted: Vec<String>,
    /// Commands that were written to the workspace's file, and may run.
    pub remembered: Vec<String>,
}

impl<'a> GateChecks<'a> {
    pub(crate) fn of(store: &'a Store, settings: &Settings) -> Self {
        let workspace = store.workspace();
        let checks = checks_in_force(settings, workspace);
        let is_settled = is_settled(settings, &checks);
        Self { workspace, checks, trust: CheckTrust::open(store.seal()), is_settled }
    }

    /// Those that are set, as a person is shown them.
    pub(crate) fn shown(&self) -> Vec<GateCheck> {
        let shown = |check: &Check| GateCheck {
            id: id(check),
            name: check.name.clone(),
            command: check.command.clone(),
            network: check.network,
            secrets: check.secrets,
            timeout_s: check.timeout_s,
            whence: match check.origin {
                CheckOrigin::Workspace => WORKSPACE_FILE,
                CheckOrigin::Editor => "the editor's settings",
                CheckOrigin::User => "your own settings",
            },
            trusted: self.trust.is_trusted(check),
            before: self.trust.before(check).map(|before| before.command.clone()),
        };
        self.checks.iter().map(shown).collect()
    }

    /// What could be remembered: what the workspace shows, where nothing is set, and what was not declined before.
    pub(crate) fn offered(&self) -> Vec<OfferedCheck> {
        if self.is_settled { Vec::new() } else { shown_by(self.workspace, &self.trust) }
    }

    /// Take a person's answer.
    ///
    /// # Errors
    /// When it is about other checks than there are now, or something cannot be written; what was written by then holds.
    pub(crate) fn answer(&mut self, answer: &CheckAnswer) -> Result<ChecksAnswered, StartError> {
        let mut done = ChecksAnswered::default();
        let now = Timestamp::now();
        // Of those that a person was shown some may be trusted by now.
        let trusted: Vec<Check> = named(&answer.trust, &self.checks, id)?.into_iter().cloned().collect();
        self.trust.trust(&trusted, now).map_err(not_kept)?;
        done.trusted = trusted.into_iter().map(|check| check.command).collect();
        let Some(remember) = &answer.remember else { return Ok(done) };
        let is_set = |wanted: &&String| self.checks.iter().any(|check| id(check) == **wanted);
        let new: Vec<String> = remember.iter().filter(|wanted| !is_set(wanted)).cloned().collect();
        let offered = self.offered();
        for offer in named(&new, &offered, |offer| offer.id.clone())? {
            let check = Check::of_workspace(&offer.name, &offer.command);
            remember_check(self.workspace, &check)?;
            self.trust.trust([&check], now).map_err(not_kept)?;
            done.remembered.push(check.command);
        }
        let declined = offered.into_iter().filter(|offer| !remember.contains(&offer.id));
        self.trust.decline(declined.map(|offer| offer.command)).map_err(not_kept)?;
        Ok(done)
    }
}

/// What could be remembered as checks of a workspace: what it shows, where nothing is set, and what was not declined before.
pub(crate) fn offered_checks(workspace: &Workspace, settings: &Settings, trust: &CheckTrust) -> Vec<OfferedCheck> {
    if is_settled(settings, &checks_in_force(settings, workspace)) { Vec::new() } else { shown_by(workspace, trust) }
}

fn is_settled(settings: &Settings, checks: &[Check]) -> bool {
    settings.has_set_checks || !checks.is_empty()
}

fn shown_by(workspace: &Workspace, trust: &CheckTrust) -> Vec<OfferedCheck> {
    let found = detected_checks(workspace, &has_program).into_iter();
    let wanted = found.filter(|check| !trust.is_declined(&check.command));
    let offer = |DetectedCheck { name, command, source }| OfferedCheck {
        id: id(&Check::of_workspace(&name, &command)),
        name,
        command,
        reason: source,
    };
    wanted.map(offer).collect()
}

/// Take a person's answer about the checks of a workspace.
///
/// # Errors
/// When it is about other checks than there are now, or something cannot be written.
pub fn answer_checks(store: &Store, settings: &Settings, answer: &CheckAnswer) -> Result<ChecksAnswered, StartError> {
    GateChecks::of(store, settings).answer(answer)
}

impl ChecksAnswered {
    /// In a sentence; `None` where nothing changed.
    pub fn words(&self) -> Option<String> {
        let listed = |commands: &[String]| {
            commands.iter().map(|command| format!("`{}`", revealed(command.trim_end()))).collect::<Vec<_>>().join(", ")
        };
        let trusted = (!self.trusted.is_empty()).then(|| format!("Trusted: {}", listed(&self.trusted)));
        let remembered = (!self.remembered.is_empty())
            .then(|| format!("Remembered in {WORKSPACE_FILE} and trusted: {}", listed(&self.remembered)));
        let words: Vec<String> = trusted.into_iter().chain(remembered).collect();
        (!words.is_empty()).then(|| words.join(". "))
    }
}

/// Those of these ids, in their own order.
fn named<'a, T>(ids: &[String], all: &'a [T], id_of: impl Fn(&T) -> String) -> Result<Vec<&'a T>, StartError> {
    let known: Vec<String> = all.iter().map(id_of).collect();
    if ids.iter().any(|id| !known.contains(id)) {
        let message = "the checks are not those that were shown any more; look at them again, and answer about these";
        return Err(StartError::Usage(message.to_owned()));
    }
    Ok(all.iter().zip(&known).filter(|(_, id)| ids.contains(id)).map(|(item, _)| item).collect())
}

/// Names a check with all that is trusted in it.
fn id(check: &Check) -> String {
    let Check { name, command, network, secrets, .. } = check;
    let mut digest = workspace::sha256(format!("{name}\0{command}\0{network}\0{secrets}").as_bytes());
    digest.truncate(ID_DIGITS);
    digest
}

/// Append a check to the workspace's file, which is created where there is none. The rest of it stays as it is.
fn remember_check(workspace: &Workspace, check: &Check) -> Result<(), StartError> {
    let failed = |why: &str| StartError::Usage(format!("the check was not remembered: {why}"));
    let path = RepoPath::parse(WORKSPACE_FILE).map_err(|error| failed(&error.to_string()))?;
    workspace.change_own_file(&path, |text| with_check(text, check)).map_err(|error| failed(&error.to_string()))
}

fn not_kept(error: std::io::Error) -> StartError {
    StartError::Usage(format!("it cannot be kept which checks may run: {error}; make Baton's state folder writable"))
}

/// The checks of a workspace that wait for a person's word: those that are set and not trusted, and those that could be
/// remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitingChecks {
    /// All that are set.
    pub set: Vec<GateCheck>,
    /// What could be remembered.
    pub offered: Vec<OfferedCheck>,
}

impl WaitingChecks {
    /// Those that a person has not trusted as they are.
    pub fn untrusted(&self) -> impl Iterator<Item = &GateCheck> {
        self.set.iter().filter(|check| !check.trusted)
    }

    /// The approval of a plan with a yes to all that is asked of the checks: the words of a button, and the argument of
    /// `baton.approve`. `None` where nothing is asked.
    pub fn approval(&self, plan_sha256: &str) -> Option<(&'static str, Value)> {
        let untrusted: Vec<&str> = self.untrusted().map(|check| check.id.as_str()).collect();
        let offered: Vec<&str> = self.offered.iter().map(|offer| offer.id.as_str()).collect();
        let (title, field, ids) = match (untrusted.len(), offered.len()) {
            (0, 0) => return None,
            (0, 1) => ("Approve and Remember the Check", "rememberChecks", offered),
            (0, _) => ("Approve and Remember the Checks", "rememberChecks", offered),
            (1, _) => ("Approve and Trust the Check", "trustChecks", untrusted),
            _ => ("Approve and Trust the Checks", "trustChecks", untrusted),
        };
        Some((title, json!({ "planSha256": plan_sha256, field: ids })))
    }
}

/// The checks of a workspace as a person is shown them.
pub fn waiting_checks(store: &Store, settings: &Settings) -> WaitingChecks {
    let checks = GateChecks::of(store, settings);
    WaitingChecks { set: checks.shown(), offered: checks.offered() }
}
