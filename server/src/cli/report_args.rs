//! The flags by which a run's end is told to other programs.

use std::path::PathBuf;

/// What is written at the end of a run besides what is printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Reports for other programs")]
pub struct ReportArgs {
    /// Write the review as SARIF 2.1.0 to this file, as code scanning takes it
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Write the issues in reviewdog's format to this file, one a line; - is standard output, and what is for people
    /// goes to standard error then
    #[arg(long, value_name = "FILE")]
    pub rdjsonl: Option<PathBuf>,
    /// Print the issues as annotations of GitHub Actions
    #[arg(long, conflicts_with = "json")]
    pub annotations: bool,
    /// Add a summary in Markdown to this file, as in --summary "$GITHUB_STEP_SUMMARY"
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
}

/// What issues are compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct BaselineArgs {
    /// Compare with the issues of this SARIF file, written by an earlier review: those in it are unchanged, and --fail-on
    /// counts the others
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Show only issues that are new; without --baseline those are the ones that the last review here did not have
    #[arg(long)]
    pub new_only: bool,
}
