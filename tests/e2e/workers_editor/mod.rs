//! Runs of the language server whose conversations workers hold: its user's own file names the broker.
#![cfg(all(unix, feature = "nats"))]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod reload;
mod runs;
mod search;
mod unsaved;

use crate::support::broker::BUS_KEY;
use crate::support::lsp_client::LspClient;
use crate::support::session::Session;
use crate::support::wait::wait_until;
use crate::workers::{ACK_WAIT, Lab};

/// An editor with the lab's workspace open, whose user works with the lab's workers. The server's own models answer nothing.
fn editor(lab: &Lab) -> LspClient {
    let client = editor_without_worker(lab);
    wait_for_worker(&lab.coordinator.session);
    client
}

/// The same, of which nobody knows whether a worker is there.
fn editor_without_worker(lab: &Lab) -> LspClient {
    let session = &lab.coordinator.session;
    session.write_user_config(&format!("dispatch = \"{}\"\n", lab.coordinator.link.url()));
    let wait = format!("{}ms", ACK_WAIT.as_millis());
    let baton = session.baton(["lsp"]).api(&lab.unused).env("BATON_BUS_KEY", BUS_KEY).env("BATON_ACK_WAIT", wait);
    let mut client = LspClient::start(&mut baton.into_command(), session.root());
    client.initialize(session.initialize_params());
    client
}

/// Wait until a run would find a worker at once: an editor is told of one that has to wait.
fn wait_for_worker(session: &Session) {
    wait_until("a worker to be there", || {
        let doctor = session.baton(["doctor", "--json"]).env("BATON_BUS_KEY", BUS_KEY).run().json();
        let checks = doctor["checks"].as_array().cloned().unwrap_or_default();
        checks.iter().any(|check| check["name"] == "dispatch" && check["status"] == "ok")
    });
}
