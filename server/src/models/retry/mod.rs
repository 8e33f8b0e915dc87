//! When an attempt at a turn is made again, and how long until then. The same for every provider.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::error::{ModelError, ModelErrorKind};
use super::throttle::Throttle;
use super::turn::{Retry, TurnProgress};
use crate::contracts::Usage;

/// How often and how long a turn is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first wait where the provider names none; it doubles each time.
    pub base: Duration,
    /// The longest such wait.
    pub cap: Duration,
    /// Retries of one turn. Overloads do not count.
    pub max_retries: u32,
    /// All waiting of one turn, overloads included.
    pub max_wait: Duration,
}

/// One attempt that failed.
#[derive(Debug, Clone)]
pub struct AttemptError {
    /// What the turn ends with if it is not tried again; its usage is what the attempt cost.
    pub error: ModelError,
    /// Why, in a few words for a progress line: "overloaded (529)".
    pub reason: String,
    /// Whether another attempt may end better.
    pub retryable: bool,
    /// Whether the provider is asked too much (429, 529): everyone slows down, and only the waiting counts.
    pub overloaded: bool,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
}

/// Most attempts at one turn of which each may have a cost: overloads, which do not count, have none.
pub const MOST_ATTEMPTS: u32 = 5;

const KEPT: &str = "what is done so far is kept, start again later";
/// Overloads after which a provider's own "again at once" is ignored, so that a turn does not hammer it for
/// minutes.
const BELIEVED_OVERLOADS: u32 = 4;

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(8),
            max_retries: MOST_ATTEMPTS - 1,
            max_wait: Duration::from_secs(120),
        }
    }
}

/// Make attempts until one succeeds or the policy ends it. With the answer comes what the lost attempts cost. `provider` is
/// who is asked, for people.
///
/// # Errors
/// The last attempt's error, with the cost of all; or [`Cancelled`](super::ModelErrorKind::Cancelled), and then the
/// attempt under way is dropped.
pub async fn with_retries<T, A, F>(
    provider: &str,
    policy: &RetryPolicy,
    throttle: &Arc<Throttle>,
    cancel: &CancellationToken,
    progress: &(dyn Fn(TurnProgress) + Send + Sync),
    attempt: A,
) -> Result<(T, Usage), ModelError>
where
    A: Fn() -> F,
    F: Future<Output = Result<T, AttemptError>>,
{
    let mut tally = Tally::default();
    let mut again = None;
    loop {
        let mut waited = again.is_some();
        let held_back = || {
            waited = true;
            progress(TurnProgress::Throttled { provider: provider.to_owned() });
        };
        let Some(slot) = throttle.enter(cancel, held_back).await else {
            return Err(ModelError::cancelled().with_usage(tally.lost));
        };
        if waited {
            progress(TurnProgress::Asking { provider: provider.to_owned(), again: again.take() });
        }
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(ModelError::cancelled().with_usage(tally.lost)),
            outcome = attempt() => outcome,
        };
        let failed = match outcome {
            Ok(answer) => {
                slot.succeeded();
                return Ok((answer, tally.lost));
            }
            Err(failed) => failed,
        };
        if failed.overloaded {
            slot.overloaded();
        } else {
            drop(slot);
        }
        let is_overload = failed.overloaded;
        let most = (!is_overload).then(|| tally.most(policy));
        let (wait, reason) = tally.next(policy, failed, fastrand::f64())?;
        let coming = Retry { provider: provider.to_owned(), reason, attempt: tally.attempts + 1, most, is_overload };
        progress(TurnProgress::Retry { again: coming.clone(), wait, lost: tally.lost });
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(ModelError::cancelled().with_usage(tally.lost)),
            () = count_down(wait, &coming, progress) => {}
        }
        again = Some(coming);
    }
}

/// Wait, and report every second how long it still takes.
async fn count_down(wait: Duration, coming: &Retry, progress: &(dyn Fn(TurnProgress) + Send + Sync)) {
    const SECOND: Duration = Duration::from_secs(1);
    let until = tokio::time::Instant::now() + wait;
    let mut left = wait;
    while left > SECOND {
        // What is left falls on whole seconds, as people count.
        let odd = Duration::from_nanos(u64::from(left.subsec_nanos()));
        tokio::time::sleep(if odd.is_zero() { SECOND } else { odd }).await;
        left = until.saturating_duration_since(tokio::time::Instant::now());
        progress(TurnProgress::Waiting { again: coming.clone(), left });
    }
    tokio::time::sleep(left).await;
}

/// What has been tried so far.
#[derive(Debug, Default)]
struct Tally {
    attempts: u32,
    overloads: u32,
    waited: Duration,
    lost: Usage,
}

impl Tally {
    /// How many attempts there are at most, as things stand: overloads do not count.
    fn most(&self, policy: &RetryPolicy) -> u32 {
        policy.max_retries + 1 + self.overloads
    }

    /// How long to wait for the next attempt, and why; or the error that ends the turn. `chance` is in 0..1.
    fn next(
        &mut self,
        policy: &RetryPolicy,
        failed: AttemptError,
        chance: f64,
    ) -> Result<(Duration, String), ModelError> {
        self.attempts += 1;
        self.lost += failed.error.usage;
        let mut error = failed.error.with_usage(self.lost);
        if !failed.retryable {
            if error.kind == ModelErrorKind::Unavailable {
                error.message = format!("{} It says not to try again at once; {KEPT}.", error.message);
            }
            return Err(error);
        }
        if failed.overloaded {
            self.overloads += 1;
        } else if self.attempts - self.overloads > policy.max_retries {
            let attempts = self.attempts;
            error.message = format!("{} Gave up after {attempts} attempts; {KEPT}.", error.message);
            return Err(error);
        }
        let own = backoff(policy, self.attempts - 1, chance);
        let wait = match failed.retry_after {
            Some(asked) if self.overloads > BELIEVED_OVERLOADS => asked.max(own),
            Some(asked) => asked,
            None => own,
        };
        if self.waited.saturating_add(wait) > policy.max_wait {
            error.message = format!("{} {}", error.message, out_of_patience(policy, self.waited, wait));
            return Err(error);
        }
        self.waited += wait;
        Ok((wait, failed.reason))
    }
}

fn out_of_patience(policy: &RetryPolicy, waited: Duration, wait: Duration) -> String {
    let whole = |time: Duration| humantime::format_duration(Duration::from_secs(time.as_secs())).to_string();
    if wait > policy.max_wait {
        return format!("It asks to wait {}, longer than a turn waits; start again then.", whole(wait));
    }
    format!("Gave up after waiting {}; {KEPT}.", whole(waited))
}

/// `base · 2ⁿ`, at most `cap`, less up to a quarter so that tasks which failed together do not return together.
fn backoff(policy: &RetryPolicy, n: u32, chance: f64) -> Duration {
    let doubled = policy.base.saturating_mul(2u32.saturating_pow(n));
    doubled.min(policy.cap).mul_f64(1.0 - chance.clamp(0.0, 1.0) / 4.0)
}

/// How long a response asks to wait: `retry-after-ms` in milliseconds, or `retry-after` in seconds or as an HTTP date
/// (RFC 9110, section 10.2.3). What cannot be read counts as not there.
pub fn retry_after(milliseconds: Option<&str>, seconds_or_date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| *n >= 0.0);
    let span = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if let Some(milliseconds) = milliseconds.and_then(number) {
        return Some(span(milliseconds / 1e3));
    }
    let text = seconds_or_date?;
    if let Some(seconds) = number(text) {
        return Some(span(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests;
