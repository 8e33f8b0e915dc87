//! `[[checks]]`: the project's own commands, read from the settings.

use super::check::{Check, CheckOrigin, TIMEOUT_S};
use super::error::{ConfigError, closest};
use super::sources::Layer;
use super::value::{Node, Raw};
use crate::contracts::FileGlob;
use crate::text;

/// Most seconds a check may ask for: a week.
const LONGEST_S: u64 = 7 * 24 * 60 * 60;

/// Most checks. They run one after another, and a person is asked about all of them at once.
const MOST_CHECKS: usize = 50;

/// Most bytes of a name: encoded, it still is the name of a file.
const LONGEST_NAME: usize = 64;

/// Most bytes of a command. What is longer belongs in a script.
const LONGEST_COMMAND: usize = 8 * 1024;

/// Most globs of one check.
const MOST_PATHS: usize = 100;

const FIELDS: [&str; 7] = ["name", "command", "timeout_s", "network", "try", "secrets", "paths"];

/// The checks of a `[[checks]]` list of this layer.
///
/// # Errors
/// Everything wrong with any of them.
pub(super) fn read_checks(items: &[Node], layer: Layer) -> Result<Vec<Check>, Vec<ConfigError>> {
    if let Some(surplus) = items.get(MOST_CHECKS) {
        let what = format!("holds {} checks; there can be {MOST_CHECKS}", items.len());
        return Err(vec![surplus.refuse("checks", what)]);
    }
    let origin = match layer {
        Layer::Editor => CheckOrigin::Editor,
        layer if layer.is_users() => CheckOrigin::User,
        _ => CheckOrigin::Workspace,
    };
    let mut errors = Vec::new();
    let mut checks: Vec<Check> = Vec::new();
    for item in items {
        let is_same = |earlier: &Check, check: &Check| earlier.name.to_lowercase() == check.name.to_lowercase();
        match read_check(item, origin) {
            Ok(check) => match checks.iter().find(|earlier| is_same(earlier, &check)) {
                Some(earlier) => {
                    let what = match earlier.name == check.name {
                        true => format!("is {:?} a second time; give each check a name of its own", check.name),
                        false => format!(
                            "is {:?}, which differs from {:?} only in case; give each check a name of its own",
                            check.name, earlier.name
                        ),
                    };
                    errors.push(item.field("name").unwrap_or(item).refuse("checks.name", what));
                }
                None => checks.push(check),
            },
            Err(more) => errors.extend(more),
        }
    }
    if errors.is_empty() { Ok(checks) } else { Err(errors) }
}

fn read_check(item: &Node, origin: CheckOrigin) -> Result<Check, Vec<ConfigError>> {
    let Raw::Table(fields) = &item.raw else {
        return Err(vec![item.refuse("checks", format!("holds {item}; a check is a table with name and command"))]);
    };
    let mut reading = Reading { item, errors: Vec::new() };
    for (name, place, _) in fields.iter().filter(|(name, _, _)| !FIELDS.contains(&name.as_str())) {
        reading.errors.push(ConfigError {
            place: place.clone(),
            setting: format!("checks.{name}"),
            message: format!(
                "checks.{name} is not a field of a check{}; there are {}",
                closest(name, FIELDS.into_iter()),
                FIELDS.join(", ")
            ),
        });
    }
    let check = Check {
        name: reading.text("name", "test", LONGEST_NAME, text::is_unsafe),
        // A command of several lines is one; it is made safe wherever it is shown.
        command: reading.text("command", "cargo test", LONGEST_COMMAND, |c| c == '\0'),
        timeout_s: reading.timeout(),
        network: reading.truth("network", false),
        r#try: reading.truth("try", true),
        secrets: reading.truth("secrets", false),
        paths: reading.globs(),
        origin,
    };
    if reading.errors.is_empty() { Ok(check) } else { Err(reading.errors) }
}

/// The fields of a check, and what is wrong with them.
struct Reading<'a> {
    item: &'a Node,
    errors: Vec<ConfigError>,
}

impl Reading<'_> {
    fn text(&mut self, key: &str, example: &str, longest: usize, is_refused: fn(char) -> bool) -> String {
        let name = format!("checks.{key}");
        let Some(node) = self.item.field(key) else {
            self.errors.push(self.item.refuse(&name, format!("is missing; for example {key} = {example:?}")));
            return String::new();
        };
        let what = match node.as_text().map(str::trim) {
            Some(text) if text.contains(is_refused) => "holds control or invisible characters".to_owned(),
            Some(text) if text.len() > longest => format!("has {} bytes; it may have {longest}", text.len()),
            Some(text) if !text.is_empty() => return text.to_owned(),
            _ => format!("is {node}; it takes a text, for example {example:?}"),
        };
        self.errors.push(node.refuse(&name, what));
        String::new()
    }

    fn truth(&mut self, key: &str, default: bool) -> bool {
        let Some(node) = self.item.field(key) else { return default };
        node.as_truth().unwrap_or_else(|| {
            let what = format!("is {node}; it takes true or false, without quotes");
            self.errors.push(node.refuse(&format!("checks.{key}"), what));
            default
        })
    }

    fn timeout(&mut self) -> u64 {
        let Some(node) = self.item.field("timeout_s") else { return TIMEOUT_S };
        match node.as_whole().and_then(|whole| u64::try_from(whole).ok()) {
            Some(seconds) if (1..=LONGEST_S).contains(&seconds) => seconds,
            _ => {
                let what = format!("is {node}; it takes a whole number of seconds from 1 to {LONGEST_S}");
                self.errors.push(node.refuse("checks.timeout_s", what));
                TIMEOUT_S
            }
        }
    }

    fn globs(&mut self) -> Vec<String> {
        let Some(node) = self.item.field("paths") else { return Vec::new() };
        let Raw::List(items) = &node.raw else {
            let what = format!("is {node}; it takes a list of globs, for example [\"*.rs\", \"web/**\"]");
            self.errors.push(node.refuse("checks.paths", what));
            return Vec::new();
        };
        if items.len() > MOST_PATHS {
            self.errors
                .push(node.refuse("checks.paths", format!("holds {} globs; there can be {MOST_PATHS}", items.len())));
            return Vec::new();
        }
        let mut globs = Vec::new();
        for item in items {
            match item.as_text().map(read_glob) {
                Some(Ok(glob)) => globs.push(glob),
                Some(Err(why)) => self.errors.push(item.refuse("checks.paths", format!("holds {item}: {why}"))),
                None => {
                    let what = format!("holds {item}; a glob is a text, for example \"*.rs\"");
                    self.errors.push(item.refuse("checks.paths", what));
                }
            }
        }
        globs
    }
}

/// A glob that can match: files of the workspace are named from its root, with `/`.
fn read_glob(text: &str) -> Result<String, String> {
    let glob = text.trim().trim_start_matches("./");
    if glob.starts_with('/') || glob.contains('\\') || glob.split('/').any(|part| part == "..") {
        return Err("paths are named from the workspace's root, with /, as in web/**".to_owned());
    }
    let glob = if glob.ends_with('/') { format!("{glob}**") } else { glob.to_owned() };
    match FileGlob::parse(&glob) {
        Ok(_) => Ok(glob),
        Err(error) => Err(format!("{error}; write for example *.rs or web/**")),
    }
}
