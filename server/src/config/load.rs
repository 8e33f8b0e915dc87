use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use etcetera::BaseStrategy;

use super::error::{ConfigError, ConfigErrors, Place};
use super::kind::{Source, closest};
use super::settings::{ApprovalMode, Settings};
use super::table::{Scope, Setting, settings_table};
use super::value::{Node, Raw};
use crate::contracts::Position;

/// The workspace's file, in its root.
pub const WORKSPACE_FILE: &str = "baton.toml";

/// The user's file, in the configuration folder of XDG.
pub const USER_FILE: &str = "baton/config.toml";

/// Variables that begin like settings and are none: the transcript of the `replay` provider, the log filter, and how
/// patient the network is, for slow model servers (and for tests of it).
pub const NOT_SETTINGS: [&str; 5] =
    ["BATON_REPLAY", "BATON_LOG", "BATON_RETRY_BASE", "BATON_IDLE_TIMEOUT", "BATON_ANSWER_TIMEOUT"];

/// Most bytes a settings file may have.
const LARGEST: u64 = 1 << 20;

/// What may hold settings, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Built in.
    Default,
    /// The workspace's `baton.toml`: as trusted as the repository it came with.
    Workspace,
    /// The user's `baton/config.toml`.
    User,
    /// What the editor sends, already merged with the workspace's own editor settings: as trusted as those.
    Editor,
    /// `BATON_…`.
    Environment,
    /// The command line.
    Flags,
}

/// Where an effective value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The layer that won.
    pub layer: Layer,
    /// Where in it.
    pub place: Place,
}

/// The text of a settings file and the name messages give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlFile {
    /// How messages name the file.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The user's settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFile {
    /// The file.
    pub file: TomlFile,
    /// Its folder, from which paths in it are named.
    pub folder: PathBuf,
}

/// Settings given on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--provider`.
    pub provider: Option<String>,
    /// `--auto-approve`.
    pub approval: Option<ApprovalMode>,
}

/// Every layer above the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `baton.toml`.
    pub workspace: Option<TomlFile>,
    /// `baton/config.toml`.
    pub user: Option<UserFile>,
    /// The editor's section `baton`.
    pub editor: Option<serde_json::Value>,
    /// Names and values; those that do not begin with `BATON_` are left alone.
    pub env: Vec<(String, String)>,
    /// The command line.
    pub flags: Overrides,
}

/// Effective settings and where each comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// What deserves a word and stops nothing: variables and editor settings that name no setting.
    pub warnings: Vec<String>,
    /// Of the warnings those of a limit that the workspace or the editor would raise, each at its place.
    pub raised: Vec<ConfigError>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Layer {
    /// Whether what stands here is the user's own word, and not the workspace's.
    pub fn is_users(self) -> bool {
        !matches!(self, Self::Workspace | Self::Editor)
    }
}

impl Loaded {
    /// Where the value of a setting comes from; the key as in [`settings_table`].
    pub fn origin(&self, key: &str) -> Origin {
        let default = || Origin { layer: Layer::Default, place: Place::named("default") };
        self.origins.get(key).cloned().unwrap_or_else(default)
    }
}

/// Lay the layers over each other.
///
/// # Errors
/// Everything that is wrong in any layer, also where a stronger one would have won.
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
    loading.lower();
    loading.environment(&sources.env);
    loading.flags(&sources.flags);
    loading.finish()
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
    let mut errors = Vec::new();
    let mut readable = |name: String, opened: io::Result<Option<Box<dyn Read>>>| match text_of(opened) {
        Ok(text) => text.map(|text| TomlFile { name, text }),
        Err((position, message)) => {
            errors.push(ConfigError { place: Place { source: name, position }, setting: String::new(), message });
            None
        }
    };
    let workspace = readable(WORKSPACE_FILE.to_owned(), open_beneath(root, WORKSPACE_FILE));
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

