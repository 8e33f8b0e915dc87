//! The kinds of values that settings have: how each is read, and what is said of a wrong one.

use std::path::Path;

use super::check::Check;
use super::checks::read_checks;
use super::dispatch::{self, Dispatch, read_dispatch};
use super::error::{ConfigError, closest};
use super::facts::read_facts;
use super::hosts::read_hosts;
use super::phases::read_phases;
use super::settings::{Settings, UserPhase};
use super::sinks::{self, Sink, read_sinks};
use super::sources::Layer;
use super::value::{Node, Raw};
use crate::contracts::{MAX_COMMAND_BYTES, ModelFacts, RepoPath, RepoPathError};

/// The providers a `provider:name` may begin with.
pub const PROVIDERS: [&str; 6] = ["anthropic", "openai", "ollama", "editor", "replay", DEMO];

/// The provider of the demo's recorded answers, which cost nothing.
pub(super) const DEMO: &str = "demo";

/// The word for no value.
const NONE: &str = "none";

/// What values a setting takes, and where they go.
#[derive(Debug)]
pub(super) enum Kind {
    /// A whole number within bounds.
    Whole { min: u64, max: u64, set: fn(&mut Settings, u64) },
    /// A finite number from 0.
    Number { set: fn(&mut Settings, f64) },
    /// A whole number from 1, or `none`.
    Limit { set: fn(&mut Settings, Option<u64>) },
    /// One of these words.
    Word { words: &'static [&'static str], set: fn(&mut Settings, &str) },
    /// `provider:name`, or `none` for the provider's default.
    Model { set: fn(&mut Settings, Option<String>) },
    /// A folder inside the workspace.
    Folder { set: fn(&mut Settings, String) },
    /// A command for `sh -c`, or `none`.
    Command { set: fn(&mut Settings, Option<String>) },
    /// A list of hosts.
    Hosts { set: fn(&mut Settings, Vec<String>) },
    /// `[[checks]]`.
    Checks { set: fn(&mut Settings, Vec<Check>) },
    /// `[[phases]]`.
    Phases { set: fn(&mut Settings, Vec<UserPhase>) },
    /// `[[sinks]]`.
    Sinks { set: fn(&mut Settings, Vec<Sink>) },
    /// The address of a broker, or `none`.
    Dispatch { set: fn(&mut Settings, Option<Dispatch>) },
    /// `[[model_facts]]`.
    Facts { set: fn(&mut Settings, Vec<ModelFacts>) },
}

/// The layer that a value is from, as far as the value's meaning depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerContext<'a> {
    pub(super) layer: Layer,
    /// The folder that relative paths start from, where the layer has one.
    pub(super) folder: Option<&'a Path>,
}

