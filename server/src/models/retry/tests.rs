use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::super::error::ModelErrorKind;
use super::*;

fn failure(retryable: bool) -> AttemptError {
    AttemptError {
        error: ModelError::new(ModelErrorKind::Unavailable, "The server failed.")
            .with_usage(Usage { input_tokens: 10, ..Usage::default() }),
        reason: "server error (500)".to_owned(),
        retryable,
        overloaded: false,
        retry_after: None,
    }
}

fn overload(retry_after: Option<Duration>) -> AttemptError {
    AttemptError { overloaded: true, retry_after, reason: "overloaded (529)".to_owned(), ..failure(true) }
}

struct Played {
    outcome: Result<(&'static str, Usage), ModelError>,
    attempts: usize,
    waits: Vec<Duration>,
    elapsed: Duration,
    limit: usize,
}

/// Play failures, in order, and then an answer; time is paused, so waiting takes none.
async fn play(failures: Vec<AttemptError>) -> Played {
    let throttle = Throttle::new(64);
    let waits = Mutex::new(Vec::new());
    let attempts = AtomicUsize::new(0);
    let started = Instant::now();
    let outcome = with_retries(
        "Some API",
        &RetryPolicy::default(),
        &throttle,
        &CancellationToken::new(),
        &|progress| {
            if let TurnProgress::Retry { wait, .. } = progress {
                waits.lock().expect("no panic").push(wait);
            }
        },
        || {
            let n = attempts.fetch_add(1, Ordering::SeqCst);
            let outcome = failures.get(n).cloned().map_or(Ok("answer"), Err);
            async move { outcome }
        },
    )
    .await;
    Played {
        outcome,
        attempts: attempts.into_inner(),
        waits: waits.into_inner().expect("no panic"),
        elapsed: started.elapsed(),
        limit: throttle.limit(),
    }
}

#[tokio::test(start_paused = true)]
async fn four_retries_double_their_wait_and_the_fifth_failure_ends_the_turn() {
    let played = play(vec![failure(true); 9]).await;
    assert_eq!(played.attempts, 5);
    let error = played.outcome.expect_err("it gave up");
    assert_eq!(error.kind, ModelErrorKind::Unavailable);
    assert!(error.message.contains("Gave up after 5 attempts"), "{error}");
    assert_eq!(error.usage.input_tokens, 50, "every lost attempt is counted");
    for (n, wait) in played.waits.iter().enumerate() {
        let longest = Duration::from_millis(500 << n);
        assert!(*wait <= longest && *wait >= longest.mul_f64(0.75), "wait {n} is {wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_lost_attempts_cost_comes_with_the_answer() {
    let played = play(vec![failure(true); 4]).await;
    let (answer, lost) = played.outcome.expect("the fifth attempt answers");
    assert_eq!((answer, lost.input_tokens), ("answer", 40));
}

#[tokio::test(start_paused = true)]
async fn a_final_failure_is_not_tried_again() {
    let played = play(vec![failure(false)]).await;
    assert_eq!((played.attempts, played.waits.len()), (1, 0));
    assert_eq!(
        played.outcome.expect_err("final").message,
        "The server failed. It says not to try again at once; what is done so far is kept, start again later."
    );
}

#[tokio::test(start_paused = true)]
async fn overloads_count_only_toward_the_minutes() {
    let ten = vec![overload(None); 10];
    let played = play(ten).await;
    assert!(played.outcome.is_ok(), "ten overloads and then an answer");

    let played = play(vec![overload(None); 1000]).await;
    let error = played.outcome.expect_err("two minutes are over");
    assert!(error.message.contains("Gave up after waiting"), "{error}");
    assert!(played.elapsed <= Duration::from_secs(120) && played.elapsed > Duration::from_secs(110));
    assert_eq!(played.limit, 1);
}

#[tokio::test(start_paused = true)]
async fn overloads_leave_the_four_retries_to_other_failures() {
    let mut failures = vec![overload(None); 3];
    failures.extend(vec![failure(true); 4]);
    assert!(play(failures.clone()).await.outcome.is_ok());
    failures.push(failure(true));
    assert!(play(failures).await.outcome.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_wait_the_provider_asks_for_is_kept_to() {
    let asked = Duration::from_secs(17);
    let played = play(vec![overload(Some(asked)), overload(Some(asked))]).await;
    assert_eq!(played.waits, [asked, asked]);
    assert_eq!(played.elapsed, asked * 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_longer_than_the_turns_patience_ends_it_at_once() {
    let played = play(vec![overload(Some(Duration::from_secs(300)))]).await;
    assert_eq!((played.attempts, played.elapsed), (1, Duration::ZERO));
    let error = played.outcome.expect_err("too long");
    assert!(error.message.contains("asks to wait 5m"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_keeps_saying_at_once_is_not_hammered() {
    let played = play(vec![overload(Some(Duration::ZERO)); 100_000]).await;
    assert!(played.outcome.is_err());
    assert!(played.attempts < 30, "{} attempts", played.attempts);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_wait_and_sends_nothing_more() {
    let cancel = CancellationToken::new();
    let attempts = AtomicUsize::new(0);
    let outcome = with_retries::<(), _, _>(
        "Some API",
        &RetryPolicy::default(),
        &Throttle::new(4),
        &cancel,
        &|_| cancel.cancel(),
        || {
            attempts.fetch_add(1, Ordering::SeqCst);
            async { Err(failure(true)) }
        },
    )
    .await;
    let error = outcome.expect_err("cancelled");
    assert_eq!((error.kind, error.usage.input_tokens), (ModelErrorKind::Cancelled, 10));
    assert_eq!(attempts.into_inner(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_drops_the_attempt_under_way() {
    let cancel = CancellationToken::new();
    let throttle = Throttle::new(4);
    let outcome = with_retries::<(), _, _>("Some API", &RetryPolicy::default(), &throttle, &cancel, &|_| (), || {
        cancel.cancel();
        std::future::pending()
    })
    .await;
    assert_eq!(outcome.expect_err("cancelled").kind, ModelErrorKind::Cancelled);
}

/// What people are told of a turn with these failures, and of the answer after them.
async fn messages_of(failures: Vec<AttemptError>) -> Vec<String> {
    let (told, attempts) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let progress = |progress| {
        let words = match progress {
            TurnProgress::Retry { again, wait: left, .. } | TurnProgress::Waiting { again, left } => {
                again.waiting(left)
            }
            TurnProgress::Throttled { provider } => format!("throttled by {provider}"),
            TurnProgress::Asking { provider, again } => {
                format!("asking {provider}, {:?}", again.map(|again| again.count()))
            }
            TurnProgress::FirstByte | TurnProgress::Output { .. } | TurnProgress::Unanswered { .. } => return,
        };
        told.lock().expect("no panic").push(words);
    };
    let (policy, cancel, throttle) = (RetryPolicy::default(), CancellationToken::new(), Throttle::new(4));
    let outcome = with_retries("Some API", &policy, &throttle, &cancel, &progress, || {
        let outcome = failures.get(attempts.fetch_add(1, Ordering::SeqCst)).cloned().map_or(Ok(()), Err);
        async move { outcome }
    });
    assert!(outcome.await.is_ok());
    told.into_inner().expect("no panic")
}

#[tokio::test(start_paused = true)]
async fn a_retry_says_who_was_asked_what_happened_how_long_it_waits_and_which_try_it_is() {
    let limited = AttemptError { reason: "rate limit (429)".to_owned(), ..overload(Some(Duration::from_millis(2500))) };
    let expected = [
        "Some API: rate limit (429); waiting 3 s, try 2",
        "Some API: rate limit (429); waiting 2 s, try 2",
        "Some API: rate limit (429); waiting 1 s, try 2",
        "asking Some API, Some(\"try 2\")",
        "Some API: server error (500); waiting 1 s, try 3 of 6",
        "asking Some API, Some(\"try 3 of 6\")",
    ];
    assert_eq!(messages_of(vec![limited, failure(true)]).await, expected);
    assert_eq!(messages_of(vec![failure(true)]).await[0], "Some API: server error (500); waiting 1 s, try 2 of 5");
    assert!(messages_of(Vec::new()).await.is_empty(), "an answer at once is no news");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_held_back_says_when_it_is_asked() {
    let throttle = Throttle::new(1);
    let slot = throttle.enter(&CancellationToken::new(), || ()).await.expect("not cancelled");
    let told = Mutex::new(Vec::new());
    let (policy, cancel) = (RetryPolicy::default(), CancellationToken::new());
    let progress = |progress| told.lock().expect("no panic").push(progress);
    let turn = with_retries("Some API", &policy, &throttle, &cancel, &progress, || async { Ok::<_, AttemptError>(()) });
    tokio::pin!(turn);
    assert!(futures::poll!(turn.as_mut()).is_pending());
    drop(slot);
    assert!(turn.await.is_ok());
    let provider = "Some API".to_owned();
    let expected =
        [TurnProgress::Throttled { provider: provider.clone() }, TurnProgress::Asking { provider, again: None }];
    assert_eq!(*told.lock().expect("no panic"), expected);
}

#[test]
fn the_asked_wait_is_read_from_either_header() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let read = |ms, s| retry_after(ms, s, now);
    assert_eq!(read(Some("1500"), Some("9")), Some(Duration::from_millis(1500)));
    assert_eq!(read(None, Some(" 2.5 ")), Some(Duration::from_millis(2500)));
    assert_eq!(read(None, Some("Sun, 06 Nov 1994 08:49:47 GMT")), Some(Duration::from_secs(10)));
    assert_eq!(read(None, Some("Sun, 06 Nov 1994 08:49:07 GMT")), Some(Duration::ZERO));
    assert_eq!(read(Some("soon"), Some("3")), Some(Duration::from_secs(3)));
    assert_eq!(read(None, Some("1e300")), Some(Duration::MAX));
    for nonsense in ["", "-1", "NaN", "tomorrow", "\u{1F980}"] {
        assert_eq!(read(None, Some(nonsense)), None, "{nonsense}");
    }
    assert_eq!(read(None, None), None);
}
