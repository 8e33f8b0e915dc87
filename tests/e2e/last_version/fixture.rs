//! A memory folder with its work tree, as version 0.1.0 left them, in one text file: written by [`Snapshot::save`], put
//! in place by [`LastVersion::open`]. `tests/fixtures/memory-0.1.0/README.md` describes the format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::seal::{Seal, hex, unhex};
use crate::support::session::{MEMORY, Session};

const TEXTS: &str = "texts.txt";
const ROOT: &str = "${root}";

/// A workspace that version 0.1.0 worked in.
pub(super) struct LastVersion {
    /// The workspace, at a path of its own.
    pub(super) session: Session,
    /// What `baton status --json` of version 0.1.0 printed for it.
    pub(super) reported: Value,
}

/// A workspace at one moment.
#[derive(Clone)]
pub(super) struct Snapshot {
    files: BTreeMap<String, File>,
    notes: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq)]
struct File {
    mode: u32,
    text: String,
}

/// Where the fixtures are.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/memory-0.1.0")
}

/// The stages there are fixtures of, sorted.
pub(super) fn stages() -> Vec<String> {
    let names = fs::read_dir(folder()).expect("the fixtures").map(|entry| entry.expect("an entry").file_name());
    let stage = |name: std::ffi::OsString| Some(name.to_str()?.strip_suffix(".txt")?.to_owned());
    let mut stages: Vec<String> = names.filter_map(stage).filter(|stage| format!("{stage}.txt") != TEXTS).collect();
    stages.sort();
    stages
}

impl LastVersion {
    /// The workspace of a stage, in a temporary folder, sealed for that place. `committed` are the files of the only
    /// commit, where the stage is one in git.
    ///
    /// Every code in it is verified first as version 0.1.0 made it, so that what is sealed here is what that version
    /// would have sealed.
    pub(super) fn open(stage: &str, committed: Option<&str>) -> Self {
        let Snapshot { files, notes } = Snapshot::read(stage);
        let session = Session::new("");
        // The contexts in it grow older, and are to count as they did when it was made.
        session.write_user_config("context_staleness_hours = 1e7\n");
        if let Some(committed) = committed {
            start_repository(&session, committed);
        }
        let (old_root, new_root) = (notes["root"].trim(), session.root().to_str().expect("UTF-8"));
        let key = unhex(notes["key"].trim()).expect("a key in hex");
        let (old, new) = (Seal::new(&key, old_root), Seal::new(&key, new_root));
        for (path, File { mode, text }) in files {
            session.write(&path, resealed(&path, &text, &old, &new, |text| text.replace(old_root, new_root)));
            session.set_mode(&path, mode);
        }
        for name in notes.get("refs").iter().flat_map(|refs| refs.lines()) {
            session.git(&["update-ref", name, "HEAD"]);
        }
        write_key(&session, &key);
        let reported = serde_json::from_str(&notes["status"]).expect("a status");
        Self { session, reported }
    }
}

/// One commit of these files, always the same one, and none of them in the working tree any more.
pub(super) fn start_repository(session: &Session, committed: &str) {
    let before = Session::new(committed).tree();
    for (path, bytes) in &before {
        session.write(path, bytes);
        session.set_mode(path, 0o644);
    }
    session.git(&["init", "-q", "-b", "main", "--object-format=sha1"]);
    session.git(&["add", "-A"]);
    let mut commit = Command::new("git");
    commit.current_dir(session.root()).args(["commit", "-q", "-m", "start"]);
    commit.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        commit.env(format!("GIT_{role}_NAME"), "Test").env(format!("GIT_{role}_EMAIL"), "test@localhost");
        commit.env(format!("GIT_{role}_DATE"), "2026-01-01T00:00:00Z");
    }
    assert!(commit.status().expect("git").success());
    for path in before.keys() {
        fs::remove_file(session.path(path)).expect("a file");
    }
}

