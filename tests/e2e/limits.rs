//! What a workspace may not decide: how much is spent, and where a key goes.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends loudly")]

use crate::support::messages_api::{KEY, MessagesApi};
use crate::support::replies::{goes_well, own, workspace};
use crate::support::session::Session;

fn write_users_file(session: &Session, text: &str) {
    let folder = session.config_home().join("baton");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), text).unwrap();
}

#[test]
fn a_workspace_that_would_spend_more_is_told_off_and_may_spend_less() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.write("baton.toml", "budget_usd = 1e308\n");
    let warning =
        "warning: baton.toml:1:14: budget_usd is 1e308, and a workspace may lower this limit but not raise it: 5 holds";
    session.baton(["status"]).run().expect(0).reports(warning);
    session.baton(["doctor"]).api(&api).run().expect(0).prints("budget_usd is 1e308");
    write_users_file(&session, "budget_usd = 0.001\n");
    let run = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    run.reports("0.001 holds").prints("$0.00 of $0.00 used").prints("Raise budget_usd");
    assert!(api.requests().is_empty(), "nothing is spent beyond what the user allows");
    let allowed = session.baton(["run", "--auto-approve"]).api(&api).env("BATON_BUDGET_USD", "2").run().expect(0);
    assert!(!allowed.stderr.contains("warning"), "{}", allowed.stderr);

    let session = Session::new(&workspace(1));
    session.write("baton.toml", "budget_usd = 0.001\n");
    write_users_file(&session, "budget_usd = 50\n");
    let run = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
}

#[test]
fn a_key_goes_to_no_other_host_over_plain_http_unless_the_user_names_it() {
    // A name of the loopback that is not known to be one, where the server does listen.
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    let port = api.url().rsplit_once(':').unwrap().1.to_owned();
    let session = Session::new(&workspace(1));
    let there = format!("http://0.0.0.0:{port}");
    let to = |args: &[&str]| session.baton(args.iter().copied()).api(&api).env("ANTHROPIC_BASE_URL", there.clone());
    let done = to(&["run", "--task", "Do it", "--auto-approve"]).run().expect(2);
    done.reports("ANTHROPIC_BASE_URL is plain http").reports("allow_http_hosts = [\"0.0.0.0\"]");
    to(&["doctor"]).run().expect(2).prints("ANTHROPIC_BASE_URL is plain http").prints("Set it to an https address");
    session.write("baton.toml", "allow_http_hosts = [\"0.0.0.0\"]\n");
    to(&["run", "--task", "Do it"]).run().expect(2).reports("baton.toml:1:20: allow_http_hosts cannot be set here");
    session.write("baton.toml", "");
    to(&["run", "--task", "Do it"])
        .env("BATON_ALLOW_HTTP_HOSTS", "0.0.0.0")
        .run()
        .expect(2)
        .reports("your own baton/config.toml");
    assert!(api.requests().is_empty() && api.asked_for_models().is_empty(), "nothing was sent");

    write_users_file(&session, "allow_http_hosts = [\"0.0.0.0\"]\n");
    // A proxy would be one more host that reads the key: this one, were it asked, does not even exist.
    let run = to(&["run", "--task", "Do it", "--auto-approve"]).env("HTTP_PROXY", "http://127.0.0.1:9");
    let done = run.env("ALL_PROXY", "http://127.0.0.1:9").run().expect(0);
    done.reports(&format!("Anthropic API at 0.0.0.0:{port} over plain http, key from ANTHROPIC_API_KEY"));
    for (path, bytes) in session.memory_tree() {
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{path} holds the key");
    }
}
