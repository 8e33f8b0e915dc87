//! The layers laid over each other: what holds, where it comes from, and everything that is wrong.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::check::Check;
use super::disk::{folder_of, open, open_beneath, text_of, user_config_file};
use super::error::{ConfigError, ConfigErrors, Location, closest};
use super::given::{Fate, Given, judge};
use super::kind::{DEMO, LayerContext, PROVIDERS, with_provider};
use super::scope::{forbidden_name, out_of_scope};
use super::settings::{ApprovalMode, Settings, UserPhase};
use super::sources::{Layer, NOT_SETTINGS, Origin, Overrides, Sources, TomlFile, USER_FILE, UserFile, WORKSPACE_FILE};
use super::table::{Scope, Setting, settings_table};
use super::value::{Node, Raw};

/// The variable of the setting `provider`.
const PROVIDER_VARIABLE: &str = "BATON_PROVIDER";

/// Effective settings and where each comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// What is wrong without stopping anything: unknown variables and editor settings, and raised limits.
    pub warnings: Vec<String>,
    /// Of these warnings those about what the workspace or the editor may not set, each at its place: raised limits, and what is
    /// about the user's own machine.
    pub raised: Vec<ConfigError>,
    origins: BTreeMap<&'static str, Origin>,
    /// The values that some layer gives, on a line each.
    values: BTreeMap<&'static str, String>,
    given: BTreeMap<&'static str, Vec<Given>>,
}

impl Loaded {
    /// Where the value of a setting comes from; the key as in [`settings_table`].
    pub fn origin(&self, key: &str) -> Origin {
        let default = || Origin { layer: Layer::Default, place: Location::named("default") };
        self.origins.get(key).cloned().unwrap_or_else(default)
    }

    /// The value of a setting in force, on one line and safe to show; the key as in [`settings_table`]. Of a list it holds the
    /// names.
    pub fn value(&self, key: &str) -> String {
        let default = || Setting::of(key).map(|setting| setting.default.to_owned()).unwrap_or_default();
        self.values.get(key).cloned().unwrap_or_else(default)
    }