/// The user's file, where there is one that can be read.
pub fn user_file() -> Option<UserFile> {
    let path = user_config_file()?;
    let text = text_of(open(&path)).ok()??;
    let folder = folder_of(&path);
    Some(UserFile { file: TomlFile { name: path.display().to_string(), text }, folder })
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where the user's file stands or would stand: `$XDG_CONFIG_HOME/baton/config.toml`, else below `~/.config`.
pub fn user_config_file() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join(USER_FILE))
}

/// The variables of this process that begin with `BATON_`.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with("BATON_"))
        .collect()
}

/// A variable of this process. What is no Unicode in it counts as an odd character, and not as a variable that is not set.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// A file of the workspace, opened through the folder's handle, and no link.
fn open_beneath(root: &Path, name: &str) -> io::Result<Option<Box<dyn Read>>> {
    // A folder that cannot be opened is the engine's to report, not a fault of the settings.
    let Ok(dir) = Dir::open_ambient_dir(root, ambient_authority()) else { return Ok(None) };
    match dir.symlink_metadata(name) {
        Ok(metadata) if metadata.is_symlink() => {
            Err(io::Error::other("it is a link, and the settings of a workspace are a file of its own"))
        }
        Ok(metadata) if metadata.is_file() => {
            // What stands there may have become a pipe meanwhile.
            let mut options = OpenOptions::new();
            options.read(true).follow(FollowSymlinks::No).nonblock(true);
            Ok(Some(Box::new(dir.open_with(name, &options)?)))
        }
        found => absent(found.map(|_| ())),
    }
}

/// A regular file at a path that the user chose; links are followed.
pub(super) fn open(path: &Path) -> io::Result<Option<Box<dyn Read>>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            let mut options = OpenOptions::new();
            options.read(true).nonblock(true);
            Ok(Some(Box::new(cap_std::fs::File::open_ambient_with(path, &options, ambient_authority())?)))
        }
        found => absent(found.map(|_| ())),
    }
}

/// What a file that is not a file means: nothing when it is missing, else an error. A pipe would never end.
fn absent(found: io::Result<()>) -> io::Result<Option<Box<dyn Read>>> {
    match found {
        Ok(()) => Err(io::Error::other("it is not a regular file")),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The text of a file, or what is wrong with it and where.
fn text_of(opened: io::Result<Option<Box<dyn Read>>>) -> Result<Option<String>, (Option<Position>, String)> {
    let unreadable = |error: io::Error| (None, format!("the settings cannot be read: {error}"));
    let Some(file) = opened.map_err(unreadable)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err((None, "the file is larger than 1 MiB; settings are not".to_owned()));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let before = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let position = Position::of(&before, before.len());
        (Some(position), "this is not UTF-8; save the file as UTF-8".to_owned())
    })
}

/// The settings so far, while layer is laid on layer.
#[derive(Default)]
struct Loading {
    settings: Settings,
    origins: BTreeMap<&'static str, Origin>,
    warnings: Vec<String>,
    errors: Vec<ConfigError>,
    /// Limits as the workspace and the editor set them, until it is known what the user allows.
    limits: Vec<(Layer, &'static Setting, Node)>,
    /// Limits as the user sets them.
    allowed: BTreeMap<&'static str, Node>,
    /// Of the limits that were lowered, what holds now.
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
        let before = self.errors.len();
        self.table(layer, "", fields);
        let mut errors = self.errors.split_off(before);
        errors.sort_by(|a, b| a.place.cmp(&b.place));
        // A key among the parts of a check is unknown and refused; the reason for the refusal came last and says more.
        errors.reverse();
        errors.dedup_by(|earlier, later| earlier.place == later.place && earlier.setting == later.setting);
        errors.reverse();
        self.errors.extend(errors);
    }

