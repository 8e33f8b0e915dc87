use super::error::ModelError;

/// What a provider says when it is asked whether it has a model, without a turn being taken.
#[derive(Debug, Clone)]
pub enum Probe {
    /// There is nothing to ask: no network, or models that only their owner names.
    NotNeeded,
    /// It has the model.
    Found,
    /// It has others.
    Missing {
        /// Names of some that it has, the most alike first.
        has: Vec<String>,
    },
    /// It can be reached, and does not list its models.
    NotListed,
    /// It has the model, which cannot do what agents need.
    Unfit {
        /// Why, and what the user can do.
        error: ModelError,
    },
    /// It could not be asked.
    Failed {
        /// Why, and what the user can do.
        error: ModelError,
        /// Whether something answered at all.
        reached: bool,
    },
}

/// Of these names the ones most like `wanted`, the best first.
pub(super) fn nearest(wanted: &str, names: &[String], most: usize) -> Vec<String> {
    let mut scored: Vec<(f64, &String)> =
        names.iter().map(|name| (strsim::normalized_damerau_levenshtein(wanted, name), name)).collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().take(most).map(|(_, name)| name.clone()).collect()
}
