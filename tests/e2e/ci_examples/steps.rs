//! The scripts of a workflow, run as a runner would: from their text, with what the workflow puts into their environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::programs::write_program;
use tempfile::TempDir;

/// A script with the variables that its workflow sets for it, in which expressions stand as they are written.
pub(super) struct Step {
    script: String,
    env: Vec<(String, String)>,
}

/// The lines that are deeper than this one, which is among them.
fn block<'a>(lines: &[&'a str], first: usize) -> Vec<&'a str> {
    let depth = indent(lines[first]);
    let deeper = |line: &&&str| line.trim().is_empty() || indent(line) > depth;
    lines[first..=first].iter().chain(lines[first + 1..].iter().take_while(deeper)).copied().collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The block that begins with the line that is this one but for spaces around.
#[track_caller]
fn block_of<'a>(lines: &[&'a str], wanted: &str) -> Vec<&'a str> {
    let first = lines.iter().position(|line| line.trim() == wanted);
    block(lines, first.unwrap_or_else(|| panic!("no line `{wanted}`")))
}

/// What stands below a line that ends with `|`, without the depth it has there.
fn literal(lines: &[&str], first: usize) -> String {
    let block = block(lines, first);
    let depth = block.iter().skip(1).filter(|line| !line.trim().is_empty()).map(|line| indent(line)).min().unwrap_or(0);
    block.iter().skip(1).map(|line| line.get(depth..).unwrap_or("").to_owned() + "\n").collect()
}

/// The pairs of a mapping named `env:` or `variables:`, as deep as a block has it first.
fn variables(block: &[&str], key: &str) -> Vec<(String, String)> {
    let Some(first) = block.iter().position(|line| line.trim() == key) else { return Vec::new() };
    let pair = |line: &&str| {
        let (name, value) = line.trim().split_once(": ").filter(|(name, _)| !name.starts_with('#'))?;
        let value = value.split_once(" #").map_or(value, |(value, _)| value);
        Some((name.to_owned(), value.trim().trim_matches('"').to_owned()))
    };
    self::block(block, first).iter().skip(1).filter_map(pair).collect()
}

impl Step {
    /// The step of a job of GitHub's.
    #[track_caller]
    pub(super) fn of_github(workflow: &str, job: &str, name: &str) -> Self {
        let lines: Vec<&str> = workflow.lines().collect();
        let job = block_of(&lines, &format!("{job}:"));
        let steps = job.iter().position(|line| line.trim() == "steps:").expect("steps");
        let mut env = variables(&job[..steps], "env:");
        let step = block_of(&job, &format!("- name: {name}"));
        env.extend(variables(&step, "env:"));
        let run = step.iter().position(|line| line.trim().starts_with("run:")).expect("a script");
        let script = match step[run].trim().strip_prefix("run: ") {
            Some("|") => literal(&step, run),
            line => line.expect("a script").to_owned(),
        };
        Self { script, env }
    }

    /// The script of a job of GitLab's.
    #[track_caller]
    pub(super) fn of_gitlab(workflow: &str, job: &str) -> Self {
        let lines: Vec<&str> = workflow.lines().collect();
        let job = block_of(&lines, &format!("{job}:"));
        let script = block_of(&job, "script:");
        let blocks = (0..script.len()).filter(|line| script[*line].trim() == "- |").map(|line| literal(&script, line));
        Self { script: blocks.collect(), env: variables(&job, "variables:") }
    }
}

/// A machine on which the scripts of one job run: a folder for its files, and programs that stand in for the forge's.
pub(super) struct Runner {
    folder: TempDir,
    env: BTreeMap<OsString, OsString>,
    values: BTreeMap<&'static str, String>,
}

/// How a script ended.
pub(super) struct Ran {
    pub(super) code: i32,
    /// What it handed to later steps.
    pub(super) outputs: BTreeMap<String, String>,
    /// What it printed, errors last.
    pub(super) said: String,
}

impl Runner {
    /// A machine with this environment; a stand-in writes down how it was called, and does what this script says.
    pub(super) fn new(env: Vec<(&'static str, OsString)>, stand_ins: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_baton"), bin.join("baton")).expect("a link");
        for (name, script) in stand_ins {
            let log = folder.path().join(name);
            let text = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{}'\n{script}\n", log.display());
            write_program(&bin.join(name), &text);
        }
        let mut env: BTreeMap<OsString, OsString> = env.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let path = env.entry("PATH".into()).or_default();
        let folders = std::iter::once(bin).chain(std::env::split_paths(path));
        *path = std::env::join_paths(folders.collect::<Vec<_>>()).expect("a path");
        let mut runner = Self { folder, env, values: BTreeMap::new() };
        for (name, file) in [("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary.md")] {
            runner.env.insert(name.into(), runner.path(file).into());
        }
        runner.env.insert("RUNNER_TEMP".into(), runner.folder.path().into());
        runner.env.insert("CI".into(), "true".into());
        runner.values.insert("runner.temp", runner.folder.path().display().to_string());
        runner
    }

    /// What an expression of the workflow is here.
    pub(super) fn value(&mut self, expression: &'static str, value: impl Into<String>) {
        self.values.insert(expression, value.into());
    }

    /// A variable that the runner sets.
    pub(super) fn variable(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.insert(name.into(), value.into());
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// How a stand-in was called, or what else is in a file of the machine; nothing where it is not there.
    pub(super) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_default()
    }

    #[track_caller]
    pub(super) fn run(&self, folder: &Path, step: &Step) -> Ran {
        fs::write(self.path("output"), "").expect("written");
        fs::write(self.path("script"), &step.script).expect("written");
        let mut bash = Command::new("bash");
        bash.arg("-e").arg(self.path("script")).current_dir(folder).env_clear().envs(&self.env);
        bash.envs(step.env.iter().map(|(name, value)| (name, self.expanded(value))));
        let output = bash.stdin(Stdio::null()).output().expect("bash");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        let outputs = self.text("output");
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ran { code: output.status.code().expect("a code"), outputs: outputs.lines().filter_map(pair).collect(), said }
    }

    /// A value with its expressions put in.
    #[track_caller]
    fn expanded(&self, value: &str) -> String {
        let mut parts = value.split("${{");
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once("}}").expect("the end of an expression");
            let value = self.values.get(expression.trim());
            expanded.push_str(value.unwrap_or_else(|| panic!("what is {expression} here?")));
            expanded.push_str(rest);
        }
        expanded
    }
}