    fn table(&mut self, layer: Layer, prefix: &str, fields: &[(String, Place, Node)]) {
        for (name, place, node) in fields {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            if let Some(setting) = Setting::of(&key) {
                self.set(layer, setting, node);
                // A part of a check may not hold what no setting may.
                self.secrets(layer, &key, node);
            } else if Setting::is_table(&key) {
                match &node.raw {
                    Raw::Table(fields) => self.table(layer, &key, fields),
                    _ => self.error(place, &key, format!("{key} is {node}; it is a table, as in {key}.fast = \"…\"")),
                }
            } else if let Some(reason) = refusal(layer, name) {
                self.error(place, &key, format!("{key} {reason}"));
            } else {
                self.unknown(layer, place, &key);
                self.secrets(layer, &key, node);
            }
        }
    }

    /// Keys, endpoints and proxies below a key, at any depth.
    fn secrets(&mut self, layer: Layer, key: &str, node: &Node) {
        match &node.raw {
            Raw::Table(fields) => {
                for (name, place, node) in fields {
                    let key = format!("{key}.{name}");
                    match refusal(layer, name) {
                        Some(reason) => self.error(place, &key, format!("{key} {reason}")),
                        None => self.secrets(layer, &key, node),
                    }
                }
            }
            Raw::List(items) => items.iter().for_each(|item| self.secrets(layer, key, item)),
            _ => {}
        }
    }

    fn set(&mut self, layer: Layer, setting: &'static Setting, node: &Node) {
        if let Some(reason) = out_of_scope(setting, layer, node) {
            self.error(&node.place, setting.key, format!("{} {reason}", setting.key));
            return;
        }
        let waits = setting.scope == Scope::Lowers && !layer.is_users();
        let mut aside = waits.then(|| self.settings.clone());
        let folder = self.user_folder.as_deref().filter(|_| layer == Layer::User);
        let target = aside.as_mut().unwrap_or(&mut self.settings);
        match setting.kind.apply(setting, node, Source { layer, folder }, target) {
            Ok(()) if waits => self.limits.push((layer, setting, node.clone())),
            Ok(()) => {
                if setting.scope == Scope::Lowers {
                    self.allowed.insert(setting.key, node.clone());
                }
                self.origins.insert(setting.key, Origin { layer, place: node.place.clone() });
            }
            Err(errors) => self.errors.extend(errors),
        }
    }

    /// Let the workspace and the editor lower what the user's file, or the default, allows.
    fn lower(&mut self) {
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
                // It was read once already, without a fault.
                let source = Source { layer, folder: None };
                if setting.kind.apply(setting, &node, source, &mut self.settings).is_ok() {
                    self.origins.insert(setting.key, Origin { layer, place: node.place.clone() });
                    self.lowered.insert(setting.key, node);
                }
            }
        }
    }

    fn unknown(&mut self, layer: Layer, place: &Place, key: &str) {
        let hint = closest(key, settings_table().iter().map(|setting| setting.key));
        let message = format!("{key} is not a setting{hint}");
        // An editor's section also holds what its extension needs.
        if layer == Layer::Editor {
            self.warnings.push(format!("{place}: {message}"));
        } else {
            self.error(place, key, message);
        }
    }

    fn environment(&mut self, env: &[(String, String)]) {
        let known: Vec<_> = settings_table().iter().map(|setting| (setting.variable(), setting)).collect();
        // In the order of names, so that messages do not depend on the system's.
        let given: BTreeMap<_, _> = env.iter().map(|(name, value)| (name.as_str(), value.trim())).collect();
        for (name, value) in given {
            if !name.starts_with("BATON_") || NOT_SETTINGS.contains(&name) {
                continue;
            }
            match known.iter().find(|(variable, _)| variable == name) {
                // `BATON_X= baton run` is how a shell takes a variable back.
                Some(_) if value.is_empty() => {}
                Some((_, setting)) => self.set(Layer::Environment, setting, &Node::loose(name, value)),
                None => {
                    let hint = closest(name, known.iter().map(|(variable, _)| variable.as_str()));
                    self.warnings.push(format!("{name} is not a setting and is ignored{hint}"));
                }
            }
        }
    }

    fn flags(&mut self, flags: &Overrides) {
        let approval = flags.approval.map(|mode| match mode {
            ApprovalMode::Ask => "ask",
            ApprovalMode::Auto => "auto",
        });
        let given = [("provider", "--provider", flags.provider.as_deref()), ("approval", "--auto-approve", approval)];
        for (key, flag, value) in given {
            if let (Some(setting), Some(value)) = (Setting::of(key), value) {
                self.set(Layer::Flags, setting, &Node::loose(flag, value));
            }
        }
    }

    fn error(&mut self, place: &Place, key: &str, message: String) {
        self.errors.push(ConfigError { place: place.clone(), setting: key.to_owned(), message });
    }

    fn finish(mut self) -> Result<Loaded, ConfigErrors> {
        if !self.errors.is_empty() {
            return Err(ConfigErrors(self.errors));
        }
        // Where the environment or a flag decides, nothing of the workspace's would have held.
        let decides = |key: &str| self.origins.get(key).is_some_and(|origin| origin.layer >= Layer::Environment);
        self.raised.retain(|raised| !decides(&raised.setting));
        let warnings = self.raised.iter().map(ToString::to_string).chain(self.warnings).collect();
        Ok(Loaded { settings: self.settings, warnings, raised: self.raised, origins: self.origins })
    }
}