    /// Every value that a layer gives a setting, weakest layer first, and what became of each; the key as in [`settings_table`].
    pub fn given(&self, key: &str) -> &[Given] {
        self.given.get(key).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Merge the layers, each over the weaker ones.
///
/// # Errors
/// Everything that is wrong in any layer, even where a stronger one overrides it.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let user = sources.user.as_ref();
    let mut loading = Loading { user_folder: user.map(|user| user.folder.clone()), ..Loading::default() };
    for (layer, file) in [(Layer::Workspace, sources.workspace.as_ref()), (Layer::User, user.map(|user| &user.file))] {
        if let Some(file) = file {
            loading.file(layer, file);
        }
    }
    if let Some(node) = sources.editor.as_ref().and_then(|value| Node::from_json("baton", value)) {
        loading.tree(Layer::Editor, &node);
    }
    loading.lower_limits();
    let provider = provider_of_start(sources);
    loading.environment(&sources.env, provider);
    loading.flags(&sources.flags, provider);
    loading.warn_of_models_of_others(&sources.flags);
    loading.finish()
}

/// The provider that the flag names, else the variable: models that are named without one are that provider's.
fn provider_of_start(sources: &Sources) -> Option<&str> {
    let variable = sources.env.iter().rev().find(|(name, _)| name == PROVIDER_VARIABLE);
    let given = sources.flags.provider.as_deref().or(variable.map(|(_, value)| value.trim()));
    given.filter(|name| PROVIDERS.contains(name))
}

/// [`load`], with the workspace's and the user's file read from the disk.
///
/// `root` is the workspace's folder, `env` as [`environment`] gives it.
///
/// # Errors
/// As [`load`]; also when a file is there and cannot be read.
pub fn load_from_disk(root: &Path, env: Vec<(String, String)>, flags: Overrides) -> Result<Loaded, ConfigErrors> {
    load_with_user_file(root, user_config_file().as_deref(), None, env, flags)
}

/// [`load_from_disk`] with editor settings, and with the user's file named.
///
/// # Errors
/// As [`load_from_disk`].
pub fn load_with_user_file(
    root: &Path,
    user_file: Option<&Path>,
    editor: Option<serde_json::Value>,
    env: Vec<(String, String)>,
    flags: Overrides,
) -> Result<Loaded, ConfigErrors> {
    load_files(Some(root), user_file, editor, env, flags)
}

/// The settings of the user's own layers, where there is no workspace: their file, and the environment.
///
/// # Errors
/// As [`load_from_disk`].
pub fn load_without_workspace(env: Vec<(String, String)>) -> Result<Loaded, ConfigErrors> {
    load_files(None, user_config_file().as_deref(), None, env, Overrides::default())
}

fn load_files(
    root: Option<&Path>,
    user_file: Option<&Path>,
    editor: Option<serde_json::Value>,
    env: Vec<(String, String)>,
    flags: Overrides,
) -> Result<Loaded, ConfigErrors> {
    let mut errors = Vec::new();
    let mut readable = |name: String, opened: io::Result<Option<Box<dyn Read>>>| match text_of(opened) {
        Ok(text) => text.map(|text| TomlFile { name, text }),
        Err((position, message)) => {
            errors.push(ConfigError { place: Location { source: name, position }, setting: String::new(), message });
            None
        }
    };
    let workspace = root.and_then(|root| readable(WORKSPACE_FILE.to_owned(), open_beneath(root, WORKSPACE_FILE)));
    let user = user_file.and_then(|path| {
        let file = readable(path.display().to_string(), open(path))?;
        Some(UserFile { file, folder: folder_of(path) })
    });
    match load(&Sources { workspace, user, editor, env, flags }) {
        Ok(loaded) if errors.is_empty() => Ok(loaded),
        Ok(_) => Err(ConfigErrors(errors)),
        Err(ConfigErrors(more)) => Err(ConfigErrors(errors.into_iter().chain(more).collect())),
    }
}

/// The further phases of the user's configuration as it is now; none where it is faulty, which is reported where
/// settings are loaded.
pub fn user_phases() -> Vec<UserPhase> {
    load(&Sources { user: super::disk::user_file(), ..Sources::default() })
        .map(|loaded| loaded.settings.phases)
        .unwrap_or_default()
}

/// The checks of the workspace's file as it is now; none where it is faulty, which is reported where settings are loaded.
pub fn workspace_checks(root: &Path) -> Vec<Check> {
    let Ok(Some(text)) = text_of(open_beneath(root, WORKSPACE_FILE)) else { return Vec::new() };
    let workspace = Some(TomlFile { name: WORKSPACE_FILE.to_owned(), text });
    load(&Sources { workspace, ..Sources::default() }).map(|loaded| loaded.settings.checks).unwrap_or_default()
}

/// The name of the memory folder where no workspace says otherwise: by the user's file and the environment. Faults are
/// reported where settings are loaded.
pub fn user_memory_dir() -> String {
    let sources = Sources { user: super::disk::user_file(), env: super::disk::environment(), ..Sources::default() };
    load(&sources).map(|loaded| loaded.settings).unwrap_or_default().memory_dir
}

/// The settings while they are merged.
#[derive(Default)]
struct Loading {
    settings: Settings,
    origins: BTreeMap<&'static str, Origin>,
    values: BTreeMap<&'static str, String>,
    warnings: Vec<String>,
    errors: Vec<ConfigError>,
    given: BTreeMap<&'static str, Vec<Given>>,
    /// Limits of the workspace and the editor, held back until it is known what the user allows.
    limits: Vec<(Layer, &'static Setting, Node)>,
    /// Limits as the user sets them.
    allowed: BTreeMap<&'static str, Node>,
    /// The effective values of the limits that were lowered.
    lowered: BTreeMap<&'static str, Node>,
    raised: Vec<ConfigError>,
    user_folder: Option<PathBuf>,
}

impl Loading {
    fn file(&mut self, layer: Layer, file: &TomlFile) {
        match Node::from_toml(&file.name, &file.text) {
            Ok(node) => self.tree(layer, &node),
            Err(faults) => self.errors.extend(faults.into_iter().map(|(place, message)| ConfigError {
                place,
                setting: String::new(),
                message,
            })),
        }
    }

