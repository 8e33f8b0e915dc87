//! `baton worker`: holds conversations for runs on other machines, until it is asked to stop.

use jiff::Zoned;
use tokio::sync::mpsc;

use super::args::WorkerArgs;
use super::failure::{CANCELLED, Failure, NO_CONCLUSION};
use super::output::{tell, warn};
use super::runtime::block_on;
use super::signals::{Stop, Stops};
use crate::config::{self, Dispatch, Settings};
use crate::models::{Models, Tier};
use crate::text;
use crate::workflow::{self, Editor, WorkerFault, WorkerOptions};

/// The variable with the key that runs and workers share.
const KEY: &str = "BATON_BUS_KEY";
/// Characters of the host's name in that of a worker, at most.
const WIDEST_HOST: usize = 40;
const NO_KEY: &str = "BATON_BUS_KEY is not set. Make a key by `openssl rand -hex 32`, and set it here and where `baton run \
                      --dispatch` is started: by it a worker knows whose work it takes, and a run whose answers";

/// Serve until it is asked to stop.
pub(super) fn worker(args: WorkerArgs) -> Result<u8, Failure> {
    if !cfg!(feature = "nats") {
        return Err(Failure::usage(config::WITHOUT_NATS));
    }
    let loaded = config::load_without_workspace(config::environment())?;
    warn(&loaded.warnings);
    let mut settings = loaded.settings;
    let broker = broker(args.nats.as_deref(), &settings)?;
    let Some(key) = config::variable(KEY).filter(|key| !key.trim().is_empty()) else {
        return Err(Failure::usage(NO_KEY));
    };
    // The conversations that it takes are held here.
    settings.dispatch = None;
    let models = workflow::models(&settings, &config::variable, &Editor::default());
    let models = models.map_err(|error| Failure::from(workflow::StartError::from(error)))?;
    let mut tags = args.tags;
    tags.extend(broker.tag.clone());
    tags.sort();
    tags.dedup();
    let (name, slots) = (args.name.unwrap_or_else(default_name), usize::from(args.slots));
    let first_line = first_line(&name, &broker, slots, &tags, &models);
    let address = broker.address().to_owned();
    let options = WorkerOptions { address, key, slots, tags, name, settings };
    match block_on(serve(options, &first_line))?? {
        Ok(()) => Ok(0),
        Err(WorkerFault::Usage(message)) => Err(Failure::usage(message)),
        Err(WorkerFault::Unreachable(message)) => Err(Failure::new(NO_CONCLUSION, message)),
    }
}

/// The server that is named, else that of the user's own settings.
fn broker(named: Option<&str>, settings: &Settings) -> Result<Dispatch, Failure> {
    match (named, &settings.dispatch) {
        (Some(address), _) => Dispatch::of_flag("--nats", address, &settings.allow_http_hosts)
            .map_err(|fault| Failure::usage(fault.to_string())),
        (None, Some(dispatch)) => Ok(dispatch.clone()),
        (None, None) => Err(Failure::usage(
            "no NATS server is named; write --nats URL, as in --nats tls://nats.example.org, or set dispatch in your own \
             baton/config.toml",
        )),
    }
}

async fn serve(options: WorkerOptions, first_line: &str) -> Result<Result<(), WorkerFault>, Failure> {
    let mut stops = Stops::new()?;
    // Who has read it can ask the worker to stop.
    tell(first_line);
    let (stop, stopped) = mpsc::unbounded_channel();
    let passing_on = tokio::spawn(async move {
        let mut asked = 0;
        loop {
            // The system and the shell may both send a hangup: a second one means nothing.
            match stops.next().await {
                Stop::HungUp if asked > 0 => continue,
                Stop::HungUp | Stop::Asked(_) => asked += 1,
            }
            match asked {
                1 => say("Stopping: no more work is taken, what is at hand is finished (again: hand it back)"),
                2 => say("Handing back what is at hand (again: end at once)"),
                _ => std::process::exit(i32::from(CANCELLED)),
            }
            // It may have ended meanwhile.
            let _ = stop.send(());
        }
    });
    let served = workflow::serve_worker(options, stopped, &say).await;
    passing_on.abort();
    Ok(served)
}

/// Print a line with the time. Words in it may come from the broker.
fn say(line: &str) {
    tell(&format!("{} {}", Zoned::now().strftime("%H:%M:%S"), text::safe_line(line)));
}

/// What this worker is, in a line.
fn first_line(name: &str, broker: &Dispatch, slots: usize, tags: &[String], models: &Models) -> String {
    let tags = if tags.is_empty() { String::new() } else { format!(", tags {}", tags.join(", ")) };
    let of = |tier: Tier| {
        let model = models.for_tier(tier);
        format!("{} {} ({})", tier.as_str(), model.id(), model.account())
    };
    let models = [Tier::Fast, Tier::Balanced, Tier::Powerful].map(of).join("; ");
    let slots = text::count(slots, "slot");
    let version = env!("CARGO_PKG_VERSION");
    text::safe_line(&format!("baton {version}: worker {name} at {broker}, {slots}{tags}. Models: {models}"))
}

/// The name of the host and the number of the process.
fn default_name() -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let host: String = host().chars().filter(is_plain).take(WIDEST_HOST).collect();
    let host = if host.is_empty() { "worker" } else { &host };
    format!("{host}-{}", std::process::id())
}

/// What this machine is called, up to the first dot; empty where that is not known.
fn host() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = config::variable("COMPUTERNAME").unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}
