//! How long coordinator and workers wait for each other.

use std::time::Duration;

use crate::bus::BrokerTimes;

/// Names the time after which a job of a silent worker goes to another one: all who share a broker have the same.
const ACK_WAIT: &str = "BATON_ACK_WAIT";
/// A worker says more often than that that it is there, and a broker forgets no faster.
const SHORTEST: Duration = Duration::from_millis(500);

/// The times in force.
///
/// # Errors
/// When the variable holds no time, in words.
pub(super) fn times(env: &dyn Fn(&str) -> Option<String>) -> Result<BrokerTimes, String> {
    let Some(text) = env(ACK_WAIT).filter(|text| !text.trim().is_empty()) else { return Ok(BrokerTimes::default()) };
    let ack_wait = humantime::parse_duration(text.trim())
        .map_err(|_| format!("{ACK_WAIT} is {text:?}, which is no time; write one such as 30s, or leave it unset"))?;
    let ack_wait = ack_wait.max(SHORTEST);
    Ok(BrokerTimes { ack_wait, presence: ack_wait.max(Duration::from_secs(3)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_silent_worker_is_the_one_that_is_set() {
        assert_eq!(times(&|_| None).unwrap().ack_wait, Duration::from_secs(30));
        assert_eq!(times(&|_| Some("2s".to_owned())).unwrap().ack_wait, Duration::from_secs(2));
        assert!(times(&|_| Some("soon".to_owned())).unwrap_err().contains("BATON_ACK_WAIT is \"soon\""));
    }
}
