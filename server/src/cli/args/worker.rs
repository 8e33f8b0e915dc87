//! Arguments of `baton worker`.

use crate::config::is_worker_tag;

/// Characters of a name, at most.
const LONGEST_NAME: usize = 64;

/// Flags of `baton worker`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = WORKER_HELP)]
pub struct WorkerArgs {
    /// The NATS server at which runs and workers meet, as in tls://nats.example.org [default: your own setting dispatch]
    #[arg(long, value_name = "URL")]
    pub nats: Option<String>,
    /// Conversations that are held at once, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub slots: u8,
    /// What this worker is good for: runs with one of these in their address (?tag=NAME) come here, and so do those with none
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = tag)]
    pub tags: Vec<String>,
    /// What it is called in messages [default: the name of the host, and the number of the process]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
}

const WORKER_HELP: &str = "\
It takes conversations from any run that has the same BATON_BUS_KEY, 32 characters or more (`openssl rand -hex 32` makes one):
that key is who may give it work, and whose answers a run takes. Its settings, models and keys are those of your own
baton/config.toml and of the environment; no workspace is read, and files are written only to a folder of its own.

The first Ctrl-C, or SIGTERM, takes no more work and ends when what is at hand is done; the second hands that back to
other workers; the third ends it at once.

Exit codes:
    0  it was asked to stop, and nothing is at hand any more
    1  failed
    2  wrong usage or settings, no key, or this baton was built without NATS
    5  the server cannot be reached
  130  ended at once";

fn tag(text: &str) -> Result<String, String> {
    match text.trim() {
        tag if is_worker_tag(tag) => Ok(tag.to_owned()),
        _ => Err("a tag is made of small letters, digits and -, 32 at most, as in gpu".to_owned()),
    }
}

fn name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match text.trim() {
        name if !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_plain) => Ok(name.to_owned()),
        _ => Err(format!("a name is made of letters, digits, - and _, {LONGEST_NAME} at most, as in builder-1")),
    }
}
