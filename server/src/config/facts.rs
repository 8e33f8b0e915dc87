//! `[[model_facts]]`: what the user knows of models, read from the user's own file.

use serde_json::{Value, json};

use super::error::{ConfigError, closest};
use super::value::{Node, Raw};
use crate::contracts::ModelFacts;
use crate::text;

/// Most models that facts are given of.
const MOST_FACTS: usize = 200;

/// Most bytes of a name.
const LONGEST_NAME: usize = 200;

/// Most tokens that a window or an answer may be said to have.
const MOST_TOKENS: u32 = 1_000_000_000;

/// Most US dollars per million tokens; what is more is a slip of the decimal point.
const DEAREST: f64 = 1_000_000.0;

/// The prices, of which the first two are given together, and the others only with them.
const PRICES: [&str; 4] = ["input", "output", "cache_write", "cache_read"];

pub(super) const FIELDS: [&str; 8] =
    ["name", "window", "max_output", "input", "output", "cache_write", "cache_read", "as_of"];

/// The facts of a `[[model_facts]]` list.
///
/// # Errors
/// Everything wrong with any of them.
pub(super) fn read_facts(items: &[Node]) -> Result<Vec<ModelFacts>, Vec<ConfigError>> {
    if let Some(surplus) = items.get(MOST_FACTS) {
        let what = format!("holds facts of {} models; there can be {MOST_FACTS}", items.len());
        return Err(vec![surplus.refuse("model_facts", what)]);
    }
    let mut errors = Vec::new();
    let mut facts: Vec<ModelFacts> = Vec::new();
    for item in items {
        match read_fact(item) {
            Ok(fact) if facts.iter().any(|earlier| earlier.name == fact.name) => {
                let what = format!("is {:?} a second time; say all of a model in one table", fact.name);
                errors.push(item.field("name").unwrap_or(item).refuse("model_facts.name", what));
            }
            Ok(fact) => facts.push(fact),
            Err(more) => errors.extend(more),
        }
    }
    if errors.is_empty() { Ok(facts) } else { Err(errors) }
}

/// The JSON Schema of a `[[model_facts]]` list; its fields in the order of [`FIELDS`].
pub(super) fn schema() -> Value {
    let tokens = |description: &str| json!({ "type": "integer", "minimum": 1, "maximum": MOST_TOKENS, "description": description });
    let price = |of: &str| {
        let description = format!("US dollars per million tokens {of}.");
        json!({ "type": "number", "minimum": 0, "maximum": DEAREST, "description": description })
    };
    let both: &[&str] = &["input", "output"];
    let together: Value = PRICES.iter().map(|key| ((*key).to_owned(), json!(both))).collect();
    json!({
        "type": "array",
        "maxItems": MOST_FACTS,
        "items": {
            "type": "object",
            "required": ["name"],
            "anyOf": [{ "required": ["window"] }, { "required": ["max_output"] }, { "required": both }],
            "dependentRequired": together,
            "additionalProperties": false,
            "properties": {
                "name": {
                    "type": "string",
                    "pattern": r"^\s*[^\s]*[^\s:]\s*$",
                    "maxLength": LONGEST_NAME,
                    "description": "provider:name, or a name with any provider.",
                },
                "window": tokens("Its context window: tokens of the prompt and of the answer together."),
                "max_output": tokens("Most tokens of one answer."),
                "input": price("of the prompt"),
                "output": price("of the answer"),
                "cache_write": price("written to a cache; as input where it is left out"),
                "cache_read": price("read from a cache; as input where it is left out"),
                "as_of": {
                    "type": "string",
                    "pattern": r"^\s*\d{4}(-\d{2}(-\d{2})?)?\s*$",
                    "description": "When that was looked up, as in 2026-11.",
                },
            },
        },
    })
}

fn read_fact(item: &Node) -> Result<ModelFacts, Vec<ConfigError>> {
    let Raw::Table(fields) = &item.raw else {
        let what = format!("holds {item}; the facts of a model are a table with name and some of them");
        return Err(vec![item.refuse("model_facts", what)]);
    };
    let mut reading = Reading { item, errors: Vec::new() };
    for (name, place, _) in fields.iter().filter(|(name, _, _)| !FIELDS.contains(&name.as_str())) {
        let hint = closest(name, FIELDS.into_iter());
        reading.errors.push(ConfigError {
            place: place.clone(),
            setting: format!("model_facts.{name}"),
            message: format!("model_facts.{name} is no fact of a model{hint}; there are {}", FIELDS.join(", ")),
        });
    }
    let fact = ModelFacts {
        name: reading.name(),
        window: reading.tokens("window").map(u64::from),
        max_output: reading.tokens("max_output"),
        input: reading.price("input"),
        output: reading.price("output"),
        cache_write: reading.price("cache_write"),
        cache_read: reading.price("cache_read"),
        as_of: reading.date(),
    };
    if reading.errors.is_empty() {
        reading.check_together(&fact);
    }
    if reading.errors.is_empty() { Ok(fact) } else { Err(reading.errors) }
}

/// The facts of one model, and what is wrong with them.
struct Reading<'a> {
    item: &'a Node,
    errors: Vec<ConfigError>,
}

