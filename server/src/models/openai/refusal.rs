//! What a refusal says of a parameter, and what is sent instead.

use super::super::effort::Effort;
use super::super::http::{ErrorBody, Refusal};
use super::learned::{ANSWER_LIMIT, AnswerLimit, Learned, STREAM, effort};
use super::reasoning;

/// What was sent that a server may refuse.
pub(super) struct Sent<'a> {
    pub(super) limit: AnswerLimit,
    pub(super) effort: Option<Effort>,
    pub(super) learned: &'a Learned,
}

/// What a refused request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Send it again, and all that follow, with what was learned.
    Learned(Learned),
    /// Send it again with so many tokens left for its answer: they are what fits beside this prompt.
    Fits(u32),
}

/// An answer of fewer tokens is of no use.
const LEAST_OUTPUT: u32 = 1024;
/// Tokens left free where a server says what fits: what it counts and what it then needs differ by a few.
const MARGIN: u32 = 16;

/// What to send instead; `None` where the refusal is about something else, or was answered before.
///
/// Only a 400 and a 422 are about the request's form, and never is one answered by leaving out tools or messages.
pub(super) fn answer(refusal: &Refusal, sent: &Sent<'_>) -> Option<Answer> {
    if !matches!(refusal.status.as_u16(), 400 | 422) {
        return None;
    }
    let said = Said::of(&refusal.body);
    if let Some(fits) = said.fits() {
        return Some(Answer::Fits(fits));
    }
    if refusal.body.is_too_long() {
        return None;
    }
    let learns = [learn_limit, learn_effort, learn_stream_options, learn_stream, learn_reasoning];
    learns.into_iter().find_map(|learn| learn(&said, sent)).map(Answer::Learned)
}

/// The words of a refusal, made alike.
struct Said {
    /// In lower case.
    message: String,
    param: String,
    /// The parameter at fault and the message, in lower case and without what separates words: servers write
    /// `reasoning_effort`, `reasoningEffort` and "reasoning effort".
    squeezed: String,
}