    /// All keys of a file or of the editor.
    fn tree(&mut self, layer: Layer, root: &Node) {
        let Raw::Table(fields) = &root.raw else {
            let message = format!("the settings are {root}; they are a table");
            self.errors.push(ConfigError { place: root.place.clone(), setting: String::new(), message });
            return;
        };
        let (before, raised_before) = (self.errors.len(), self.raised.len());
        self.table(layer, "", fields);
        self.raised[raised_before..].sort_by(|a, b| a.place.cmp(&b.place));
        let mut errors = self.errors.split_off(before);
        errors.sort_by(|a, b| a.place.cmp(&b.place));
        // A key among the parts of a check is both unknown and refused; the refusal came last and says more.
        errors.reverse();
        errors.dedup_by(|earlier, later| earlier.place == later.place && earlier.setting == later.setting);
        errors.reverse();
        self.errors.extend(errors);
    }

    fn table(&mut self, layer: Layer, prefix: &str, fields: &[(String, Location, Node)]) {
        for (name, place, node) in fields {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            if let Some(setting) = Setting::of(&key) {
                self.set(layer, setting, node);
                // A part of a check may not hold what no setting may. Of sinks an address is a part, and they have no others.
                if setting.scope != Scope::Users {
                    self.refuse_secrets(layer, &key, node);
                }
            } else if Setting::is_table(&key) {
                match &node.raw {
                    Raw::Table(fields) => self.table(layer, &key, fields),
                    _ => self.error(place, &key, format!("{key} is {node}; it is a table, as in {key}.fast = \"…\"")),
                }
            } else if let Some(reason) = forbidden_name(layer, name) {
                self.error(place, &key, format!("{key} {reason}"));
            } else {
                self.unknown(layer, place, &key);
                self.refuse_secrets(layer, &key, node);
            }
        }
    }

    /// Keys, endpoints and proxies below a key, at any depth.
    fn refuse_secrets(&mut self, layer: Layer, key: &str, node: &Node) {
        match &node.raw {
            Raw::Table(fields) => {
                for (name, place, node) in fields {
                    let key = format!("{key}.{name}");
                    match forbidden_name(layer, name) {
                        Some(reason) => self.error(place, &key, format!("{key} {reason}")),
                        None => self.refuse_secrets(layer, &key, node),
                    }
                }
            }
            Raw::List(items) => items.iter().for_each(|item| self.refuse_secrets(layer, key, item)),
            _ => {}
        }
    }

    fn set(&mut self, layer: Layer, setting: &'static Setting, given: &Node) {
        let shown = setting.kind.shown(given);
        let node = shown.as_ref().unwrap_or(given);
        if let Some(reason) = out_of_scope(setting, layer, node) {
            let message = format!("{} {reason}", setting.key);
            match setting.scope {
                Scope::OwnMachine { .. } => {
                    self.give(layer, setting, node, Fate::Ignored);
                    let (place, setting) = (node.place.clone(), setting.key.to_owned());
                    self.raised.push(ConfigError { place, setting, message });
                }
                _ => self.error(&node.place, setting.key, message),
            }
            return;
        }
        self.give(layer, setting, node, Fate::Overridden);
        let is_held_back = setting.scope == Scope::Lowers && !layer.is_users();
        let stays_demo = self.stays_demo(layer, setting);
        let mut scratch = (is_held_back || stays_demo).then(|| self.settings.clone());
        let folder = self.user_folder.as_deref().filter(|_| layer == Layer::User);
        let target = scratch.as_mut().unwrap_or(&mut self.settings);
        match setting.kind.apply(setting.key, given, LayerContext { layer, folder }, target) {
            Ok(()) if stays_demo => {}
            Ok(()) if is_held_back => self.limits.push((layer, setting, node.clone())),
            Ok(()) => {
                if setting.scope == Scope::Lowers {
                    self.allowed.insert(setting.key, node.clone());
                }
                self.holds(layer, setting, node);
            }
            Err(errors) => self.errors.extend(errors),
        }
    }

