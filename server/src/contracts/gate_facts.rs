use serde::Serialize;

use super::plan_changes::PlanChanges;
use super::usage::{LOCAL, is_default};

/// What a person must know of a plan beside the plan itself: what it touches, and what the rest may cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GateFacts {
    /// What is different from the plan before; `None` of a first plan, and where that is past.
    pub changes: Option<PlanChanges>,
    /// Files that are written only because a person approves this very plan, and those that are never written.
    pub protected: Vec<ProtectedFile>,
    /// Files to look at twice.
    pub flagged: Vec<FlaggedFile>,
    /// What only the user can decide.
    pub questions: Vec<String>,
    /// The checks that are set.
    pub checks: Vec<GateCheck>,
    /// Commands that the workspace shows it is checked by, where none are set.
    pub offered_checks: Vec<OfferedCheck>,
    /// What implementing and reviewing may still cost, without what is spent; `None` where that is past.
    pub estimate: Option<Estimate>,
}

/// A protected file that a task would write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProtectedFile {
    /// Relative to the workspace root.
    pub path: String,
    /// The id of the task.
    pub task: String,
    /// Whether it is not written even then: it lies in a git directory or in the memory folder.
    pub never: bool,
}

/// A file that a task would write and that does more than it seems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlaggedFile {
    /// Relative to the workspace root.
    pub path: String,
    /// The id of the task.
    pub task: String,
    /// What it does: "runs code when you build".
    pub reason: String,
}

/// A check that is set, as a person is shown it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GateCheck {
    /// Names this very command with what it may do: what an answer about it refers to.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its command.
    pub command: String,
    /// Whether it may use the network.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub network: bool,
    /// Whether it may read secret files.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secrets: bool,
    /// Whether a person said that it may run. It is skipped otherwise.
    pub trusted: bool,
    /// Seconds it may take.
    #[serde(skip)]
    pub timeout_s: u64,
    /// Where it is set: `baton.toml`.
    #[serde(skip)]
    pub whence: &'static str,
    /// The command that was trusted under its name before it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// A command that could be remembered as a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfferedCheck {
    /// What an answer about it refers to.
    pub id: String,
    /// The name that it would have.
    pub name: String,
    /// The command.
    pub command: String,
    /// What shows it: the name of a file.
    pub reason: String,
}

impl GateCheck {
    /// For people, what it may do besides running: `, with network and secret files`; empty where that is nothing.
    pub fn rights(&self) -> &'static str {
        match (self.network, self.secrets) {
            (true, true) => ", with network and secret files",
            (true, false) => ", with network",
            (false, true) => ", with secret files",
            (false, false) => "",
        }
    }

    /// For people, why it does not run; `None` where it does.
    pub fn why_skipped(&self) -> Option<&'static str> {
        match (self.trusted, &self.before) {
            (true, _) => None,
            (false, None) => Some("not trusted yet"),
            (false, Some(_)) => Some("changed since you trusted it"),
        }
    }
}

impl ProtectedFile {
    /// Those that are never written, or those that an approval lets be written, for people: `.npmrc (T1), .envrc (T2)`;
    /// `None` where there is none.
    pub fn named(files: &[Self], never: bool) -> Option<String> {
        let named = files.iter().filter(|file| file.never == never);
        let named: Vec<String> = named.map(|file| format!("{} ({})", file.path, file.task)).collect();
        (!named.is_empty()).then(|| named.join(", "))
    }
}

/// What work may cost, as a range with its ceiling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// When all goes well and in few words.
    pub low: Spending,
    /// When it takes many turns.
    pub high: Spending,
    /// More than this is not spent before a person is asked again.
    pub ceiling: Spending,
    /// Whether a recorded run is replayed: nothing is paid then, and what it cost once is known as it goes by.
    #[serde(skip)]
    pub is_recorded: bool,
}

/// A sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spending {
    /// US dollars; `None` where a model has no price.
    pub usd: Option<f64>,
    /// Tokens of all kinds.
    pub tokens: u64,
    /// Whether all models run on a machine of the user's own.
    #[serde(skip_serializing_if = "is_default")]
    pub local: bool,
    /// US dollars of the models with a price, where others have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priced_usd: Option<f64>,
    /// Tokens of the models without a price, where others have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpriced_tokens: Option<u64>,
}

impl Spending {
    /// So much, of models that all have a price or all have none.
    pub const fn new(usd: Option<f64>, tokens: u64) -> Self {
        Self { usd, tokens, local: false, priced_usd: None, unpriced_tokens: None }
    }

    fn known_usd(&self) -> f64 {
        self.usd.or(self.priced_usd).unwrap_or(0.0)
    }

    fn tokens_without_price(&self) -> u64 {
        match self.usd {
            Some(_) => 0,
            None => self.unpriced_tokens.unwrap_or(self.tokens),
        }
    }
}

impl std::ops::Add for Spending {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let usd = self.usd.zip(other.usd).map(|(a, b)| a + b);
        let tokens = self.tokens + other.tokens;
        let unpriced = self.tokens_without_price() + other.tokens_without_price();
        let is_mixed = usd.is_none() && unpriced < tokens;
        let is_local = |part: &Self| part.local || part.tokens == 0;
        Self {
            usd,
            tokens,
            local: (self.local || other.local) && is_local(&self) && is_local(&other),
            priced_usd: is_mixed.then(|| self.known_usd() + other.known_usd()),
            unpriced_tokens: is_mixed.then_some(unpriced),
        }
    }
}

impl Estimate {
    /// For people: "about $0.10 to $0.40, at most $4.96"; of models without a price their tokens, beside what has one. A limit in
    /// tokens is told where the range goes beyond it.
    pub fn words(&self) -> String {
        let most = self.ceiling.tokens;
        // Where all has a price, the limit in dollars bounds tokens too, and is told itself.
        let is_of_tokens = self.ceiling.usd.is_none() || self.high.usd.is_some_and(|usd| usd <= 0.0);
        if is_of_tokens && most < self.high.tokens {
            format!("{}; budget_tokens leaves {}", self.range(), tokens(most))
        } else {
            self.range()
        }
    }

    fn range(&self) -> String {
        let (low, high) = (&self.low, &self.high);
        let in_tokens = |low: u64, high: u64| format!("{} to {} tokens", tokens(low), tokens(high));
        let (low_usd, high_usd) = (dollars(low.known_usd()), dollars(high.known_usd()));
        let range = if low_usd == high_usd { high_usd } else { format!("{low_usd} to {high_usd}") };
        let unpriced = in_tokens(low.tokens_without_price(), high.tokens_without_price());
        match (high.known_usd() > 0.0, high.tokens_without_price() > 0) {
            (true, true) => format!("about {range}, and {unpriced} without a price"),
            (false, true) => {
                let billed = if self.is_recorded { "nothing is billed" } else { "the models' prices are not known" };
                format!("about {}; {billed}", in_tokens(low.tokens, high.tokens))
            }
            (false, false) if high.tokens > 0 => {
                let none = if high.local { LOCAL } else { "no cost" };
                format!("{none}, about {}", in_tokens(low.tokens, high.tokens))
            }
            (false, false) if self.ceiling == Spending::new(Some(0.0), 0) => "no cost".to_owned(),
            (_, false) => match self.ceiling.usd {
                Some(ceiling) => format!("about {range}, at most {}", dollars(ceiling)),
                None => format!("about {range}"),
            },
        }
    }
}

fn dollars(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 { "<$0.01".to_owned() } else { format!("${usd:.2}") }
}

fn tokens(count: u64) -> String {
    if count < 1_000 { count.to_string() } else { format!("{}k", count.div_ceil(1_000)) }
}
