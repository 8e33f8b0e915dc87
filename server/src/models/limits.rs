/// What a model takes in one request, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Its context window: tokens of the prompt and of the answer together.
    pub window: Option<u64>,
    /// Most tokens of one answer.
    pub max_output: Option<u32>,
}
