//! What there is at the broker: streams, buckets, and the subjects in them.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

pub(super) const JOBS: &str = "BATON_JOBS";
pub(super) const WORK: &str = "BATON_WORK";
/// The stream of the object store bucket [`FILES_BUCKET`].
pub(super) const FILES: &str = "OBJ_baton-files";
pub(super) const FILES_BUCKET: &str = "baton-files";
/// The stream of the key-value bucket `baton-workers`.
pub(super) const WORKERS: &str = "KV_baton-workers";

/// How long jobs, logs and files are kept.
pub(super) const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long the queue knows an id again: longer than all tries to offer it once.
const WINDOW: Duration = Duration::from_secs(2 * 60);

/// What a stream is, for people.
pub(super) fn said(stream: &str) -> &'static str {
    match stream {
        JOBS => "its queue of jobs (the stream BATON_JOBS)",
        WORK => "its logs (the stream BATON_WORK)",
        FILES => "its files (the object store baton-files)",
        _ => "its list of workers (the bucket baton-workers)",
    }
}

/// All streams, those of buckets as their tools make them; `presence` is how long a worker is there without a word.
pub(super) fn streams(presence: Duration) -> [Config; 4] {
    let kept = Config { storage: StorageType::File, max_age: KEPT, ..Config::default() };
    let bucket = Config { discard: DiscardPolicy::New, allow_rollup: true, allow_direct: true, ..kept.clone() };
    [
        Config {
            name: JOBS.to_owned(),
            subjects: vec!["baton.jobs.*".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            duplicate_window: WINDOW,
            ..kept.clone()
        },
        Config { name: WORK.to_owned(), subjects: vec!["baton.work.*.*".to_owned()], ..kept },
        Config {
            name: FILES.to_owned(),
            subjects: vec![format!("$O.{FILES_BUCKET}.C.>"), format!("$O.{FILES_BUCKET}.M.>")],
            ..bucket.clone()
        },
        Config {
            name: WORKERS.to_owned(),
            subjects: vec![format!("{WORKERS_PREFIX}>")],
            max_messages_per_subject: 1,
            max_age: presence,
            duplicate_window: presence.min(WINDOW),
            deny_delete: true,
            ..bucket
        },
    ]
}

const WORKERS_PREFIX: &str = "$KV.baton-workers.";

pub(super) fn worker_subject(worker: &str) -> String {
    format!("{WORKERS_PREFIX}{}", token(worker))
}

pub(super) fn worker_of(subject: &str) -> Option<String> {
    word(subject.strip_prefix(WORKERS_PREFIX)?)
}

/// The token of a tag, or of the jobs that anyone may take: it ends their subject, and is the name of their consumer.
pub(super) fn job_token(tag: Option<&str>) -> String {
    match tag {
        None => ANYONE.to_owned(),
        // Told from the jobs for anyone.
        Some(tag) if tag == ANYONE => format!("={:02x}{}", b'a', &ANYONE[1..]),
        Some(tag) => token(tag),
    }
}

const ANYONE: &str = "any";

pub(super) fn job_subject(token: &str) -> String {
    format!("baton.jobs.{token}")
}

pub(super) fn log_subject(workflow: &str, job: &str) -> String {
    format!("baton.work.{}.{}", token(workflow), token(job))
}

pub(super) fn signal_subject(workflow: &str, job: &str) -> String {
    format!("baton.signals.{}.{}", token(workflow), token(job))
}

/// A text as one token of a subject, which no other text has.
fn token(text: &str) -> String {
    if text.is_empty() {
        return "=".to_owned();
    }
    let mut token = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            token.push(char::from(byte));
        } else {
            token.push_str(&format!("={byte:02x}"));
        }
    }
    token
}

/// The text of a token.
fn word(token: &str) -> Option<String> {
    if token == "=" {
        return Some(String::new());
    }
    let mut parts = token.split('=');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_a_token_of_its_own_and_comes_back() {
        let texts = ["", "=", "a.b", "a_b", "a=2eb", "*", ">", "gpu box", "ü", "any"];
        let tokens: Vec<String> = texts.iter().map(|text| token(text)).collect();
        for (at, found) in tokens.iter().enumerate() {
            assert!(!found.contains(['.', '*', '>', ' ']), "{found}");
            assert_eq!(word(found).as_deref(), Some(texts[at]));
            assert!(!tokens[..at].contains(found), "{found}");
        }
        assert_ne!(job_token(Some("any")), job_token(None));
    }
}
