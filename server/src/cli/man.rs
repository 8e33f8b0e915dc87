//! `baton man`: the manual pages, made of the help.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use super::args::Args;
use super::failure::Failure;
use super::output::{print, print_bytes};
use crate::text;
use crate::workflow::Phases;

/// Print the page of `baton`, or write it and those of its subcommands to a folder.
pub(super) fn man(phases: &Phases, folder: Option<&Path>) -> Result<u8, Failure> {
    let mut command = Args::declared(phases).disable_help_subcommand(true);
    // It gives the subcommands their names, as in `baton-run`.
    command.build();
    let Some(folder) = folder else {
        print_bytes(&page(command)?.1)?;
        return Ok(0);
    };
    let subcommands: Vec<Command> = command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned().collect();
    let pages = std::iter::once(command).chain(subcommands).map(page).collect::<Result<Vec<_>, _>>()?;
    let count = pages.len();
    write(folder, pages)?;
    print(&format!("Wrote {} to {}.", text::count(count, "page"), text::safe_line(&folder.to_string_lossy())))?;
    Ok(0)
}

/// The name of a page's file, and its text as roff.
fn page(command: Command) -> Result<(String, Vec<u8>), Failure> {
    let source = concat!("baton ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).manual("Baton Manual").source(source);
    let mut roff = Vec::new();
    man.render(&mut roff)?;
    Ok((man.get_filename(), roff))
}

#[expect(clippy::disallowed_methods, reason = "the pages go to a folder that the user names, which is no workspace")]
fn write(folder: &Path, pages: Vec<(String, Vec<u8>)>) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::failed(format!("{} cannot be written: {error}", text::safe_line(&path.to_string_lossy())))
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for (name, roff) in pages {
        let path = folder.join(name);
        fs::write(&path, roff).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}
