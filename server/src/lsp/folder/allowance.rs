//! What the user allows a workflow beyond its budget, when that is spent.

use crate::config::Settings;
use crate::text;

/// What the user allowed the workflow beyond its budget.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Allowance {
    usd: f64,
    tokens: u64,
}

impl Allowance {
    /// Forget what was allowed.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Raise the budget by what was allowed.
    pub(crate) fn add_to(self, settings: &mut Settings) {
        settings.budget_usd += self.usd;
        settings.budget_tokens = settings.budget_tokens.map(|tokens| tokens.saturating_add(self.tokens));
    }

    /// As much again as the budget of the settings.
    pub(crate) fn more(settings: &Settings) -> Self {
        Self { usd: settings.budget_usd, tokens: settings.budget_tokens.unwrap_or_default() }
    }

    /// Allow this much beyond what was allowed before.
    pub(crate) fn raise(&mut self, by: Self) {
        self.usd += by.usd;
        self.tokens = self.tokens.saturating_add(by.tokens);
    }

    /// `Allow $5.00 more`
    pub(crate) fn title(self) -> String {
        match self.tokens {
            0 => format!("Allow {} more", text::cost(self.usd)),
            tokens => format!("Allow {} and {} tokens more", text::cost(self.usd), text::tokens(tokens)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_added_to_the_budget_and_gone_with_the_workflow() {
        let settings = Settings { budget_tokens: Some(1_000), ..Settings::default() };
        let mut allowed = Allowance::default();
        let more = Allowance::more(&settings);
        assert_eq!(more.title(), "Allow $5.00 and 1.0k tokens more");
        allowed.raise(more);
        allowed.raise(more);
        let mut raised = settings.clone();
        allowed.add_to(&mut raised);
        assert_eq!((raised.budget_usd, raised.budget_tokens), (15.0, Some(3_000)));
        allowed.clear();
        let mut same = settings.clone();
        allowed.add_to(&mut same);
        assert_eq!(same, settings);
        let mut without = Settings::default();
        more.add_to(&mut without);
        assert_eq!(without.budget_tokens, None, "where there is no limit, none appears");
        assert_eq!(Allowance::more(&without).title(), "Allow $10.00 more");
    }
}
