//! A control group (cgroup v2) of a check's own, where one is delegated to this user: it holds the number of its tasks.
//!
//! No group is touched that is somebody else's to manage: a group counts as delegated where it is marked so, where what is
//! counted in its children is switched on already for the group that this process is in, or where it is the root of the
//! groups that this process sees. Where there is none, the count of [`limits`](super::limits) holds alone. How much memory
//! a check takes is left as it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::limits::MAX_TASKS;

/// Where systems mount the second version; the latter beside the first one. Source: systemd, CGROUP_DELEGATION.md.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// How a service says that a group was given away. Source: systemd.resource-control(5), `Delegate=`.
const MARKS: [&str; 2] = ["user.delegate", "trusted.delegate"];
const PREFIX: &str = "baton-check-";
/// Limits of a group that one beside it would not have.
const LIMITS: [&str; 4] = ["memory.max", "memory.high", "memory.swap.max", "cpu.max"];

/// Removed in the end, once nothing is in it.
pub(super) struct Group {
    folder: PathBuf,
}

impl Group {
    /// Puts a process that has started nothing yet, and so all it will start, into a group of its own. `None` where no group
    /// is delegated.
    pub(super) fn of(process: u32) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        // Outside of what this process sees.
        if own.split('/').any(|part| part == "..") {
            return None;
        }
        let mount = MOUNTS.iter().map(Path::new).find(|mount| mount.join("cgroup.controllers").is_file())?;
        Self::below(mount, own, process)
    }

    fn below(mount: &Path, own: &str, process: u32) -> Option<Self> {
        let own = if own.is_empty() { mount.to_owned() } else { mount.join(own) };
        places(mount, &own).into_iter().find_map(|place| {
            sweep(&place);
            let group = Self::new(&place).ok()?;
            fs::write(group.folder.join("cgroup.procs"), process.to_string()).ok()?;
            Some(group)
        })
    }

    fn new(place: &Path) -> io::Result<Self> {
        let name = format!("{PREFIX}{}-{:08x}", std::process::id(), fastrand::u32(..));
        let group = Self { folder: place.join(name) };
        fs::create_dir(&group.folder)?;
        // Below a group that has processes itself, such a child counts tasks and nothing else.
        if has_word(&group.folder.join("cgroup.type"), "invalid") {
            fs::write(group.folder.join("cgroup.type"), "threaded")?;
        }
        fs::write(group.folder.join("pids.max"), MAX_TASKS.to_string())?;
        Ok(group)
    }

    /// Whether a task was refused, as there were too many.
    pub(super) fn was_full(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("pids.events")).unwrap_or_default();
        events.lines().any(|line| line.strip_prefix("max ").is_some_and(|count| count.trim() != "0"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What is still busy is swept by a later check.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The groups in which one may be made, the best first.
fn places(mount: &Path, own: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let counts = |group: &Path| has_word(&group.join("cgroup.subtree_control"), "pids");
    if counts(own) || (is_delegated(own) && fs::write(own.join("cgroup.subtree_control"), "+pids").is_ok()) {
        places.push(own.to_owned());
    }
    let is_limited =
        || LIMITS.iter().any(|limit| fs::read_to_string(own.join(limit)).is_ok_and(|value| !value.starts_with("max")));
    if own != mount
        && let Some(parent) = own.parent()
        // The root of the machine has no type: there, all is the system's to manage.
        && (is_delegated(parent) || (parent == mount && mount.join("cgroup.type").exists()))
        && counts(parent)
        && !is_limited()
    {
        places.push(parent.to_owned());
    }
    places
}

fn is_delegated(group: &Path) -> bool {
    let is_set = |mark: &&str| {
        let mut value = [0; 4];
        let read = rustix::fs::getxattr(group, *mark, &mut value);
        read.is_ok_and(|count| value[..count] == *b"1")
    };
    MARKS.iter().any(is_set)
}

fn has_word(file: &Path, word: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.split_whitespace().any(|other| other == word))
}

/// Removes the groups that a kill left. One that something is in stays: the kernel removes no other.
fn sweep(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let made_by = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        // Whoever has just made one is about to put a process into it.
        if made_by.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of groups: each file with its text.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let mount = tempfile::tempdir().expect("a folder");
        for (file, text) in files {
            let file = mount.path().join(file);
            fs::create_dir_all(file.parent().expect("a parent")).expect("folders");
            fs::write(file, text).expect("a file");
        }
        mount
    }

    fn group_in(mount: &Path, own: &str) -> Option<String> {
        let group = Group::below(mount, own, 77)?;
        assert_eq!(fs::read_to_string(group.folder.join("cgroup.procs")).expect("a file"), "77");
        assert_eq!(fs::read_to_string(group.folder.join("pids.max")).expect("a file"), MAX_TASKS.to_string());
        Some(group.folder.strip_prefix(mount).expect("below").parent()?.to_str()?.to_owned())
    }

    #[test]
    fn a_group_is_made_only_where_one_is_delegated() {
        let own = tree(&[("cgroup.subtree_control", "cpu pids\n")]);
        assert_eq!(group_in(own.path(), "").as_deref(), Some(""));
        // A container: its root is one of the machine's groups, and what runs in it is in another one below.
        let files =
            [("cgroup.type", "domain\n"), ("cgroup.subtree_control", "pids\n"), ("init/cpu.max", "max 100000\n")];
        let container = tree(&files);
        assert_eq!(group_in(container.path(), "init").as_deref(), Some(""));
        let limited = tree(&[files[0], files[1], ("init/memory.max", "4096\n")]);
        assert_eq!(group_in(limited.path(), "init"), None, "the check would be free of the limit");
        let machine = tree(&[files[1], files[2]]);
        assert_eq!(group_in(machine.path(), "init"), None, "the root of the machine is the system's");
        let uncounted = tree(&[files[0], ("cgroup.subtree_control", "cpu\n"), files[2]]);
        assert_eq!(group_in(uncounted.path(), "init"), None);
        let scope = tree(&[("a/cgroup.subtree_control", "pids\n"), ("a/b/cgroup.procs", "77\n")]);
        assert_eq!(group_in(scope.path(), "a/b"), None, "nobody said that it is ours");
    }

    #[test]
    fn what_a_kill_left_is_swept_and_what_another_uses_is_not() {
        let mount = tree(&[("cgroup.subtree_control", "pids\n")]);
        let (left, used) = (format!("{PREFIX}4194999-1"), format!("{PREFIX}{}-1", std::process::id()));
        for folder in [&left, &used, "other"] {
            fs::create_dir(mount.path().join(folder)).expect("a folder");
        }
        assert!(group_in(mount.path(), "").is_some());
        assert!(!mount.path().join(left).exists());
        assert!(mount.path().join(used).exists() && mount.path().join("other").exists());
    }

    #[test]
    fn a_refused_task_is_known() {
        let mount = tree(&[("full/pids.events", "max 3\n"), ("free/pids.events", "max 0\n"), ("none/x", "")]);
        let was_full = |name: &str| Group { folder: mount.path().join(name) }.was_full();
        assert!(was_full("full") && !was_full("free") && !was_full("none"));
    }
}
