//! Stops a build whose sources are not whole, and says what to do: the folder of prompts and the licence are links here, which
//! a checkout without links has as small text files.

#![expect(clippy::disallowed_methods, reason = "it looks at the sources of this package")]

use std::path::Path;

/// A link of this folder, what it leads to, and whether that is a folder.
const LINKS: [(&str, &str, bool); 2] = [("prompts", "../prompts", true), ("LICENSE", "../LICENSE", false)];

fn main() {
    for (link, target, is_folder) in LINKS {
        println!("cargo::rerun-if-changed={link}");
        let found = Path::new(link);
        let is_whole = match is_folder {
            true => found.is_dir(),
            // What stands in a text file instead of a link is the path that it leads to.
            false => std::fs::read_to_string(found).is_ok_and(|text| text.trim() != target),
        };
        if !is_whole {
            println!(
                "cargo::error=server/{link} is not the link to {target} that the repository has there. A checkout without links \
                 (git on Windows unless `core.symlinks` is on) leaves a text file. Turn on Developer Mode, then `git config \
                 core.symlinks true` and `git checkout -- server/{link}`; or copy {target} to server/{link}."
            );
        }
    }
}