impl Reading<'_> {
    fn refuse(&mut self, key: &str, what: impl std::fmt::Display) {
        let node = self.item.field(key).unwrap_or(self.item);
        self.errors.push(node.refuse(&format!("model_facts.{key}"), what));
    }

    fn name(&mut self) -> String {
        let example = "name = \"openai:gpt-oss-120b\"";
        let Some(node) = self.item.field("name") else {
            self.refuse("name", format!("is missing; for example {example}"));
            return String::new();
        };
        let what = match node.as_text().map(str::trim) {
            Some(name) if name.contains(|c: char| c.is_whitespace() || text::is_unsafe(c)) => {
                format!("is {node}, which has a space in it; a model's name has none")
            }
            Some(name) if name.len() > LONGEST_NAME => {
                format!("has {} bytes; it may have {LONGEST_NAME}", name.len())
            }
            Some(name) if !name.is_empty() && !name.ends_with(':') => return name.to_owned(),
            _ => format!("is {node}; it takes provider:name, or a name with any provider, for example {example}"),
        };
        self.refuse("name", what);
        String::new()
    }

    fn tokens(&mut self, key: &str) -> Option<u32> {
        let node = self.item.field(key)?;
        let whole = node.as_whole().and_then(|whole| u32::try_from(whole).ok());
        let tokens = whole.filter(|tokens| (1..=MOST_TOKENS).contains(tokens));
        if tokens.is_none() {
            self.refuse(key, format!("is {node}; it takes a whole number of tokens from 1 to {MOST_TOKENS}"));
        }
        tokens
    }

    fn price(&mut self, key: &str) -> Option<f64> {
        let node = self.item.field(key)?;
        // `abs` makes a zero of a negative zero. NaN is in no range.
        let price = node.as_number().filter(|usd| (0.0..=DEAREST).contains(usd)).map(f64::abs);
        if price.is_none() {
            let most = DEAREST as u64;
            self.refuse(key, format!("is {node}; it takes US dollars per million tokens, a number from 0 to {most}"));
        }
        price
    }

    fn date(&mut self) -> Option<String> {
        let node = self.item.field("as_of")?;
        let date = match &node.raw {
            Raw::Text(text) | Raw::Date(text) => Some(text.trim()).filter(|text| is_date(text)),
            _ => None,
        };
        if date.is_none() {
            self.refuse("as_of", format!("is {node}; it takes a month or a day, as in \"2026-11\" or 2026-11-27"));
        }
        date.map(str::to_owned)
    }

    /// What the facts say together.
    fn check_together(&mut self, fact: &ModelFacts) {
        let prices = [fact.input, fact.output, fact.cache_write, fact.cache_read];
        let given = |index: usize| prices[index].is_some();
        if (0..PRICES.len()).any(given) {
            for (missing, key) in PRICES.iter().enumerate().take(2).filter(|(index, _)| !given(*index)) {
                let other = PRICES.iter().enumerate().find(|(index, _)| *index != missing && given(*index));
                let other = other.map_or("the others", |(_, other)| other);
                self.errors.push(self.item.refuse(
                    &format!("model_facts.{key}"),
                    format!("is missing; {other} says nothing without it. Give both input and output"),
                ));
            }
        } else if fact.window.is_none() && fact.max_output.is_none() {
            let what = "says nothing of the model; give window, max_output, or input and output";
            self.errors.push(self.item.refuse("model_facts", what));
        }
        if let (Some(window), Some(output)) = (fact.window, fact.max_output)
            && u64::from(output) > window
        {
            self.refuse("max_output", format!("is {output}, more than the window of {window}"));
        }
    }
}