impl Said {
    fn of(body: &ErrorBody) -> Self {
        let message = body.message.to_lowercase();
        let param = body.param.to_lowercase();
        let squeezed = format!("{param} {message}").chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '`')).collect();
        Self { message, param, squeezed }
    }

    fn names(&self, parameter: &str) -> bool {
        self.squeezed.contains(&parameter.replace('_', ""))
    }

    /// The same of a name that is a word of the language too.
    fn names_in_quotes(&self, parameter: &str) -> bool {
        let quoted = |quote: &str| self.message.contains(&format!("{quote}{parameter}{quote}"));
        self.param.rsplit('.').next() == Some(parameter) || ["'", "\"", "`"].iter().any(|quote| quoted(quote))
    }

    /// The number after these words.
    fn number_after(&self, words: &str) -> Option<u32> {
        let (_, rest) = self.message.split_once(words)?;
        let start = rest.find(|c: char| c.is_ascii_digit())?;
        // A sentence further on speaks of something else.
        let digits: String = rest[start..].chars().take_while(char::is_ascii_digit).collect();
        (start < 12).then(|| digits.parse().ok()).flatten()
    }

    /// The number before these words.
    fn number_before(&self, words: &str) -> Option<u32> {
        let (before, _) = self.message.split_once(words)?;
        before.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// How many tokens are left for an answer, where the prompt fits and the answer is what is too much.
    ///
    /// Source: OpenAI and vLLM ("maximum context length is 8192 tokens. However, you requested 9000 tokens (5000 in the
    /// messages, 4000 in the completion)"), newer vLLM ("… is 8192 tokens and your request has 5000 input tokens").
    fn fits(&self) -> Option<u32> {
        let window = self.number_after("maximum context length is")?;
        let prompt = self.number_before("in the messages").or_else(|| self.number_after("your request has"))?;
        window.checked_sub(prompt)?.checked_sub(MARGIN).filter(|fits| *fits >= LEAST_OUTPUT)
    }

    /// The most tokens of an answer that the server allows.
    ///
    /// Source: OpenAI ("This model supports at most 16384 completion tokens"), DeepSeek ("the valid range of max_tokens is
    /// [1, 8192]"), Groq ("must be less than or equal to `8192`").
    fn most_output(&self) -> Option<u32> {
        let range = || self.message.split_once("valid range").and_then(|(_, rest)| rest.split_once(','));
        let end =
            || range().and_then(|(_, rest)| rest.trim().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
        let said = self.number_after("at most").or_else(|| self.number_after("less than or equal to"));
        said.or_else(end).filter(|most| *most >= LEAST_OUTPUT)
    }

    /// The words in quotes after these.
    fn quoted_after(&self, words: &str) -> Vec<&str> {
        let Some((_, rest)) = self.message.split_once(words) else { return Vec::new() };
        let sentence = rest.split(". ").next().unwrap_or_default();
        sentence.split(['\'', '"', '`']).skip(1).step_by(2).filter(|word| !word.is_empty()).collect()
    }
}

/// What is learned of a parameter that was not answered for yet.
fn learn(sent: &Sent<'_>, parameter: &'static str, change: impl FnOnce(&mut Learned)) -> Option<Learned> {
    let mut learned = sent.learned.clone();
    if !learned.answered.insert(parameter) {
        return None;
    }
    change(&mut learned);
    Some(learned)
}

fn learn_limit(said: &Said, sent: &Sent<'_>) -> Option<Learned> {
    if !said.names("max_tokens") && !said.names("max_completion_tokens") {
        return None;
    }
    let lowered =
        said.most_output().and_then(|most| learn(sent, "most output", |learned| learned.most_output = Some(most)));
    let other = match sent.limit {
        AnswerLimit::MaxTokens => AnswerLimit::MaxCompletionTokens,
        AnswerLimit::MaxCompletionTokens => AnswerLimit::MaxTokens,
    };
    lowered
        .or_else(|| learn(sent, "name of the answer limit", |learned| learned.answer_limit = Some(other)))
        // It takes neither name.
        .or_else(|| leave_out(sent, ANSWER_LIMIT))
}

/// Efforts that servers know, from the least to the most.
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

fn learn_effort(said: &Said, sent: &Sent<'_>) -> Option<Learned> {
    const NAMES: [&str; 5] =
        ["reasoning_effort", "reasoning.effort", "thinking_level", "thinking_budget", "thinking_config"];
    if !NAMES.iter().any(|name| said.names(name)) {
        return None;
    }
    let now = effort(sent.effort, sent.learned);
    let offered = ["effort to", "supported values are", "must be one of", "one of", "expected"];
    let offered = offered.iter().map(|words| said.quoted_after(words)).find(|values| !values.is_empty());
    let place = |effort: &str| EFFORTS.iter().position(|known| *known == effort);
    let wanted = now.and_then(place).unwrap_or(0);
    let known = offered.unwrap_or_default().into_iter().filter(|value| Some(*value) != now);
    let nearest = known.filter_map(|value| Some((place(value)?.abs_diff(wanted), value))).min();
    let instead = nearest.map(|(_, value)| value.to_owned());
    if instead.is_none() && now.is_none() {
        return None;
    }
    learn(sent, "reasoning_effort", |learned| learned.effort = Some(instead))
}

fn learn_stream_options(said: &Said, sent: &Sent<'_>) -> Option<Learned> {
    let is_named = said.names("stream_options") || said.names("include_usage");
    is_named.then(|| leave_out(sent, "stream_options")).flatten()
}

/// An answer that may not come in pieces comes whole.
fn learn_stream(said: &Said, sent: &Sent<'_>) -> Option<Learned> {
    said.names_in_quotes(STREAM).then(|| leave_out(sent, STREAM)).flatten()
}

/// A field in which reasoning went back.
fn learn_reasoning(said: &Said, sent: &Sent<'_>) -> Option<Learned> {
    let mut fields = reasoning::FIELDS.into_iter().chain([reasoning::EXTRA, "thought_signature"]);
    let is_named = |field: &&str| if *field == "reasoning" { said.names_in_quotes(field) } else { said.names(field) };
    let named = fields.find(is_named)?;
    // What is missing is not mended by leaving it out.
    if ["must be passed", "is missing", "missing a"].iter().any(|words| said.message.contains(words)) {
        return None;
    }
    leave_out(sent, if named == "thought_signature" { reasoning::EXTRA } else { named })
}

fn leave_out(sent: &Sent<'_>, name: &'static str) -> Option<Learned> {
    learn(sent, name, |learned| {
        learned.left_out.insert(name);
    })
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::{Value, json};

    use super::*;

    fn refused(status: u16, body: &Value) -> Refusal {
        Refusal { status: StatusCode::from_u16(status).expect("a status"), body: ErrorBody::of(body) }
    }

    fn error(message: &str) -> Value {
        json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": null } })
    }

    fn answered(body: &Value, limit: AnswerLimit, effort: Option<Effort>, learned: &Learned) -> Option<Answer> {
        answer(&refused(400, body), &Sent { limit, effort, learned })
    }

    /// What the first refusal of a request with everything in it teaches.
    fn learns(body: &Value, limit: AnswerLimit) -> Learned {
        match answered(body, limit, Some(Effort::High), &Learned::default()) {
            Some(Answer::Learned(learned)) => learned,
            other => panic!("{body}: {other:?}"),
        }
    }

    use AnswerLimit::{MaxCompletionTokens, MaxTokens};

    #[test]
    fn the_answers_limit_is_renamed_as_the_server_wants_it() {
        let openai = error(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        );
        assert_eq!(learns(&openai, MaxTokens).answer_limit, Some(MaxCompletionTokens));
        let mistral = json!({ "object": "error", "type": "invalid_request_error", "message": { "detail": [
            { "type": "extra_forbidden", "loc": ["body", "max_completion_tokens"], "msg": "Extra inputs are not permitted" },
        ] } });
        assert_eq!(learns(&mistral, MaxCompletionTokens).answer_limit, Some(MaxTokens));
        let old = error("Unrecognized request argument supplied: max_completion_tokens");
        assert_eq!(learns(&old, MaxCompletionTokens).answer_limit, Some(MaxTokens));
    }

    #[test]
    fn a_limit_that_is_taken_under_neither_name_is_left_out() {
        for (first, limit, other) in [
            ("Unsupported parameter: 'max_tokens'", MaxTokens, MaxCompletionTokens),
            ("max_completion_tokens: extra fields not permitted", MaxCompletionTokens, MaxTokens),
            ("max_tokens is odd", MaxTokens, MaxCompletionTokens),
        ] {
            let swapped = learns(&error(first), limit);
            assert_eq!((swapped.answer_limit, swapped.left_out.len()), (Some(other), 0), "{first}");
            let second = error(&format!("Unsupported parameter: '{}'", other.as_str()));
            let Some(Answer::Learned(without)) = answered(&second, other, None, &swapped) else { panic!("{first}") };
            assert!(without.left_out.contains(ANSWER_LIMIT), "{without:?}");
            assert_eq!(answered(&second, other, None, &without), None, "once");
        }
        // A number that is refused too.
        let too_large = error("max_tokens must be less than or equal to 4096");
        let lowered = learns(&too_large, MaxTokens);
        let Some(Answer::Learned(next)) = answered(&too_large, MaxTokens, None, &lowered) else { panic!() };
        assert_eq!((next.most_output, next.answer_limit), (Some(4096), Some(MaxCompletionTokens)));
    }

    #[test]
    fn a_limit_that_is_too_high_is_lowered_to_what_the_server_says() {
        for (said, most) in [
            (
                "max_tokens is too large: 32000. This model supports at most 16384 completion tokens, whereas you provided 32000.",
                16384,
            ),
            ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192),
            (
                "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model",
                8192,
            ),
        ] {
            assert_eq!(learns(&error(said), MaxTokens).most_output, Some(most), "{said}");
        }
        for (said, fits) in [
            (
                "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (5000 in the messages, 4000 in the completion). Please reduce the length of the messages or completion.",
                3176,
            ),
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 16000. This model's maximum context length is 8192 tokens and your request has 2000 input tokens (16000 > 8192 - 2000).",
                6176,
            ),
        ] {
            assert_eq!(
                answered(&error(said), MaxTokens, None, &Learned::default()),
                Some(Answer::Fits(fits)),
                "{said}"
            );
        }
        let full = error(
            "This model's maximum context length is 8192 tokens. However, you requested 12000 tokens (8000 in the messages, 4000 in the completion).",
        );
        assert_eq!(answered(&full, MaxTokens, None, &Learned::default()), None, "too little would be left");
        let prompt = error(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        );
        assert_eq!(answered(&prompt, MaxTokens, None, &Learned::default()), None);
    }

    #[test]
    fn an_effort_is_set_to_what_is_offered_or_left_out() {
        for (said, instead) in [
            (
                "Function tools with reasoning_effort are not supported for gpt-5.6-sol in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
                Some("none"),
            ),
            (
                "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions. Please use /v1/responses instead.",
                None,
            ),
            (
                "Unsupported value: 'reasoning_effort' does not support 'high' with this model. Supported values are: 'low', and 'medium'.",
                Some("medium"),
            ),
            ("Unrecognized request argument supplied: reasoning_effort", None),
            ("Model grok-4 does not support parameter reasoningEffort.", None),
            (
                "litellm.UnsupportedParamsError: openai does not support parameters: ['reasoning_effort'], for model=x",
                None,
            ),
            ("Thinking level is not supported for this model.", None),
        ] {
            assert_eq!(learns(&error(said), MaxTokens).effort, Some(instead.map(str::to_owned)), "{said}");
        }
        // A model that thinks unasked refuses tools with that; what it offers is sent.
        let unasked = error(
            "Function tools with reasoning_effort are not supported for gpt-5.6-sol in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
        );
        let Some(Answer::Learned(learned)) = answered(&unasked, MaxTokens, None, &Learned::default()) else { panic!() };
        assert_eq!(learned.effort, Some(Some("none".to_owned())));
        assert_eq!(answered(&unasked, MaxTokens, None, &learned), None, "once a parameter");
        assert_eq!(answered(&error("reasoning_effort is odd"), MaxTokens, None, &Learned::default()), None);
    }

    #[test]
    fn other_parameters_are_left_out_once_each() {
        let fastapi = json!({ "detail": [
            { "type": "extra_forbidden", "loc": ["body", "messages", 3, "assistant", "reasoning_content"],
              "msg": "Extra inputs are not permitted" },
        ] });
        for (body, name) in [
            (error("Unrecognized request argument supplied: stream_options"), "stream_options"),
            (error("Unsupported parameter: 'stream'"), STREAM),
            (json!({ "error": { "message": "Unknown parameter", "param": "stream_options" } }), "stream_options"),
            (fastapi.clone(), "reasoning_content"),
            (error("property 'reasoning_details' is unsupported"), "reasoning_details"),
            (error("property 'messages.2' : for 'role:assistant' property 'reasoning' is unsupported"), "reasoning"),
            (error("Invalid JSON payload received. Unknown name \"extra_content\""), "extra_content"),
        ] {
            let learned = learns(&body, MaxTokens);
            assert!(learned.left_out.contains(name) && learned.left_out.len() == 1, "{body}: {learned:?}");
            assert_eq!(answered(&body, MaxTokens, None, &learned), None, "once a parameter");
        }
        let learned = learns(&fastapi, MaxTokens);
        let next = answered(&error("stream_options"), MaxTokens, None, &learned);
        assert!(matches!(next, Some(Answer::Learned(learned)) if learned.left_out.len() == 2));
    }

    #[test]
    fn nothing_else_is_answered() {
        for said in [
            "tools: too many",
            "messages.1: invalid role",
            "Invalid 'messages[2].tool_calls': array too long",
            "The reasoning_content in the thinking mode must be passed back to the API.",
            "Function call is missing a thought_signature in functionCall parts.",
            "",
        ] {
            assert_eq!(answered(&error(said), MaxTokens, Some(Effort::Low), &Learned::default()), None, "{said}");
        }
        let refusal = refused(429, &error("stream_options"));
        let sent = Sent { limit: MaxTokens, effort: None, learned: &Learned::default() };
        assert_eq!(answer(&refusal, &sent), None);
    }
}