impl Kind {
    pub(super) fn allowed(&self) -> String {
        match self {
            Self::Whole { min, max, .. } if *max >= u64::from(u32::MAX) => format!("a whole number, at least {min}"),
            Self::Whole { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Number { .. } => "a number, at least 0".to_owned(),
            Self::Limit { .. } => "a whole number, at least 1, or \"none\"".to_owned(),
            Self::Word { words, .. } => quoted_words(words),
            Self::Model { .. } => "provider:name, for example anthropic:claude-sonnet-5-5".to_owned(),
            Self::Folder { .. } => "a folder inside the workspace, named from its root".to_owned(),
            Self::Command { .. } => "a command for sh, in quotes, for example \"notify-send Baton\"".to_owned(),
            Self::Hosts { .. } => "a list of hosts, for example [\"models.example.org\"]".to_owned(),
            Self::Checks { .. } => {
                "[[checks]] tables with name, command and, if you like, timeout_s, network, try, secrets, paths"
                    .to_owned()
            }
            Self::Phases { .. } => "[[phases]] tables with name, after, prompt and, if you like, tier".to_owned(),
            Self::Sinks { .. } => sinks::ALLOWED.to_owned(),
            Self::Dispatch { .. } => dispatch::ALLOWED.to_owned(),
            Self::Facts { .. } => {
                "[[model_facts]] tables with name and some of window, max_output, input, output, cache_write, cache_read, \
                 as_of"
                    .to_owned()
            }
        }
    }

    /// How much a limit allows, as a number that is larger the more it allows; `None` for what is no limit, or no value
    /// of this one.
    pub(super) fn rank(&self, node: &Node) -> Option<u64> {
        match self {
            Self::Limit { .. } if is_none(node) => Some(u64::MAX),
            Self::Whole { .. } | Self::Limit { .. } => node.as_whole().and_then(|whole| u64::try_from(whole).ok()),
            // The bits of floating-point numbers from 0 are in the order of the numbers (IEEE 754, section 5.10).
            Self::Number { .. } => node.as_number().filter(|n| *n >= 0.0).map(|n| n.abs().to_bits()),
            _ => None,
        }
    }

    /// The value as people may see it, where it may hold what they may not.
    pub(super) fn shown(&self, node: &Node) -> Option<Node> {
        match self {
            Self::Sinks { .. } => Some(sinks::shown(node)),
            Self::Dispatch { .. } => Some(dispatch::shown(node)),
            _ => None,
        }
    }

    /// Check a value and write it to the settings.
    pub(super) fn apply(
        &self,
        key: &str,
        node: &Node,
        context: LayerContext<'_>,
        settings: &mut Settings,
    ) -> Result<(), Vec<ConfigError>> {
        let wrong = || vec![node.refuse(key, format!("is {node}; it takes {}", self.allowed()))];
        match self {
            Self::Whole { min, max, set } => {
                let whole = node.as_whole().and_then(|whole| u64::try_from(whole).ok());
                set(settings, whole.filter(|whole| (min..=max).contains(&whole)).ok_or_else(wrong)?);
            }
            Self::Number { set } => {
                // `abs` makes a zero of a negative zero.
                set(settings, node.as_number().filter(|n| n.is_finite() && *n >= 0.0).ok_or_else(wrong)?.abs());
            }
            Self::Limit { set } if is_none(node) => set(settings, None),
            Self::Limit { set } => {
                let whole = node.as_whole().and_then(|whole| u64::try_from(whole).ok());
                set(settings, Some(whole.filter(|whole| *whole >= 1).ok_or_else(wrong)?));
            }
            Self::Word { words, set } => {
                let text = node.as_text().ok_or_else(wrong)?;
                let Some(word) = words.iter().find(|word| **word == text) else {
                    let hint = closest(text, words.iter().copied());
                    return Err(vec![node.refuse(key, format!("is {node}; it takes {}{hint}", self.allowed()))]);
                };
                set(settings, word);
            }
            Self::Model { set } if is_none(node) => set(settings, None),
            Self::Model { set } => {
                let text = node.as_text().ok_or_else(wrong)?;
                check_model(text, context.layer)
                    .map_err(|reason| vec![node.refuse(key, format!("is {node}, which {reason}"))])?;
                set(settings, Some(text.to_owned()));
            }
            Self::Folder { set } => {
                let text = node.as_text().ok_or_else(wrong)?;
                let folder = check_folder(text, context.layer)
                    .map_err(|reason| vec![node.refuse(key, format!("is {node}: {reason}"))])?;
                set(settings, folder.as_str().to_owned());
            }
            Self::Command { set } if is_none(node) => set(settings, None),
            Self::Command { set } => {
                let text = node.as_text().filter(|text| !text.trim().is_empty()).ok_or_else(wrong)?;
                if text.contains('\0') || text.len() > MAX_COMMAND_BYTES {
                    return Err(vec![
                        node.refuse(key, format!("holds a NUL character, or has more than {MAX_COMMAND_BYTES} bytes")),
                    ]);
                }
                set(settings, Some(text.to_owned()));
            }
            Self::Hosts { set } => match &node.raw {
                Raw::List(items) => set(settings, read_hosts(key, items)?),
                _ => return Err(wrong()),
            },
            Self::Checks { set } => match &node.raw {
                Raw::List(items) => set(settings, read_checks(items, context.layer)?),
                _ => return Err(wrong()),
            },
            Self::Phases { set } => match &node.raw {
                Raw::List(items) => set(settings, read_phases(items, context.folder)?),
                _ => return Err(wrong()),
            },
            Self::Sinks { set } => set(settings, read_sinks(node)?),
            Self::Dispatch { set } => set(settings, read_dispatch(node).map_err(|fault| vec![fault])?),
            Self::Facts { set } => match &node.raw {
                Raw::List(items) => set(settings, read_facts(items)?),
                _ => return Err(wrong()),
            },
        }
        Ok(())
    }
}

fn is_none(node: &Node) -> bool {
    node.as_text() == Some(NONE)
}

fn quoted_words(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// A model's name with this provider before it, where it names none itself. What stands before a colon and is no provider
/// belongs to the name, as in `qwen3:8b`.
pub(super) fn with_provider(model: &str, provider: Option<&str>) -> String {
    let names_one = model.split_once(':').is_some_and(|(word, _)| PROVIDERS.contains(&word));
    match provider {
        Some(provider) if !names_one && !model.is_empty() && model != NONE => format!("{provider}:{model}"),
        _ => model.to_owned(),
    }
}

fn check_model(text: &str, layer: Layer) -> Result<(), String> {
    let flag = if layer == Layer::Flags { ", or add --provider" } else { "" };
    let known = || format!("providers are {}{flag}", PROVIDERS.join(", "));
    let Some((provider, name)) = text.split_once(':') else {
        return Err(format!("names no provider; write provider:name, as in anthropic:claude-sonnet-5-5; {}", known()));
    };
    if !PROVIDERS.contains(&provider) {
        let hint = closest(provider, PROVIDERS.into_iter());
        return Err(format!("names no known provider; {}{hint}", known()));
    }
    if name.is_empty() {
        return Err(format!("names no model; write {provider}:name"));
    }
    if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has a space in it; a model's name has none".to_owned());
    }
    Ok(())
}

fn check_folder(text: &str, layer: Layer) -> Result<RepoPath, String> {
    let path = RepoPath::parse(text).map_err(|error| match (&error, layer) {
        (RepoPathError::Absolute(_) | RepoPathError::Parent(_), Layer::Workspace | Layer::Editor) => {
            "a workspace may not put its memory outside itself; name a folder inside the workspace".to_owned()
        }
        (RepoPathError::Absolute(_) | RepoPathError::Parent(_), _) => {
            "memory outside the workspace is not supported yet; name a folder inside the workspace".to_owned()
        }
        _ => error.to_string(),
    })?;
    if path.key().split('/').any(|component| component == ".git") {
        return Err("git's own folder holds no memory; name another, for example .agent_memory".to_owned());
    }
    Ok(path)
}
