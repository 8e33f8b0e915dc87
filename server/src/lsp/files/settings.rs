//! What the editor's settings say of Baton, section `baton`: asked for at the start and whenever they change.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

/// How long work waits for settings that were asked for. An editor answers at once; one that does not is done without.
const PATIENCE: Duration = Duration::from_secs(2);

/// The editor's settings for one folder.
pub(crate) struct EditorSettings {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    value: Option<Value>,
    /// The newest question, and the newest that has an answer.
    asked: u64,
    answered: u64,
}

impl EditorSettings {
    /// Nothing is set.
    pub(crate) fn new() -> Self {
        Self { state: watch::Sender::new(State::default()) }
    }

    /// The editor is being asked: whoever wants the settings waits for its answer. Answers with the question's number.
    pub(crate) fn ask(&self) -> u64 {
        let mut number = 0;
        self.state.send_modify(|state| {
            state.asked += 1;
            number = state.asked;
        });
        number
    }

    /// The editor answered a question.
    pub(crate) fn answered(&self, number: u64, value: Value) {
        self.state.send_modify(|state| {
            // A later question may have been answered first.
            if number > state.answered {
                state.answered = number;
                state.value = some(value);
            }
        });
    }

    /// It does not answer.
    pub(crate) fn not_answered(&self, number: u64) {
        self.state.send_modify(|state| state.answered = state.answered.max(number));
    }

    /// The editor says of its own accord what is set.
    pub(crate) fn set(&self, value: Value) {
        self.state.send_modify(|state| state.value = some(value));
    }

    /// What is set, once the editor has answered.
    pub(crate) async fn get(&self) -> Option<Value> {
        let mut state = self.state.subscribe();
        let answered = state.wait_for(|state| state.answered >= state.asked);
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(state)) => state.value.clone(),
            _ => {
                tracing::warn!("the editor does not say what its settings are; going on with what was known");
                self.state.borrow().value.clone()
            }
        }
    }
}

/// `null` is what editors send for a section nobody set.
fn some(value: Value) -> Option<Value> {
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
        let asked = settings.ask();
        let (got, ()) = tokio::join!(settings.get(), async {
            tokio::time::sleep(PATIENCE / 2).await;
            settings.answered(asked, json!({ "budget_usd": 1 }));
        });
        assert_eq!(got, Some(json!({ "budget_usd": 1 })));
        settings.ask();
        let began = tokio::time::Instant::now();
        assert_eq!(settings.get().await, Some(json!({ "budget_usd": 1 })), "what was known stands");
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test]
    async fn the_newest_question_wins_and_a_refused_one_holds_nobody() {
        let settings = EditorSettings::new();
        let (first, second) = (settings.ask(), settings.ask());
        settings.answered(second, json!({ "keep_runs": 2 }));
        settings.answered(first, json!({ "keep_runs": 1 }));
        assert_eq!(settings.get().await, Some(json!({ "keep_runs": 2 })));
        settings.not_answered(settings.ask());
        assert_eq!(settings.get().await, Some(json!({ "keep_runs": 2 })));
        settings.set(Value::Null);
        assert_eq!(settings.get().await, None);
    }
}
