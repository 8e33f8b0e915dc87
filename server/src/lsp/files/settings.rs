//! The editor's settings for Baton, section `baton`: requested at the start and whenever they change.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

/// How long work waits for settings that were requested. An editor answers at once; without an answer the last known
/// settings are used.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The editor's settings for one folder.
pub(crate) struct EditorSettings {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    value: Option<Value>,
    /// The newest request.
    requested: u64,
    /// The newest request that was answered.
    answered: u64,
}

impl EditorSettings {
    /// No settings.
    pub(crate) fn new() -> Self {
        Self { state: watch::Sender::new(State::default()) }
    }

    /// Count a request that is about to be sent: [`Self::get`] waits for its answer. Returns the request's number.
    pub(crate) fn begin_request(&self) -> u64 {
        let mut number = 0;
        self.state.send_modify(|state| {
            state.requested += 1;
            number = state.requested;
        });
        number
    }

    /// The editor answered a request.
    pub(crate) fn answered(&self, number: u64, value: Value) {
        self.state.send_modify(|state| {
            // A later request may have been answered first.
            if number > state.answered {
                state.answered = number;
                state.value = non_null(value);
            }
        });
    }

    /// The editor does not answer a request.
    pub(crate) fn request_failed(&self, number: u64) {
        self.state.send_modify(|state| state.answered = state.answered.max(number));
    }

    /// The editor pushed its settings.
    pub(crate) fn set(&self, value: Value) {
        self.state.send_modify(|state| state.value = non_null(value));
    }

    /// The settings, once the editor has answered.
    pub(crate) async fn get(&self) -> Option<Value> {
        let mut state = self.state.subscribe();
        let answered = state.wait_for(|state| state.answered >= state.requested);
        match tokio::time::timeout(ANSWER_TIMEOUT, answered).await {
            Ok(Ok(state)) => state.value.clone(),
            _ => {
                tracing::warn!("the editor does not answer what its settings are; the last known ones are used");
                self.state.borrow().value.clone()
            }
        }
    }
}

/// Editors send `null` for a section that is not set.
fn non_null(value: Value) -> Option<Value> {
    if value.is_null() { None } else { Some(value) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_waits_for_the_answer_and_not_for_ever() {
        let settings = EditorSettings::new();
        assert_eq!(settings.get().await, None, "nothing was asked");
        let asked = settings.begin_request();
        let (got, ()) = tokio::join!(settings.get(), async {
            tokio::time::sleep(ANSWER_TIMEOUT / 2).await;
            settings.answered(asked, json!({ "budget_usd": 1 }));
        });
        assert_eq!(got, Some(json!({ "budget_usd": 1 })));
        settings.begin_request();
        let began = tokio::time::Instant::now();
        assert_eq!(settings.get().await, Some(json!({ "budget_usd": 1 })), "what was known stands");
        assert_eq!(began.elapsed(), ANSWER_TIMEOUT);
    }

    #[tokio::test]
    async fn the_newest_question_wins_and_a_refused_one_blocks_no_reader() {
        let settings = EditorSettings::new();
        let (first, second) = (settings.begin_request(), settings.begin_request());
        settings.answered(second, json!({ "keep_runs": 2 }));
        settings.answered(first, json!({ "keep_runs": 1 }));
        assert_eq!(settings.get().await, Some(json!({ "keep_runs": 2 })));
        settings.request_failed(settings.begin_request());
        assert_eq!(settings.get().await, Some(json!({ "keep_runs": 2 })));
        settings.set(Value::Null);
        assert_eq!(settings.get().await, None);
    }
}