    /// Whether a workspace's file names the recorded answers of the demo where a person's own file or the editor names a model:
    /// those stay, for who tries the demo does not mean to pay for it.
    fn stays_demo(&self, layer: Layer, setting: &Setting) -> bool {
        let is_of_workspace = self.origins.get(setting.key).is_some_and(|origin| origin.layer == Layer::Workspace);
        let is_demo = |value: &String| value.split_once(':').is_some_and(|(provider, _)| provider == DEMO);
        setting.is_model()
            && matches!(layer, Layer::User | Layer::Editor)
            && is_of_workspace
            && self.values.get(setting.key).is_some_and(is_demo)
    }

    /// Note that a layer has this value.
    fn give(&mut self, layer: Layer, setting: &'static Setting, node: &Node, fate: Fate) {
        let origin = Origin { layer, place: node.place.clone() };
        let given = Given { origin, value: node.summary(), whole: node.to_json(), fate };
        self.given.entry(setting.key).or_default().push(given);
    }

    /// Note that this value is in force so far.
    fn holds(&mut self, layer: Layer, setting: &'static Setting, node: &Node) {
        self.origins.insert(setting.key, Origin { layer, place: node.place.clone() });
        self.values.insert(setting.key, node.summary());
    }

    /// Apply the limits of the workspace and the editor that are lower than the user's, or the default.
    fn lower_limits(&mut self) {
        for (layer, setting, node) in std::mem::take(&mut self.limits) {
            let default = || Node::loose("default", setting.default);
            let allowed = self.allowed.get(setting.key).cloned().unwrap_or_else(default);
            if setting.kind.rank(&node) > setting.kind.rank(&allowed) {
                let message = format!(
                    "{} is {node}, and {} may lower this limit but not raise it: {} holds ({}). To allow more, set it in \
                     your own {USER_FILE} or by {}",
                    setting.key,
                    if layer == Layer::Editor { "an editor's settings" } else { "a workspace" },
                    allowed.bare(),
                    allowed.place.source,
                    setting.variable()
                );
                let (place, setting) = (node.place.clone(), setting.key.to_owned());
                self.raised.push(ConfigError { place, setting, message });
                continue;
            }
            let holds = self.lowered.get(setting.key).unwrap_or(&allowed);
            if setting.kind.rank(&node) < setting.kind.rank(holds) {
                // `set` has read it before: it has no fault.
                let context = LayerContext { layer, folder: None };
                if setting.kind.apply(setting.key, &node, context, &mut self.settings).is_ok() {
                    self.holds(layer, setting, &node);
                    self.lowered.insert(setting.key, node);
                }
            }
        }
    }

    fn unknown(&mut self, layer: Layer, place: &Location, key: &str) {
        let hint = closest(key, settings_table().iter().map(|setting| setting.key));
        let message = format!("{key} is not a setting{hint}");
        // An editor's section also holds what its extension needs.
        if layer == Layer::Editor {
            self.warnings.push(format!("{place}: {message}"));
        } else {
            self.error(place, key, message);
        }
    }