/// Why a layer may not set this setting, or not to this value.
fn out_of_scope(setting: &Setting, layer: Layer, node: &Node) -> Option<String> {
    match setting.scope {
        Scope::All | Scope::Lowers => None,
        Scope::UserFile if layer == Layer::User => None,
        Scope::UserFile if layer.is_users() => Some(format!("cannot be set here; set it in your own {USER_FILE}")),
        Scope::UserFile => Some(format!("cannot be set here: {}. Set it in your own {USER_FILE}", whose(layer))),
        Scope::UserFor(value) if layer.is_users() || node.as_text() != Some(value) => None,
        Scope::UserFor(value) => Some(format!(
            "may not be {value:?} here: {}. Set it in your own {USER_FILE}, by {} or on the command line",
            whose(layer),
            setting.variable()
        )),
        Scope::Files if layer <= Layer::Editor => None,
        Scope::Files => Some(format!("has parts and cannot be set here; set it in {WORKSPACE_FILE} or {USER_FILE}")),
        Scope::Start if layer >= Layer::Environment => None,
        Scope::Start => {
            Some(format!("belongs to one start, not to a file: use --{} or {}", setting.key, setting.variable()))
        }
    }
}

/// Why no setting of this name may stand in this layer, if so. The value is never repeated.
fn refusal(layer: Layer, name: &str) -> Option<String> {
    let bare: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let ends = |words: &[&str]| words.iter().any(|word| bare.ends_with(word));
    if ends(&["key", "token", "secret", "password", "credentials"]) {
        return Some(
            "looks like a key, and keys live in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY), never in \
             settings; take it out here"
                .to_owned(),
        );
    }
    let what = if bare.contains("proxy") {
        "a proxy; set HTTPS_PROXY"
    } else if ends(&["url", "uri", "endpoint", "host"]) {
        "an endpoint; set ANTHROPIC_BASE_URL or OPENAI_BASE_URL"
    } else {
        return None;
    };
    let why = if layer.is_users() { "no setting names it".to_owned() } else { whose(layer) };
    Some(format!("looks like {what} in your environment instead: {why}"))
}

/// Why a layer is not trusted.
fn whose(layer: Layer) -> String {
    match layer {
        Layer::Editor => "editor settings come merged with the workspace's, and a workspace decides nothing about \
                          trust, accounts and addresses"
            .to_owned(),
        _ => "this file comes with the workspace, and a workspace decides nothing about trust, accounts and addresses"
            .to_owned(),
    }
}
