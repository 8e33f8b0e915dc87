//! What the user's machine has: folders, variables, memory.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The least and the most of all that is written in memory in one room, in bytes.
const MEMORY: std::ops::RangeInclusive<u64> = (256 << 20)..=(4 << 30);

/// Folders in which programs of the user meet: each room has its own.
const SHARED: [&str; 3] = ["/tmp", "/var/tmp", "/run"];

/// Variables that name folders in which tools keep what they fetched or made.
const TOOL_FOLDERS: [&str; 27] = [
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "GOPATH",
    "GOCACHE",
    "GOMODCACHE",
    "npm_config_cache",
    "PNPM_HOME",
    "YARN_CACHE_FOLDER",
    "PIP_CACHE_DIR",
    "POETRY_CACHE_DIR",
    "UV_CACHE_DIR",
    "VIRTUAL_ENV",
    "GRADLE_USER_HOME",
    "MAVEN_USER_HOME",
    "NUGET_PACKAGES",
    "DOTNET_CLI_HOME",
    "MIX_HOME",
    "HEX_HOME",
    "DENO_DIR",
    "GEM_HOME",
    "BUNDLE_PATH",
    "CCACHE_DIR",
    "SCCACHE_DIR",
    "PYTHONUSERBASE",
];

/// Where a user's things are.
#[derive(Debug, Clone)]
pub(super) struct User {
    /// All variables of this process.
    pub(super) variables: Vec<(OsString, OsString)>,
    /// The real path of `$HOME`, if there is one that is a folder of its own.
    pub(super) home: Option<PathBuf>,
    /// Folders that are empty in a room: real paths.
    pub(super) covered: Vec<PathBuf>,
    /// Where upper layers are made: `$XDG_CACHE_HOME/baton/views`, else below `~/.cache`.
    pub(super) views: Option<PathBuf>,
    /// Baton's own folders, which no command sees.
    pub(super) own: Vec<PathBuf>,
}

impl User {
    /// The user of this process.
    pub(super) fn of_process() -> Self {
        let variables: Vec<(OsString, OsString)> = env::vars_os().collect();
        let folder = |name: &str| {
            let found = variables.iter().find(|(variable, _)| variable == name);
            found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
        };
        let named_home = folder("HOME");
        let home = named_home.as_ref().and_then(|home| home.canonicalize().ok());
        let home = home.filter(|home| home.is_dir() && home.parent().is_some());
        let below_home = |path: &str| named_home.as_ref().map(|home| home.join(path));
        let views = folder("XDG_CACHE_HOME").or_else(|| below_home(".cache")).map(|cache| cache.join("baton/views"));
        let state = folder("XDG_STATE_HOME").or_else(|| below_home(".local/state")).map(|state| state.join("baton"));
        let mut covered: Vec<PathBuf> = Vec::new();
        for shared in SHARED.iter().map(PathBuf::from).chain(folder("XDG_RUNTIME_DIR")) {
            if let Ok(real) = shared.canonicalize()
                && !covered.iter().any(|other| real.starts_with(other))
            {
                covered.push(real);
            }
        }
        let own = views
            .clone()
            .into_iter()
            .chain(state)
            .chain(below_home(".local/state/baton"))
            .chain(folder("XDG_CONFIG_HOME").or_else(|| below_home(".config")).map(|config| config.join("baton")))
            .collect();
        Self { home, covered, views, own, variables }
    }

    /// The folders in which tools keep things, where variables say so: real paths, none within another.
    pub(super) fn tool_folders(&self) -> Vec<PathBuf> {
        let is_named = |name: &OsString| TOOL_FOLDERS.iter().any(|folder| name == folder);
        let named = self.variables.iter().filter(|(name, value)| is_named(name) && Path::new(value).is_absolute());
        let mut folders: Vec<PathBuf> = named.filter_map(|(_, value)| Path::new(value).canonicalize().ok()).collect();
        folders.retain(|folder| folder.is_dir());
        // A folder comes right before what is in it.
        folders.sort();
        folders.dedup_by(|inner, outer| inner.starts_with(&*outer));
        folders
    }

    /// The folders in which programs are looked for.
    pub(super) fn program_folders(&self) -> Vec<PathBuf> {
        let path = self.variables.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
        path.map(|path| env::split_paths(path).filter(|folder| folder.is_absolute()).collect()).unwrap_or_default()
    }

    /// What is needed though it may lie beneath a covered folder: the programs, with what those of a virtual environment run
    /// on, and, for the network, how names are resolved.
    pub(super) fn needed(&self, network: bool) -> Vec<PathBuf> {
        let programs = self.program_folders();
        let mut needed: Vec<PathBuf> = programs.iter().flat_map(|folder| environment_parts(folder)).collect();
        needed.splice(0..0, programs);
        if network && let Ok(target) = fs::read_link("/etc/resolv.conf") {
            needed.push(Path::new("/etc").join(target));
        }
        needed.retain(|path| path.is_absolute());
        needed
    }
}

/// What belongs to the programs of a folder that is the `bin` of a virtual environment of Python; nothing where it is none.
///
/// These parts and no more: what else lies in the folder of the environment is no part of what `PATH` says, and where that is
/// a folder that users share, such as `/tmp`, anybody may have made a file there.
fn environment_parts(programs: &Path) -> Vec<PathBuf> {
    const PARTS: [&str; 5] = ["pyvenv.cfg", "lib", "lib64", "include", "share"];
    let environment = programs.parent().filter(|_| programs.file_name().is_some_and(|name| name == "bin"));
    // Source: PEP 405, "Specification".
    let is_marked = |folder: &&Path| fs::symlink_metadata(folder.join("pyvenv.cfg")).is_ok_and(|file| file.is_file());
    let parts = |folder: &Path| PARTS.iter().map(|part| folder.join(part)).filter(|part| part.exists()).collect();
    environment.filter(is_marked).map(parts).unwrap_or_default()
}

/// The size of the one file system in memory that a room has: a quarter of all memory, within bounds.
pub(super) fn memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    let quarter = total.map_or(0, |kilobytes: u64| kilobytes * 1024 / 4);
    quarter.clamp(*MEMORY.start(), *MEMORY.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_environment_in_the_path_is_needed_with_its_packages_and_nothing_else_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for made in
            ["venv/bin", "venv/lib/python3", "venv/notes", "plain/bin", "plain/lib", "odd/scripts", "linked/bin"]
        {
            fs::create_dir_all(root.join(made)).unwrap();
        }
        for file in ["venv/pyvenv.cfg", "venv/.env", "odd/pyvenv.cfg"] {
            fs::write(root.join(file), "x").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("../venv/pyvenv.cfg", root.join("linked/pyvenv.cfg")).unwrap();
        let programs =
            ["venv/bin", "plain/bin", "odd/scripts", "linked/bin", "missing/bin"].map(|path| root.join(path));
        let variables = vec![("PATH".into(), env::join_paths(&programs).unwrap())];
        let user = User { variables, home: None, covered: Vec::new(), views: None, own: Vec::new() };
        let needed = user.needed(false);
        let parts = ["venv/pyvenv.cfg", "venv/lib"].map(|path| root.join(path));
        assert_eq!(needed, [programs.as_slice(), parts.as_slice()].concat());
    }
}