    fn environment(&mut self, env: &[(String, String)], provider: Option<&str>) {
        let known: Vec<_> = settings_table().iter().map(|setting| (setting.variable(), setting)).collect();
        // Sorted by name, so that the order of messages is stable.
        let given: BTreeMap<_, _> = env.iter().map(|(name, value)| (name.as_str(), value.trim())).collect();
        for (name, value) in given {
            if !name.starts_with("BATON_") || NOT_SETTINGS.contains(&name) {
                continue;
            }
            match known.iter().find(|(variable, _)| variable == name) {
                // A shell unsets a variable for one command by `BATON_X= baton run`.
                Some((_, setting)) if value.is_empty() && !setting.is_off_when_empty() => {}
                Some((_, setting)) => {
                    let value = if setting.is_model() { with_provider(value, provider) } else { value.to_owned() };
                    self.set(Layer::Environment, setting, &Node::loose(name, &value));
                }
                None => {
                    let hint = closest(name, known.iter().map(|(variable, _)| variable.as_str()));
                    self.warnings.push(format!("{name} is not a setting and is ignored{hint}"));
                }
            }
        }
    }

    fn flags(&mut self, flags: &Overrides, provider: Option<&str>) {
        let approval = flags.approval.map(|mode| match mode {
            ApprovalMode::Ask => "ask",
            ApprovalMode::Auto => "auto",
        });
        let given = [
            ("provider", "--provider", flags.provider.as_deref()),
            ("approval", "--auto-approve", approval),
            ("budget_usd", "--budget", flags.budget_usd.as_deref()),
            ("dispatch", "--dispatch", flags.dispatch.as_deref()),
        ];
        for (key, flag, value) in given {
            if let (Some(setting), Some(value)) = (Setting::of(key), value) {
                self.set(Layer::Flags, setting, &Node::loose(flag, value));
            }
        }
        for (tier, model) in &flags.models {
            if let Some(setting) = Setting::of(&format!("models.{}", tier.as_str())) {
                self.set(Layer::Flags, setting, &Node::loose("--model", &with_provider(model, provider)));
            }
        }
    }

    /// A provider that the command line names serves what no setting names. Where one names a model of another provider,
    /// that holds, and whoever asked for the provider would not see why.
    fn warn_of_models_of_others(&mut self, flags: &Overrides) {
        let Some(provider) = flags.provider.as_deref() else { return };
        let models = &self.settings.models;
        let tiers = [("fast", &models.fast), ("balanced", &models.balanced), ("powerful", &models.powerful)];
        let others: Vec<String> = tiers
            .into_iter()
            .filter_map(|(tier, model)| {
                let model = model.as_deref().filter(|model| model.split(':').next() != Some(provider))?;
                let (_, origin) = self.origins.iter().find(|(key, _)| key.strip_prefix("models.") == Some(tier))?;
                (origin.layer < Layer::Flags).then(|| format!("models.{tier} is {model} ({})", origin.place))
            })
            .collect();
        if !others.is_empty() {
            self.warnings.push(format!(
                "--provider {provider} serves only what no setting names, and {}. For a model of {provider} there, add \
                 --model TIER=NAME",
                others.join(", ")
            ));
        }
    }

    fn error(&mut self, place: &Location, key: &str, message: String) {
        self.errors.push(ConfigError { place: place.clone(), setting: key.to_owned(), message });
    }

    fn finish(mut self) -> Result<Loaded, ConfigErrors> {
        let Settings { sinks, dispatch, allow_http_hosts, .. } = &self.settings;
        self.errors.extend(sinks.iter().filter_map(|sink| sink.plain_fault(allow_http_hosts)));
        self.errors.extend(dispatch.iter().filter_map(|dispatch| dispatch.plain_fault(allow_http_hosts)));
        if !self.errors.is_empty() {
            return Err(ConfigErrors(self.errors));
        }
        // A limit set by the environment or a flag replaces the workspace's: nothing to warn of.
        let is_replaced = |key: &str| self.origins.get(key).is_some_and(|origin| origin.layer >= Layer::Environment);
        self.raised.retain(|raised| !is_replaced(&raised.setting));
        let warnings = self.raised.iter().map(ToString::to_string).chain(self.warnings).collect();
        let Self { settings, raised, origins, values, mut given, .. } = self;
        for (key, given) in &mut given {
            if let Some(setting) = Setting::of(key) {
                judge(setting, given, origins.get(key));
            }
        }
        Ok(Loaded { settings, warnings, raised, origins, values, given })
    }
}
