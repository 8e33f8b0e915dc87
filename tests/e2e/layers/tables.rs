//! What is allowed: the rooms and their order, the rooms inside a room, and who owns what lies outside the crate.
//!
//! A row that nothing needs fails as well, so that these tables say what is, and not what once was.

/// A room and the rooms it may import, each with the reason.
pub(super) struct Room {
    pub(super) name: &'static str,
    pub(super) may_import: &'static [(&'static str, &'static str)],
}

/// From the bottom up: a room imports only rooms whose rows stand before its own.
pub(super) const ROOMS: [Room; 14] = [
    Room { name: "text", may_import: &[] },
    Room { name: "contracts", may_import: &[("text", "quotes and counts in messages about faults")] },
    Room {
        name: "workspace",
        may_import: &[
            ("contracts", "paths, limits and what a check of a plan asks of a disk"),
            ("text", "file names and git's words in messages"),
        ],
    },
    Room {
        name: "outline",
        may_import: &[
            ("contracts", "the paths of a map"),
            ("text", "names made safe and short"),
            ("workspace", "what interrupts it, and the cache of maps"),
        ],
    },
    Room {
        name: "models",
        may_import: &[("contracts", "usage and limits"), ("text", "a provider's words in messages")],
    },
    Room {
        name: "config",
        may_import: &[("contracts", "positions, limits, severities"), ("text", "file names and values in messages")],
    },
    Room {
        name: "bus",
        may_import: &[
            ("config", "the addresses of sinks"),
            ("text", "what a command says, made short"),
            ("workspace", "the user's own command is run there"),
        ],
    },
    Room {
        name: "tools",
        may_import: &[
            ("contracts", "paths and limits"),
            ("models", "how a tool is described to a model"),
            ("outline", "what is defined in a text"),
            ("text", "how an answer is cut"),
            ("workspace", "the only way to the files"),
        ],
    },
    Room {
        name: "memory",
        may_import: &[
            ("config", "the checks that it keeps the trust of"),
            ("contracts", "the handoffs it keeps"),
            ("models", "the turns it journals"),
            ("workspace", "files opened beneath the root, written durably"),
        ],
    },
    Room {
        name: "agents",
        may_import: &[
            ("contracts", "the handoffs that are submitted"),
            ("memory", "the transcript of a conversation"),
            ("models", "the model that answers"),
            ("text", "a model's words in messages"),
            ("tools", "what is called for the model"),
        ],
    },
    Room {
        name: "workflow",
        may_import: &[
            ("agents", "conversations with a budget"),
            ("bus", "the sinks that events are sent to, and the broker of workers"),
            ("config", "the settings a run obeys"),
            ("contracts", "the handoffs it decides on"),
            ("memory", "the state it decides on"),
            ("models", "the tiers a run works with"),
            ("outline", "what an editor knows of definitions"),
            ("text", "words in events"),
            ("tools", "what an agent elsewhere may call, and what it did"),
            ("workspace", "publishing, checkpoints, diffs"),
        ],
    },
    Room {
        name: "phases",
        may_import: &[
            ("agents", "the conversation a phase has"),
            ("config", "the phases that a user's configuration adds"),
            ("contracts", "the handoff a phase writes"),
            ("memory", "the handoffs a phase reads"),
            ("models", "the tier a phase asks for"),
            ("text", "words in briefs and events"),
            ("tools", "the tools a phase gives its agent"),
            ("workflow", "the trait a phase implements"),
            ("workspace", "diffs and base commits"),
        ],
    },
    Room {
        name: "lsp",
        may_import: &[
            ("config", "settings and the places of their faults"),
            ("contracts", "plans and reviews, shown at their places"),
            ("memory", "a folder's state and its faults"),
            ("models", "the models an editor offers"),
            ("outline", "the definitions an editor knows"),
            ("text", "text made safe to show"),
            ("workflow", "the engine"),
            ("workspace", "open documents and files"),
        ],
    },
    Room {
        name: "cli",
        may_import: &[
            ("config", "settings and flags"),
            ("contracts", "handoffs and their schemas"),
            ("lsp", "`baton lsp` starts it"),
            ("memory", "a folder's state"),
            ("models", "the demo's recorded run, and what models a worker has"),
            ("text", "text made safe to show"),
            ("workflow", "the engine"),
            ("workspace", "the folder to work in"),
        ],
    },
];

/// No room imports these, so that a new row in them changes nothing elsewhere; `main` alone passes what they hold.
pub(super) const PASSED_BY_MAIN: [&str; 1] = ["phases"];

/// What unit tests of a room may import besides: they stand in for `main`.
pub(super) const TESTS_MAY_IMPORT: [(&str, &str, &str); 4] = [
    ("workflow", "phases", "decisions are tested on the real table"),
    ("lsp", "phases", "a server in a test is given the real table"),
    ("phases", "lsp", "a phase that is one row is offered by the language server"),
    ("phases", "cli", "a phase that is one row is known to the command line"),
];

/// A folder or a file directly inside a room that is divided, and what may be known from there on.
pub(super) type SubRoom = (&'static str, &'static str);

