//! What Ollama's words mean where it refuses, and what the user can do.
//!
//! Source: the errors of Ollama's server (`{"error": "…"}`) and of the llama.cpp server that newer versions run beneath it,
//! whose error comes as a JSON text inside that one and is read as what it holds.

use super::super::http::Refusal;

/// What a refusal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// There is no such model here.
    NotPulled,
    /// The model calls no tools.
    NoTools,
    /// The model does not think, or not as it was told to.
    NoThinking,
    /// The model and its context need more memory than there is.
    TooLittleMemory,
    /// The prompt is longer than the context; with the tokens it has, where that is said.
    TooLong(Option<u64>),
    /// A model of Ollama's cloud wants an account.
    NotSignedIn,
    /// Anything else, which its status explains.
    Other,
}

/// The meaning of a refusal.
pub(super) fn meaning(refusal: &Refusal) -> Meaning {
    let body = &refusal.body;
    let message = body.message.to_lowercase();
    let says = |words: &[&str]| words.iter().all(|word| message.contains(word));
    if body.kind == "exceed_context_size_error"
        || says(&["exceed", "context length"])
        || says(&["exceed", "context size"])
    {
        return Meaning::TooLong(body.prompt_tokens);
    }
    match refusal.status.as_u16() {
        401 | 403 => Meaning::NotSignedIn,
        404 if says(&["model", "not found"]) => Meaning::NotPulled,
        400 if says(&["does not support tools"]) => Meaning::NoTools,
        400 if says(&["think"]) => Meaning::NoThinking,
        _ if says(&["requires more system memory"]) => Meaning::TooLittleMemory,
        _ => Meaning::Other,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::super::super::http::ErrorBody;
    use super::*;

    fn refusal(status: u16, message: &str) -> Refusal {
        let body = ErrorBody::read(&json!({ "error": message }).to_string());
        Refusal { status: StatusCode::from_u16(status).expect("a status"), body }
    }

    #[test]
    fn ollamas_words_are_understood() {
        let overflow = json!({ "error": {
            "code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 2622, "n_ctx": 512,
            "message": "request (2622 tokens) exceeds the available context size (512 tokens), try increasing it",
        } });
        for (status, message, meant) in [
            (404, "model 'qwen3' not found", Meaning::NotPulled),
            (404, "model \"qwen3\" not found, try pulling it first", Meaning::NotPulled),
            (404, "404 page not found", Meaning::Other),
            (400, "registry.ollama.ai/library/gemma3:4b does not support tools", Meaning::NoTools),
            (400, "\"llama3\" does not support thinking", Meaning::NoThinking),
            (400, "think value \"low\" is not supported for this model", Meaning::NoThinking),
            (500, "model requires more system memory (9.9 GiB) than is available (7.6 GiB)", Meaning::TooLittleMemory),
            (400, "the input length exceeds the context length", Meaning::TooLong(None)),
            (400, &overflow.to_string(), Meaning::TooLong(Some(2622))),
            (401, "unauthorized", Meaning::NotSignedIn),
            (500, "llama runner process has terminated: exit status 2", Meaning::Other),
            (503, "server busy, please try again. maximum pending requests exceeded", Meaning::Other),
            (400, "invalid model name", Meaning::Other),
        ] {
            assert_eq!(meaning(&refusal(status, message)), meant, "{message}");
        }
        assert!(refusal(400, &overflow.to_string()).body.message.starts_with("request (2622 tokens) exceeds"));
    }
}
