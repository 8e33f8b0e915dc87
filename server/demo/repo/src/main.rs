//! `dangle [FOLDER]`: print the links that lead nowhere.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    match dangle::check(&folder) {
        Ok(dangling) if dangling.is_empty() => ExitCode::SUCCESS,
        Ok(dangling) => {
            for link in &dangling {
                println!("{link}");
            }
            let plural = if dangling.len() == 1 { "" } else { "s" };
            println!("{} dangling link{plural}", dangling.len());
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("dangle: {error}");
            ExitCode::from(2)
        }
    }
}