/// A year, a month or a day: `2026`, `2026-11`, `2026-11-27`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &str, digits: usize, range: std::ops::RangeInclusive<u32>| {
        part.len() == digits
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse().is_ok_and(|n| range.contains(&n))
    };
    let months_and_days = [1..=12, 1..=31];
    let rest_fits =
        |rest: &[&str]| rest.iter().zip(months_and_days.clone()).all(|(part, range)| is_number(part, 2, range));
    parts.len() <= 3 && is_number(parts[0], 4, 2000..=9999) && rest_fits(&parts[1..])
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::load::load;
    use super::super::sources::{Sources, TomlFile, UserFile};
    use super::*;

    fn of_user(text: &str) -> Sources {
        let file = TomlFile { name: "config.toml".to_owned(), text: text.to_owned() };
        Sources { user: Some(UserFile { file, folder: Default::default() }), ..Sources::default() }
    }

    fn faults(text: &str, expected: Expect) {
        expected.assert_eq(&load(&of_user(text)).unwrap_err().to_string());
    }

    #[test]
    fn what_is_said_of_models_is_read_whole() {
        let text = "[[model_facts]]\nname = \"openai:gpt-oss:120b\"\nwindow = 131_072\nmax_output = 32768\ninput = 0.15\n\
                    output = 0.6\ncache_write = 0\ncache_read = -0.0\nas_of = 2026-11-27\n\
                    [[model_facts]]\nname = \"qwen2.5-coder:7b\"\nwindow = 32768\n\
                    [[model_facts]]\nname = \"x\"\ninput = 1\noutput = 2\nas_of = \"2026-11\"\n";
        let loaded = load(&of_user(text)).unwrap();
        let date = |date: &str| Some(date.to_owned());
        let expected = [
            ModelFacts {
                name: "openai:gpt-oss:120b".to_owned(),
                window: Some(131_072),
                max_output: Some(32_768),
                input: Some(0.15),
                output: Some(0.6),
                cache_write: Some(0.0),
                cache_read: Some(0.0),
                as_of: date("2026-11-27"),
            },
            ModelFacts { name: "qwen2.5-coder:7b".to_owned(), window: Some(32_768), ..ModelFacts::default() },
            ModelFacts {
                name: "x".to_owned(),
                input: Some(1.0),
                output: Some(2.0),
                as_of: date("2026-11"),
                ..ModelFacts::default()
            },
        ];
        assert_eq!(loaded.settings.model_facts, expected);
        assert_eq!(loaded.value("model_facts"), "openai:gpt-oss:120b, qwen2.5-coder:7b, x");
    }

    #[test]
    fn every_wrong_fact_has_its_place() {
        faults(
            "[[model_facts]]\nname = \"a\"\nwindow = 0\nmax_output = \"many\"\ninput = -0.1\noutput = nan\n\
             cache_write = inf\ncache_read = \"0\"\nas_of = \"yesterday\"\nwindw = 1\n\
             [[model_facts]]\nname = \"b c\"\nwindow = 1\n[[model_facts]]\nname = \"openai:\"\nwindow = 1\n\
             [[model_facts]]\nwindow = 8192\n[[model_facts]]\nname = \"d\"\nas_of = 2026-11-27T10:00:00Z\n",
            expect![[r#"
                config.toml:3:10: model_facts.window is 0; it takes a whole number of tokens from 1 to 1000000000
                config.toml:4:14: model_facts.max_output is "many"; it takes a whole number of tokens from 1 to 1000000000
                config.toml:5:9: model_facts.input is -0.1; it takes US dollars per million tokens, a number from 0 to 1000000
                config.toml:6:10: model_facts.output is NaN; it takes US dollars per million tokens, a number from 0 to 1000000
                config.toml:7:15: model_facts.cache_write is inf; it takes US dollars per million tokens, a number from 0 to 1000000
                config.toml:8:14: model_facts.cache_read is "0"; it takes US dollars per million tokens, a number from 0 to 1000000
                config.toml:9:9: model_facts.as_of is "yesterday"; it takes a month or a day, as in "2026-11" or 2026-11-27
                config.toml:10:1: model_facts.windw is no fact of a model; did you mean window?; there are name, window, max_output, input, output, cache_write, cache_read, as_of
                config.toml:12:8: model_facts.name is "b c", which has a space in it; a model's name has none
                config.toml:15:8: model_facts.name is "openai:"; it takes provider:name, or a name with any provider, for example name = "openai:gpt-oss-120b"
                config.toml:17:1: model_facts.name is missing; for example name = "openai:gpt-oss-120b"
                config.toml:21:9: model_facts.as_of is a date; it takes a month or a day, as in "2026-11" or 2026-11-27"#]],
        );
    }

    #[test]
    fn facts_that_do_not_hold_together_are_refused() {
        faults(
            "[[model_facts]]\nname = \"a\"\ninput = 1\n[[model_facts]]\nname = \"b\"\ncache_read = 1\noutput = 1\n\
             [[model_facts]]\nname = \"c\"\nas_of = \"2026\"\n[[model_facts]]\nname = \"d\"\nwindow = 10\nmax_output = 11\n\
             [[model_facts]]\nname = \"e\"\nwindow = 10\n[[model_facts]]\nname = \"e\"\nmax_output = 11\n",
            expect![[r#"
                config.toml:1:1: model_facts.output is missing; input says nothing without it. Give both input and output
                config.toml:4:1: model_facts.input is missing; output says nothing without it. Give both input and output
                config.toml:8:1: model_facts says nothing of the model; give window, max_output, or input and output
                config.toml:14:14: model_facts.max_output is 11, more than the window of 10
                config.toml:19:8: model_facts.name is "e" a second time; say all of a model in one table"#]],
        );
        faults(
            "model_facts = [\"a\"]\n",
            expect![[
                r#"config.toml:1:16: model_facts holds "a"; the facts of a model are a table with name and some of them"#
            ]],
        );
    }

    #[test]
    fn only_the_users_own_file_says_what_models_cost() {
        let text = "[[model_facts]]\nname = \"a\"\ninput = 0\noutput = 0\n";
        let workspace = Some(TomlFile { name: "baton.toml".to_owned(), text: text.to_owned() });
        let editor = Some(serde_json::json!({ "model_facts": [{ "name": "a", "window": 1 }] }));
        let env = vec![("BATON_MODEL_FACTS".to_owned(), "a".to_owned())];
        let message = load(&Sources { workspace, editor, env, ..Sources::default() }).unwrap_err().to_string();
        assert_eq!(message.matches("model_facts cannot be set here").count(), 3, "{message}");
    }
}
