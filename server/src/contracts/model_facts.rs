/// What the user's own file says of one model. At least one fact is given; `input` and `output` are given together, and the
/// prices of a cache only with them. What it leaves out is as without it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelFacts {
    /// `provider:name`, or a name with any provider. No others have it.
    pub name: String,
    /// Its context window, in tokens.
    pub window: Option<u64>,
    /// Most tokens of one answer.
    pub max_output: Option<u32>,
    /// US dollars per million tokens of prompt that no cache holds.
    pub input: Option<f64>,
    /// US dollars per million tokens of answer.
    pub output: Option<f64>,
    /// US dollars per million tokens written to a cache; as `input` where it is left out.
    pub cache_write: Option<f64>,
    /// US dollars per million tokens read from a cache; as `input` where it is left out.
    pub cache_read: Option<f64>,
    /// When the user looked that up: a year, a month or a day, as in `2026-11`.
    pub as_of: Option<String>,
}
