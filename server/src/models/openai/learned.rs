use std::collections::BTreeSet;

use super::super::effort::Effort;

/// What is left out where a server takes no bound of an answer, under either name.
pub(super) const ANSWER_LIMIT: &str = "answer limit";
pub(super) const STREAM: &str = "stream";

/// What the server of a model has refused in this run, and what it is sent instead.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Learned {
    /// The name of the parameter that bounds an answer, where the usual one was refused.
    pub(super) answer_limit: Option<AnswerLimit>,
    /// Most tokens of an answer that the server allows.
    pub(super) most_output: Option<u32>,
    /// The effort that is sent in the place of the wanted one; `Some(None)`: none at all.
    pub(super) effort: Option<Option<String>>,
    /// Parameters and fields of messages that are left out.
    pub(super) left_out: BTreeSet<&'static str>,
    /// Parameters that a refusal was answered for. One that is refused again ends the turn.
    pub(super) answered: BTreeSet<&'static str>,
}

/// The name of the parameter that bounds an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerLimit {
    /// The older one, which nearly every server knows.
    MaxTokens,
    /// What OpenAI's models that think want.
    MaxCompletionTokens,
}

impl AnswerLimit {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }

    /// What a model wants, by who serves it and by its family.
    pub(super) fn usual(host: &str, model: &str) -> Self {
        let is_openai = host == "api.openai.com" || host.ends_with(".openai.azure.com");
        if is_openai || thinks_by_openai(model) { Self::MaxCompletionTokens } else { Self::MaxTokens }
    }
}

/// Whether a model is of one of OpenAI's families that think: o1 and later, GPT-5 and later.
fn thinks_by_openai(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or_default();
    let version = |prefix: &str| {
        let rest = name.strip_prefix(prefix)?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
        digits.parse::<u32>().ok()
    };
    version("gpt-").is_some_and(|version| version >= 5) || version("o").is_some()
}

/// The effort that is sent.
pub(super) fn effort(wanted: Option<Effort>, learned: &Learned) -> Option<&str> {
    match &learned.effort {
        Some(instead) => instead.as_deref(),
        None => wanted.map(Effort::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_answers_limit_goes_by_host_and_family() {
        for (host, model, name) in [
            ("api.openai.com", "gpt-4o", "max_completion_tokens"),
            ("x.openai.azure.com", "my-deployment", "max_completion_tokens"),
            ("localhost:4000", "gpt-6-sol", "max_completion_tokens"),
            ("localhost:4000", "openai/o4-mini", "max_completion_tokens"),
            ("localhost:4000", "gpt-4o", "max_tokens"),
            ("localhost:4000", "gpt-oss-120b", "max_tokens"),
            ("openrouter.ai", "qwen/qwen3-coder", "max_tokens"),
            ("localhost:4000", "olmo", "max_tokens"),
            ("localhost:4000", "", "max_tokens"),
        ] {
            assert_eq!(AnswerLimit::usual(host, model).as_str(), name, "{host} {model}");
        }
    }
}