/// The rooms inside a room. Each imports only those before it; the reason says why it stands where it does.
pub(super) const SUB_ROOMS: [(&str, &[SubRoom]); 2] = [
    (
        "workflow",
        &[
            ("run", "what all of a run share: goal, events, costs, the trait of a phase; it decides and does nothing"),
            ("changes", "what runs did to the files, by their journals: it knows no plan and no next step"),
            ("checks", "the user's own checks, on files that `changes` knows: it runs them, and decides nothing"),
            ("decide", "what comes next: a function of the memory, and of the rounds that it opens"),
            ("foreign", "results that no journal of ours proves: found by the rounds of `decide` and by `changes`"),
            ("gate", "what a person approves: the plan, and `foreign` work that would be accepted with it"),
            ("drive", "the loop: it does what `decide` says, asks at the `gate`, and ends with an outcome"),
            ("start", "how a run begins: everything is checked, then `drive` is spawned"),
            (
                "dispatch",
                "conversations held on other machines: an engine is given it, and the worker opens its own models",
            ),
            ("status", "where a workflow stands and what a run would need: it reads all of these and changes nothing"),
            ("log", "what a run said and did, for people: it reads journals, by the words for events of `run`"),
        ],
    ),
    (
        "lsp",
        &[
            ("wire", "the connection: it knows nothing of what is sent"),
            ("text", "documents and positions: they need the encoding that `wire` negotiated, and no folder"),
            ("files", "a folder opened for one piece of work, read with the open documents of `text`"),
            ("board", "diagnostics: read through `files`, placed by `text`; they know no run"),
            ("offers", "what a person can do at a place: a function of `files` and `text` that runs nothing"),
            ("folder", "one workspace folder: it holds its `board` and its lenses, and can stop a run"),
            ("run", "a run from its start to its outcome, which it reports to its `folder`"),
            ("virtual_documents", "texts that lie in no file, made of what a `folder` has of its runs"),
            ("commands", "what a person asks for: it starts a `run`, or reads a `folder`"),
            ("server", "the router: it knows every handler, and no handler knows it"),
        ],
    ),
];

/// What some rooms or files alone may reach.
pub(super) struct Owned {
    /// What the paths below lead to, in words.
    pub(super) what: &'static str,
    /// Every path that begins like this is meant.
    pub(super) paths: &'static [&'static str],
    /// The files that may reach it, as the beginning of their paths, and why.
    pub(super) owners: &'static [(&'static str, &'static str)],
    /// Whether unit tests anywhere may reach it, to look at what was done.
    pub(super) open_to_tests: bool,
    pub(super) instead: &'static str,
}

pub(super) const OWNED: [Owned; 7] = [
    Owned {
        what: "the disk",
        paths: &["std::fs", "tokio::fs", "cap_std", "cap_fs_ext", "rustix::fs", "ignore::Walk", "ignore::WalkBuilder"],
        owners: &[
            ("workspace/", "it owns the files beneath the root"),
            ("memory/", "it owns the memory folder, by handles that workspace opened"),
            ("config/disk.rs", "it reads the settings of the workspace and of the user"),
            ("models/replay.rs", "BATON_REPLAY names a recorded run to play"),
            ("lsp/wire/editor_process.rs", "/proc tells whether the editor still runs"),
            ("cli/man.rs", "manual pages go to a folder that a person names"),
            ("cli/output.rs", "fstat tells whether standard output is a pipe"),
            ("cli/reports/baseline.rs", "the user names a file of earlier issues, anywhere"),
            ("cli/reports/out_file.rs", "the user names files for reports, anywhere"),
            ("cli/sandbox_job.rs", "the log of a job that no run has"),
            ("cli/signals.rs", "/proc tells which signals are ignored"),
            ("cli/task.rs", "it reads the file with the task that the user names, and the one that their editor wrote"),
        ],
        open_to_tests: true,
        instead: "ask `workspace` (files beneath the root) or `memory` (the memory folder)",
    },
    Owned {
        what: "the environment",
        paths: &["std::env", "etcetera"],
        owners: &[
            ("config/disk.rs", "it reads variables and finds the user's folders, and hands both on as values"),
            ("workspace/git/open/", "git takes the user's own folder for safe"),
            ("workspace/sandbox/user.rs", "a command in the sandbox gets the user's variables, without secrets"),
            ("workspace/sandbox/exposed.rs", "the same without a view"),
            ("workflow/status/doctor/mod.rs", "doctor reports which binary runs"),
            ("cli/args/mod.rs", "it parses the arguments"),
            ("cli/session.rs", "the workspace is looked for from the folder that a command was started in"),
        ],
        open_to_tests: true,
        instead: "ask `config::variable`, or take the value as an argument",
    },
    Owned {
        what: "a type of the Language Server Protocol",
        paths: &["tower_lsp", "lsp_types"],
        owners: &[("lsp/", "it converts to and from types of ours")],
        open_to_tests: false,
        instead: "use a type of ours, and convert in `lsp/wire`",
    },
    Owned {
        what: "git's library",
        paths: &["git2", "gix_attributes"],
        owners: &[("workspace/", "it opens only the workspace's own repository, without its hooks and filters")],
        open_to_tests: true,
        instead: "ask `workspace`",
    },
    Owned {
        what: "the network",
        paths: &["reqwest", "sse_stream", "redis", "async_nats"],
        owners: &[
            ("models/", "it talks to the providers, and knows where a key may go"),
            ("bus/", "it talks to the sinks that the user named"),
        ],
        open_to_tests: false,
        instead: "add a provider in `models`, or a sink in `bus`",
    },
    Owned {
        what: "the watch on files",
        paths: &["notify"],
        owners: &[("workspace/watch.rs", "it notifies all other rooms")],
        open_to_tests: false,
        instead: "use `workspace::Watch`",
    },
    Owned {
        what: "the terminal",
        paths: &["anstream", "anstyle", "clap", "clap_complete", "clap_mangen", "console", "indicatif", "reedline"],
        owners: &[("cli/", "it talks to a person at a terminal")],
        open_to_tests: false,
        instead: "return what is to be shown, and show it in `cli`",
    },
];