/// A file's text for another place, with every code in it made for that place.
fn resealed(path: &str, text: &str, old: &Seal, new: &Seal, moved: impl Fn(&str) -> String) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    if !path.starts_with(MEMORY) {
        return text.to_owned();
    }
    if name == "transcript.jsonl" {
        let line = |line: &str| match Seal::transcript_line(line) {
            Some((body, mac)) => {
                assert!(old.verifies("transcript", body.as_bytes(), mac), "{path}: {line}");
                Seal::join(&moved(body), &new.code("transcript", moved(body).as_bytes()))
            }
            // Cut by a kill.
            None => moved(line),
        };
        let ended = text.split_inclusive('\n').map(|with_end| match with_end.strip_suffix('\n') {
            Some(whole) => line(whole) + "\n",
            None => line(with_end),
        });
        return ended.collect();
    }
    let kind = match name {
        "approval.json" => "approval",
        _ if path.contains("/publish/") => "publish",
        _ => return moved(text),
    };
    let content = |value: &Value| if kind == "approval" { Seal::of_approval(value) } else { Seal::of_publish(value) };
    let value = |text: &str| -> Value { serde_json::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}")) };
    let before = value(text);
    let mac = before["mac"].as_str().expect("a code");
    assert!(old.verifies(kind, &content(&before), mac), "{path} was sealed otherwise");
    let text = moved(text);
    let code = new.code(kind, &content(&value(&text)));
    text.replace(mac, &code)
}

