//! Prints the map of a folder as an agent gets it: `outline_map FOLDER`, the task on standard input. `tests/outline_recall.sh`
//! measures with it how often what is to be changed is among the first files.

#![expect(clippy::disallowed_methods, reason = "an example has arguments")]
#![expect(clippy::print_stdout, reason = "it prints the answer")]

use std::io::Read as _;
use std::path::Path;

use baton::config;
use baton::contracts::RepoPath;
use baton::tools::{About, Toolbox};
use baton::workspace::{CacheFile, Workspace};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const MOST_CACHED: u64 = 256 * 1024 * 1024;
    let folder = std::env::args().nth(1).ok_or("name a folder")?;
    let mut task = String::new();
    std::io::stdin().read_to_string(&mut task)?;
    let workspace = Workspace::open(Path::new(&folder))?;
    let cache = config::cache_folder().map(|cache| CacheFile::of(&cache.join("maps"), workspace.root(), MOST_CACHED));
    let tools =
        Toolbox::reader(workspace, RepoPath::parse(".agent_memory")?).about(About { task, cache, ..About::default() });
    print!("{}", tools.call("outline", &json!({})).text);
    Ok(())
}
