//! What a failure has to do with the sandbox, in words for the model and for people.

use std::path::PathBuf;

use super::job::{Ended, Job, Place};
use super::limits::MAX_TASKS;

/// Words of programs that could not reach the network.
const NO_NETWORK: [&str; 14] = [
    "Could not resolve host",
    "Couldn't resolve host",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Network is unreachable",
    "network is unreachable",
    "ENETUNREACH",
    "EAI_AGAIN",
    "ENOTFOUND",
    "no such host",
    "failed to lookup address information",
    "nodename nor servname",
    "server misbehaving",
    "dial tcp: lookup",
];

/// Words for what is in use; here, for a mount that cannot be removed.
const BUSY: [&str; 3] = ["EBUSY", "Device or resource busy", "resource busy or locked"];

/// What explains how a job in a view ended. Nothing is said of a command that succeeded.
pub(super) fn hints(job: &Job, ended: &Ended, output: &str) -> Vec<String> {
    let mut hints = Vec::new();
    if matches!(ended, Ended::Exited(0) | Ended::NotRun(_) | Ended::Cancelled) {
        return hints;
    }
    let has = |words: &[&str]| words.iter().any(|word| output.contains(word));
    if *ended == Ended::Exited(127) {
        hints.push(not_found(output));
    }
    if !job.network && has(&NO_NETWORK) {
        hints.push(
            "The check has no network, only a loopback of its own: if it needs one, its `network` has to be true."
                .to_owned(),
        );
    }
    if has(&["EXDEV", "Invalid cross-device link", "cross-device link"]) {
        hints.push(
            "A folder that is in the working tree cannot be renamed in a view (EXDEV), only copied and removed, as `mv` \
             does. Rename its files, or write to a new folder."
                .to_owned(),
        );
    }
    if has(&["EOVERFLOW", "Value too large for defined data type"]) {
        hints.push(
            "A file that belongs to another user or group cannot be written in a view (EOVERFLOW). Remove it and make it \
             anew, or give it to the user who runs Baton."
                .to_owned(),
        );
    }
    if has(&["io_uring"]) && has(&["ENOSYS", "Function not implemented", "os error 38"]) {
        hints.push("A check has no io_uring, as on a kernel where it is switched off.".to_owned());
    }
    if has(&["ENOSPC", "No space left on device", "Disk quota exceeded"]) {
        hints.push(
            "The disk is full, or what /tmp, /var/tmp, /run and /dev/shm have in memory together. Write less there."
                .to_owned(),
        );
    }
    if has(&["EROFS", "Read-only file system"]) {
        hints.push("Outside of the workspace, the home folder and /tmp, a view is read-only.".to_owned());
    }
    if matches!(job.place, Place::End { .. }) && has(&BUSY) {
        hints.push(
            "A folder that git ignores is the real one here, and cannot be removed or renamed itself (EBUSY), only what is \
             in it."
                .to_owned(),
        );
    }
    hints
}

/// What is said of a check that the kernel refused more processes.
pub(super) fn too_many(was_full: bool) -> Option<String> {
    was_full.then(|| format!("It had {MAX_TASKS} processes and threads, and was refused more."))
}

/// Which of these folders, by what it printed, a command could not remove or rename: each is a mount of its own.
pub(super) fn busy_folders(output: &str, folders: &[String]) -> Vec<String> {
    let lines: Vec<&str> = output.lines().filter(|line| BUSY.iter().any(|word| line.contains(word))).collect();
    let is_named = |folder: &&String| {
        let name = folder.rsplit('/').next().unwrap_or(folder);
        let is_separator = |c: char| c.is_whitespace() || "/'\"`:,‘’".contains(c);
        lines.iter().any(|line| line.split(is_separator).any(|word| word == name))
    };
    folders.iter().filter(is_named).cloned().collect()
}

/// What a failing command may have missed: secret files of the workspace that it names.
pub(super) fn missing_secrets(output: &str, hidden: &[String]) -> Option<String> {
    let named: Vec<&str> = hidden.iter().map(String::as_str).filter(|path| output.contains(path)).collect();
    (!named.is_empty()).then(|| {
        format!(
            "A check sees no files of secrets ({}): if it needs them, its `secrets` has to be true.",
            named[..named.len().min(5)].join(", ")
        )
    })
}

