//! `[[checks]]`: the project's own commands, read from the settings.

use serde_json::{Value, json};

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

pub(super) const FIELDS: [&str; 7] = ["name", "command", "timeout_s", "network", "try", "secrets", "paths"];

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

/// The JSON Schema of a `[[checks]]` list; its fields in the order of [`FIELDS`].
pub(super) fn schema() -> Value {
    let text = |longest: usize, description: &str| json!({ "type": "string", "pattern": r"\S", "maxLength": longest, "description": description });
    let truth =
        |default: bool, description: &str| json!({ "type": "boolean", "default": default, "description": description });
    json!({
        "type": "array",
        "maxItems": MOST_CHECKS,
        "items": {
            "type": "object",
            "required": ["name", "command"],
            "additionalProperties": false,
            "properties": {
                "name": text(LONGEST_NAME, "Its name; no other check has it in any case."),
                "command": text(LONGEST_COMMAND, "What `sh -c` runs in the root of the workspace."),
                "timeout_s": {
                    "type": "integer", "minimum": 1, "maximum": LONGEST_S, "default": TIMEOUT_S,
                    "description": "Seconds it may take.",
                },
                "network": truth(false, "Whether it may use the network."),
                "try": truth(true, "Whether implementers may run it on their edits before these are written."),
                "secrets": truth(false, "Whether it may read files of secrets, such as .env."),
                "paths": {
                    "type": "array", "maxItems": MOST_PATHS, "items": { "type": "string", "pattern": r"\S" },
                    "description": "Globs of which a changed file must match one for it to run. Without any it always runs.",
                },
            },
        },
    })
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::load::load;
    use super::super::sources::{Sources, TomlFile, UserFile};
    use super::*;

    fn of_workspace(text: &str) -> Sources {
        Sources { workspace: Some(file("baton.toml", text)), ..Sources::default() }
    }

    fn file(name: &str, text: &str) -> TomlFile {
        TomlFile { name: name.to_owned(), text: text.to_owned() }
    }

    fn faults(text: &str, expected: Expect) {
        expected.assert_eq(&load(&of_workspace(text)).unwrap_err().to_string());
    }

    #[test]
    fn a_check_says_what_it_may_do_and_when_it_runs() {
        let text = "[[checks]]\nname = \"web tests\"\ncommand = \"\"\"\nset -e\nnpm test\"\"\"\nnetwork = true\ntry = false\n\
                    secrets = true\npaths = [\"*.ts\", \"./web/\", \"docs/**/*.md\"]\n";
        let loaded = load(&of_workspace(text)).unwrap();
        let expected = Check {
            network: true,
            r#try: false,
            secrets: true,
            paths: vec!["*.ts".to_owned(), "web/**".to_owned(), "docs/**/*.md".to_owned()],
            ..Check::of_workspace("web tests", "set -e\nnpm test")
        };
        assert_eq!(loaded.settings.checks, [expected]);
        assert!(loaded.settings.has_set_checks);
    }

    #[test]
    fn a_check_is_of_the_layer_that_set_it() {
        let text = "[[checks]]\nname = \"a\"\ncommand = \"a\"";
        let origin = |sources: &Sources| load(sources).unwrap().settings.checks[0].origin;
        let mut sources = of_workspace(text);
        assert_eq!(origin(&sources), CheckOrigin::Workspace);
        sources.user = Some(UserFile { file: file("config.toml", text), folder: Default::default() });
        assert_eq!(origin(&sources), CheckOrigin::User);
        sources.editor = Some(serde_json::json!({ "checks": [{ "name": "a", "command": "a", "try": false }] }));
        assert_eq!(origin(&sources), CheckOrigin::Editor, "editor settings come merged with the workspace's");
    }

    #[test]
    fn no_checks_can_be_set_too() {
        assert!(!load(&Sources::default()).unwrap().settings.has_set_checks);
        assert!(load(&of_workspace("checks = []")).unwrap().settings.has_set_checks);
    }

    #[test]
    fn every_wrong_part_of_a_check_has_its_place() {
        faults(
            "[[checks]]\nname = \"a\"\ncommand = \"a\"\nnetwork = \"true\"\ntry = 1\nsecrets = \"\"\npaths = \"*.rs\"\n\
             [[checks]]\nname = \"b\\u202e\"\ncommand = \"b\\u0000\"\npaths = [\"/src\", \"../x\", \"a\\\\b\", \"[\", 3, \"\"]\n\
             [[checks]]\nname = \"c\"\ncommand = \"c\"\n[[checks]]\nname = \"C\"\ncommand = \"c\"\n",
            expect![[r#"
                baton.toml:4:11: checks.network is "true"; it takes true or false, without quotes
                baton.toml:5:7: checks.try is 1; it takes true or false, without quotes
                baton.toml:6:11: checks.secrets is ""; it takes true or false, without quotes
                baton.toml:7:9: checks.paths is "*.rs"; it takes a list of globs, for example ["*.rs", "web/**"]
                baton.toml:9:8: checks.name holds control or invisible characters
                baton.toml:10:11: checks.command holds control or invisible characters
                baton.toml:11:10: checks.paths holds "/src": paths are named from the workspace's root, with /, as in web/**
                baton.toml:11:18: checks.paths holds "../x": paths are named from the workspace's root, with /, as in web/**
                baton.toml:11:26: checks.paths holds "a\\b": paths are named from the workspace's root, with /, as in web/**
                baton.toml:11:34: checks.paths holds "[": unclosed character class; missing ']'; write for example *.rs or web/**
                baton.toml:11:39: checks.paths holds 3; a glob is a text, for example "*.rs"
                baton.toml:11:42: checks.paths holds "": it is empty; write for example *.rs or web/**
                baton.toml:16:8: checks.name is "C", which differs from "c" only in case; give each check a name of its own"#]],
        );
    }

    #[test]
    fn names_commands_and_their_number_have_a_limit() {
        let long = |name: usize, command: usize| {
            format!("[[checks]]\nname = \"{}\"\ncommand = \"{}\"\n", "n".repeat(name), "c".repeat(command))
        };
        assert!(load(&of_workspace(&long(LONGEST_NAME, LONGEST_COMMAND))).is_ok());
        faults(
            &long(65, 8193),
            expect![[r#"
            baton.toml:2:8: checks.name has 65 bytes; it may have 64
            baton.toml:3:11: checks.command has 8193 bytes; it may have 8192"#]],
        );
        let many: String =
            (0..=MOST_CHECKS).map(|n| format!("[[checks]]\nname = \"{n}\"\ncommand = \"c\"\n")).collect();
        faults(&many, expect!["baton.toml:151:1: checks holds 51 checks; there can be 50"]);
        let globs = format!("[[checks]]\nname = \"a\"\ncommand = \"a\"\npaths = [{}]", "\"a\",".repeat(101));
        faults(&globs, expect!["baton.toml:4:9: checks.paths holds 101 globs; there can be 100"]);
    }
}
