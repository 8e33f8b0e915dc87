//! The broker by which workers hold the conversations: whether it answers, and who is there.

use std::time::Duration;

use tokio::time::timeout;

use super::check::{Check, CheckStatus};
use crate::config::Dispatch;
use crate::text;
use crate::workflow::dispatch::{WorkerSeen, look_at_workers};

/// How long a person waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
const WIDEST: usize = 300;
const NAME: &str = "dispatch";
/// The variable with the key that runs and workers share.
const KEY: &str = "BATON_BUS_KEY";

/// The broker and the workers there. No work is given.
pub(super) async fn check_dispatch(dispatch: &Dispatch, env: &(dyn Fn(&str) -> Option<String> + Sync)) -> Vec<Check> {
    let error = |message: String, fix: &str| vec![Check::new(NAME, CheckStatus::Error, message).with_fix(fix)];
    let Some(key) = env(KEY).filter(|key| !key.trim().is_empty()) else {
        let fix = "Make one by `openssl rand -hex 32`, and set it here and where `baton worker` is started.";
        return error(format!("{dispatch} is not asked: {KEY}, the key that runs and workers share, is not set"), fix);
    };
    let found = timeout(PATIENCE, look_at_workers(dispatch.address(), &key)).await;
    match found.unwrap_or_else(|_| Err("it takes too long".to_owned())) {
        Ok(workers) => of_workers(dispatch, &workers),
        Err(why) => {
            let message = format!("{dispatch} cannot be used: {}", text::short_line(&why, WIDEST));
            error(
                message,
                "Start it with JetStream (nats-server -js), or look at its address, credentials and permissions.",
            )
        }
    }
}

fn of_workers(dispatch: &Dispatch, workers: &[WorkerSeen]) -> Vec<Check> {
    let fits = |worker: &&WorkerSeen| {
        worker.is_same_protocol && dispatch.tag.as_ref().is_none_or(|tag| worker.tags.contains(tag))
    };
    let fit: Vec<&WorkerSeen> = workers.iter().filter(fits).collect();
    let mut checks = Vec::new();
    if fit.is_empty() {
        let tagged = dispatch.tag.as_ref().map(|tag| format!(" with the tag {tag}")).unwrap_or_default();
        let fix = match &dispatch.tag {
            Some(tag) => format!("Start one, with the same {KEY}: baton worker --nats URL --slots 4 --tags {tag}"),
            None => format!("Start one, with the same {KEY}: baton worker --nats URL --slots 4"),
        };
        let message = format!("{dispatch} answers, and no worker{tagged} is there that a run could use");
        checks.push(Check::new(NAME, CheckStatus::Error, message).with_fix(fix));
    } else {
        let slots: usize = fit.iter().map(|worker| worker.slots).sum();
        let busy: usize = fit.iter().map(|worker| worker.busy).sum();
        let workers = text::count(fit.len(), "worker");
        let message = format!("{dispatch} answers: {workers} with {}, {busy} busy", text::count(slots, "slot"));
        checks.push(Check::ok(NAME, message));
        checks.extend(fit.iter().map(|worker| Check::ok(NAME, words(worker))));
    }
    for other in workers.iter().filter(|worker| !worker.is_same_protocol) {
        let WorkerSeen { name, version, protocol, .. } = other;
        let message =
            format!("worker {name} (baton {version}) speaks protocol {protocol}, and gets no work from this baton");
        let message = text::short_line(&message, WIDEST);
        let fix = "Run the same version of baton on both sides.";
        checks.push(Check::new(NAME, CheckStatus::Warning, message).with_fix(fix));
    }
    checks
}

/// A worker in a line. What it says of itself comes over the network.
fn words(worker: &WorkerSeen) -> String {
    let WorkerSeen { name, version, slots, busy, tags, models, .. } = worker;
    let tags = if tags.is_empty() { String::new() } else { format!(", tags {}", tags.join(", ")) };
    let models: Vec<String> = models.iter().map(|(tier, id, account)| format!("{tier} {id} ({account})")).collect();
    let line =
        format!("{name}: baton {version}, {busy} of {} busy{tags}; {}", text::count(*slots, "slot"), models.join("; "));
    text::short_line(&line, 2 * WIDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, is_same_protocol: bool, tags: &[&str]) -> WorkerSeen {
        WorkerSeen {
            name: name.to_owned(),
            version: "0.2.0\u{1b}[31m".to_owned(),
            protocol: if is_same_protocol { 1 } else { 7 },
            is_same_protocol,
            slots: 4,
            busy: 1,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            models: vec![("fast".to_owned(), "ollama:a".to_owned(), "local".to_owned())],
        }
    }

    fn found(tag: &str, workers: &[WorkerSeen]) -> Vec<(CheckStatus, String)> {
        let dispatch = Dispatch::of_flag("--dispatch", &format!("nats://me:hunter2@127.0.0.1:1{tag}"), &[]).unwrap();
        of_workers(&dispatch, workers).into_iter().map(|check| (check.status, check.message)).collect()
    }

    #[test]
    fn workers_are_named_with_what_they_have_and_others_with_why_they_get_no_work() {
        let workers = [seen("a", true, &[]), seen("b", true, &["gpu", "big"]), seen("old", false, &["gpu"])];
        let all = found("", &workers);
        assert_eq!(all[0], (CheckStatus::Ok, "nats://127.0.0.1:1 answers: 2 workers with 8 slots, 2 busy".to_owned()));
        assert_eq!(all[1].1, "a: baton 0.2.0, 1 of 4 slots busy; fast ollama:a (local)");
        assert_eq!(all[2].1, "b: baton 0.2.0, 1 of 4 slots busy, tags gpu, big; fast ollama:a (local)");
        assert_eq!(all[3].0, CheckStatus::Warning);
        assert!(all[3].1.starts_with("worker old (baton 0.2.0) speaks protocol 7"), "{all:?}");
        let tagged = found("?tag=gpu", &workers);
        assert!(tagged[0].1.contains("1 worker with 4 slots") && tagged[1].1.starts_with("b: "), "{tagged:?}");
        for (tag, workers) in [("?tag=cpu", &workers[..]), ("", &workers[2..]), ("", &[])] {
            let none = found(tag, workers);
            assert_eq!(none[0].0, CheckStatus::Error);
            assert!(none[0].1.contains("no worker") && none.len() <= 2, "{none:?}");
        }
    }

    #[tokio::test]
    async fn without_a_key_nobody_is_asked() {
        let dispatch = Dispatch::of_flag("--dispatch", "nats://127.0.0.1:1", &[]).unwrap();
        let found = check_dispatch(&dispatch, &|_| Some(" ".to_owned())).await;
        assert_eq!(found[0].status, CheckStatus::Error);
        assert!(
            found[0].message.contains("BATON_BUS_KEY") && found[0].fix.as_ref().unwrap().contains("openssl"),
            "{found:?}"
        );
    }
}