/// The shell's own words name the command.
fn not_found(output: &str) -> String {
    let line = output.lines().rev().find(|line| line.contains("not found"));
    let named = line.and_then(|line| line.strip_suffix(": not found").or(line.strip_suffix(": command not found")));
    match named.and_then(|line| line.rsplit(": ").next()).filter(|name| !name.is_empty() && !name.contains(' ')) {
        Some(name) => format!("`{name}` was not found (exit code 127): it is not installed, or not in PATH."),
        None => "A command was not found (exit code 127): it is not installed, or not in PATH.".to_owned(),
    }
}

/// Says which folders are empty, as there are too many secrets in them.
pub(super) fn emptied(folders: &[PathBuf]) -> Option<String> {
    const MOST: usize = 5;
    let mut names: Vec<String> = folders.iter().take(MOST).map(|folder| folder.display().to_string()).collect();
    if folders.len() > MOST {
        names.push(format!("{} more", folders.len() - MOST));
    }
    (!names.is_empty()).then(|| format!("It saw nothing of {}: too many files of secrets are there.", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hinted(code: i32, network: bool, output: &str) -> String {
        let place = Place::End { touched: Vec::new() };
        let job = Job { command: String::new(), timeout: Duration::ZERO, network, secrets: false, place };
        hints(&job, &Ended::Exited(code), output).join(" ")
    }

    #[test]
    fn a_folder_that_cannot_be_removed_is_known_by_the_words_for_it() {
        let folders = ["dist", "web/build", "target", "node_modules"].map(str::to_owned);
        let busy = |output: &str| busy_folders(output, &folders);
        assert_eq!(busy("rm: cannot remove 'dist': Device or resource busy\n"), ["dist"]);
        assert_eq!(busy("Error: EBUSY: resource busy or locked, rmdir '/w/web/build'"), ["web/build"]);
        assert_eq!(busy("error: failed to remove `/w/target`: Device or resource busy (os error 16)"), ["target"]);
        assert!(busy("dist is fine").is_empty() && busy("EBUSY: port 80\ndist").is_empty());
        assert!(busy("EBUSY: distance").is_empty());
    }

    #[test]
    fn secrets_that_a_command_missed_are_named() {
        let hidden = [".env", "config/key.pem"].map(str::to_owned);
        let hint = missing_secrets("Error: cannot read config/key.pem", &hidden);
        assert!(hint.is_some_and(|hint| hint.contains("(config/key.pem)") && hint.contains("`secrets`")));
        assert_eq!(missing_secrets("assertion failed", &hidden), None);
    }

    #[test]
    fn each_thing_met_in_a_view_is_explained() {
        assert!(hinted(127, false, "sh: 1: pytset: not found\n").starts_with("`pytset` was not found"));
        assert!(hinted(127, false, "").starts_with("A command was not found"));
        let npm = "npm ERR! code EAI_AGAIN\nrequest to https://registry failed, getaddrinfo EAI_AGAIN registry";
        assert!(hinted(1, false, npm).contains("no network"));
        assert_eq!(hinted(1, true, npm), "", "it has the network");
        assert!(hinted(1, false, "Error: EXDEV: cross-device link not permitted, rename 'a' -> 'b'").contains("EXDEV"));
        assert!(
            hinted(1, false, "sh: 1: cannot create a: Value too large for defined data type").contains("EOVERFLOW")
        );
        assert!(hinted(1, false, "write: No space left on device").contains("full"));
        assert!(hinted(1, false, "touch: cannot touch '/etc/x': Read-only file system").contains("read-only"));
        assert!(hinted(1, false, "rm: cannot remove 'dist': Device or resource busy").contains("EBUSY"));
        assert_eq!(hinted(0, false, "EXDEV"), "", "nothing is wrong");
        assert_eq!(hinted(1, false, "assertion failed"), "");
    }

    #[test]
    fn folders_that_are_empty_are_named() {
        assert_eq!(emptied(&[]), None);
        let folders: Vec<PathBuf> = (1..8).map(|number| format!("/d/{number}").into()).collect();
        let said = emptied(&folders).unwrap();
        assert_eq!(
            said,
            "It saw nothing of /d/1, /d/2, /d/3, /d/4, /d/5, 2 more: too many files of secrets are there."
        );
    }
}