impl Snapshot {
    fn read(stage: &str) -> Self {
        let read = |name: &str| {
            let path = folder().join(name);
            parts(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        };
        let (texts, mut own) = (read(TEXTS).notes, read(&format!("{stage}.txt")));
        let mut snapshot = match own.notes.remove("from") {
            Some(from) => Self::read(from.trim()),
            None => Self { files: BTreeMap::new(), notes: BTreeMap::new() },
        };
        for gone in own.notes.remove("gone").iter().flat_map(|gone| gone.lines()) {
            assert!(snapshot.files.remove(gone.trim_start_matches('/')).is_some(), "{stage}: {gone}");
        }
        snapshot.notes.extend(own.notes);
        let root = snapshot.notes["root"].trim().to_owned();
        for (path, mut file) in own.files {
            file.text = file.text.replace(ROOT, &root);
            for (name, shared) in &texts {
                file.text = file.text.replace(&placeholder(name), &in_json(shared));
            }
            snapshot.files.insert(path, file);
        }
        snapshot
    }

    /// A workspace as it stands now.
    pub(super) fn of(session: &Session) -> Self {
        let mut tree: BTreeMap<String, Vec<u8>> = session.tree();
        tree.extend(session.memory_tree().into_iter().map(|(path, bytes)| (format!("{MEMORY}/{path}"), bytes)));
        let file = |(path, bytes): (String, Vec<u8>)| {
            let file = File { mode: session.mode(&path), text: String::from_utf8(bytes).expect("UTF-8") };
            (path, file)
        };
        let key = fs::read(session.state().join("key")).expect("a key");
        let mut notes = BTreeMap::from([
            ("root".to_owned(), format!("{}\n", session.root().display())),
            ("key".to_owned(), format!("{}\n", hex(&key))),
        ]);
        if session.exists(".git") {
            notes.insert("refs".to_owned(), session.git(&["for-each-ref", "--format=%(refname)", "refs/baton"]));
        }
        let files = tree.into_iter().map(file).collect();
        let status = session.baton(["status", "--json"]).run().expect(0).json();
        notes.insert("status".to_owned(), format!("{}\n", summary(&status)));
        Self { files, notes }
    }

    /// Put it where it was made.
    pub(super) fn put_back(&self, session: &Session) {
        assert_eq!(session.root().to_str(), Some(self.notes["root"].trim()));
        for (path, File { mode, text }) in &self.files {
            session.write(path, text);
            session.set_mode(path, *mode);
        }
        write_key(session, &unhex(self.notes["key"].trim()).expect("a key in hex"));
    }

    /// Write a stage's fixture: what differs from the stage it began from. `texts` are the shared ones, which grow.
    pub(super) fn save(&self, stage: &str, from: Option<(&str, &Self)>, texts: &mut BTreeMap<String, String>) {
        let mut fixture = String::new();
        let mut put = |head: &str, text: &str| {
            let is_whole = text.is_empty() || text.ends_with('\n');
            let (word, end) = if is_whole { ("", "") } else { (" unended", "\n") };
            write!(fixture, "//- {head}{word}\n{text}{end}").expect("a string");
        };
        if let Some((name, before)) = from {
            put("from", &format!("{name}\n"));
            let gone = before.files.keys().filter(|path| !self.files.contains_key(*path));
            let gone: String = gone.map(|path| format!("/{path}\n")).collect();
            if !gone.is_empty() {
                put("gone", &gone);
            }
        }
        for (name, text) in &self.notes {
            if name == "status" || from.is_none_or(|(_, before)| before.notes.get(name) != Some(text)) {
                put(name, text);
            }
        }
        for (path, file) in &self.files {
            if from.is_some_and(|(_, before)| before.files.get(path) == Some(file)) {
                continue;
            }
            let mut text = file.text.clone();
            assert!(!text.contains("${") && !format!("\n{text}").contains("\n//- "), "{path}: {text}");
            if path.ends_with("transcript.jsonl") {
                share_prompts(&mut text, texts);
            }
            let bits = if file.mode == 0o644 { String::new() } else { format!(" {:04o}", file.mode) };
            put(&format!("/{path}{bits}"), &text.replace(self.notes["root"].trim(), ROOT));
        }
        fs::write(folder().join(format!("{stage}.txt")), fixture).expect("a fixture");
        let mut shared = String::new();
        for (name, text) in &*texts {
            let (word, end) = if text.ends_with('\n') { ("", "") } else { (" unended", "\n") };
            write!(shared, "//- {name}{word}\n{text}{end}").expect("a string");
        }
        fs::write(folder().join(TEXTS), shared).expect("the shared texts");
    }
}

fn write_key(session: &Session, key: &[u8]) {
    fs::create_dir_all(session.state()).expect("a folder for the key");
    let path = session.state().join("key");
    fs::write(&path, key).expect("a key");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}

fn placeholder(name: &str) -> String {
    format!("${{{name}}}")
}

/// A text as it stands between quotes in JSON.
fn in_json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The files and the notes of a fixture.
fn parts(text: &str) -> Snapshot {
    let (mut files, mut notes) = (BTreeMap::new(), BTreeMap::new());
    // Every part loses the end of its last line to the line that begins the next one.
    for part in format!("\n{}", text.strip_suffix('\n').unwrap_or(text)).split("\n//- ").skip(1) {
        let (head, body) = part.split_once('\n').map_or((part, None), |(head, body)| (head, Some(body)));
        let mut words = head.split(' ');
        let name = words.next().unwrap_or_default();
        let (mut mode, mut ending) = (0o644, "\n");
        for word in words {
            match word {
                "unended" => ending = "",
                bits => mode = u32::from_str_radix(bits, 8).expect("permission bits"),
            }
        }
        let text = body.map(|body| format!("{body}{ending}")).unwrap_or_default();
        match name.strip_prefix('/') {
            Some(path) => drop(files.insert(path.to_owned(), File { mode, text })),
            None => drop(notes.insert(name.to_owned(), text)),
        }
    }
    Snapshot { files, notes }
}

/// Of a status, what every later version has to say in the same words.
pub(super) fn summary(status: &Value) -> Value {
    let each = |list: &str, fields: &[&str]| -> Vec<Value> {
        let items = status[list].as_array().into_iter().flatten();
        items.map(|item| fields.iter().map(|field| ((*field).to_owned(), item[*field].clone())).collect()).collect()
    };
    json!({
        "run": status["run"], "task": status["task"], "outcome": status["outcome"], "next": status["next"],
        "phases": each("phases", &["phase", "status"]), "tasks": each("tasks", &["id", "status", "files"]),
        "issues": each("issues", &["id", "state", "severity", "file", "line"]),
        "gate": status["gate"]["plan_sha256"], "usage": status["usage"],
    })
}

/// Put placeholders where a transcript holds a system prompt.
fn share_prompts(transcript: &mut String, texts: &mut BTreeMap<String, String>) {
    let lines: Vec<Value> = transcript.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for line in lines {
        let agent = line["agent"].as_str().unwrap_or_default().split('/').next().unwrap_or_default().to_owned();
        for prompt in line["system"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if prompt.len() < 1000 {
                continue;
            }
            let known = texts.iter().find(|(_, text)| *text == prompt).map(|(name, _)| name.clone());
            let name = known.unwrap_or_else(|| {
                let name = (1..).map(|n| format!("{agent}-{n}.md")).find(|name| !texts.contains_key(name));
                name.expect("one that is free")
            });
            *transcript = transcript.replace(&in_json(prompt), &placeholder(&name));
            texts.insert(name, prompt.to_owned());
        }
    }
}
