//! Messages in the words of the editor: the engine names commands as the command line has them, and in an editor those would
//! send a person to a terminal.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;
use tower_lsp::lsp_types::InitializeParams;

/// The commands of the server as this editor names them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CommandNames {
    /// By the server's command: what the client calls it, from `initializationOptions.baton.commandTitles`.
    titles: HashMap<String, String>,
}

/// A client that has a command of its own for this says so under [`QUICK_TITLE`].
const QUICK_LINE: &str = "baton run --quick";
const QUICK_TITLE: &str = "baton.workflow.quick";

/// A command line as messages write it, between backticks: how it begins, and the server's command that does the same.
/// The longest beginning counts.
const COMMAND_LINES: [(&str, &str); 25] = [
    ("baton accept", "baton.accept"),
    ("baton approve", "baton.approve"),
    ("baton approve --only", "baton.approve with tasks"),
    ("baton diff", "baton.diff"),
    ("baton dismiss", "baton.dismissIssue"),
    ("baton doctor", "baton.doctor"),
    ("baton plan", "baton.plan"),
    ("baton plan --feedback", "baton.plan with feedback"),
    ("baton plan --notes", "baton.sendNotes"),
    ("baton reject", "baton.reject"),
    ("baton reset", "baton.reset"),
    ("baton restore", "baton.restoreIssue"),
    ("baton review --base", "baton.review with a base"),
    ("baton rollback", "baton.rollback"),
    ("baton rollback --undo", "baton.rollback with {\"undo\": true}"),
    ("baton run", "baton.workflow"),
    ("baton run --fix", "baton.fixIssue"),
    (QUICK_LINE, "baton.workflow with {\"quick\": true}"),
    ("baton run --reset", "baton.workflow with {\"reset\": true}"),
    ("baton run --task", "baton.workflow with a task"),
    ("baton run \"…\"", "baton.workflow with a task"),
    ("baton status", "baton.status"),
    ("baton tell", "baton.tell"),
    ("baton trust", "baton.trust"),
    ("baton trust --moved", "`baton trust --moved` in a terminal"),
];

impl CommandNames {
    /// Those that a client announces.
    pub(crate) fn of(params: &InitializeParams) -> Self {
        let own = params.initialization_options.as_ref().and_then(|options| options.get("baton"));
        let titles = own.and_then(|own| own.get("commandTitles")).and_then(Value::as_object);
        let title = |(command, title): (&String, &Value)| Some((command.clone(), title.as_str()?.to_owned()));
        Self { titles: titles.into_iter().flatten().filter_map(title).collect() }
    }

    /// A message with the commands of the command line replaced by the editor's.
    pub(crate) fn in_editor_words<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !text.contains("baton") {
            return Cow::Borrowed(text);
        }
        let text = match self.titles.get(QUICK_TITLE) {
            Some(title) => Cow::Owned(text.replace(&format!("`{QUICK_LINE}`"), title)),
            None => Cow::Borrowed(text),
        };
        Cow::Owned(self.with_titles(&without_command_lines(&text)))
    }

    /// The server's commands replaced by the client's titles.
    fn with_titles(&self, text: &str) -> String {
        if self.titles.is_empty() {
            return text.to_owned();
        }
        let mut words = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("baton.") {
            let (before, found) = rest.split_at(at);
            let name = found["baton.".len()..].find(|c: char| !c.is_ascii_alphanumeric());
            let end = name.map_or(found.len(), |name| "baton.".len() + name);
            let is_word = !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '"'));
            words.push_str(before);
            match self.titles.get(&found[..end]).filter(|_| is_word) {
                Some(title) => words.push_str(title),
                None => words.push_str(&found[..end]),
            }
            rest = &found[end..];
        }
        words + rest
    }
}

/// Between backticks, a command line becomes the server's command.
fn without_command_lines(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('`') {
        words.push_str(before);
        let Some((quoted, after)) = after.split_once('`') else {
            words.push('`');
            rest = after;
            continue;
        };
        let begins = |line: &str| quoted == line || quoted.strip_prefix(line).is_some_and(|rest| rest.starts_with(' '));
        let known = COMMAND_LINES.iter().filter(|(line, _)| begins(line)).max_by_key(|(line, _)| line.len());
        match known {
            Some((_, command)) => words.push_str(command),
            None => words.push_str(&format!("`{quoted}`")),
        }
        rest = after;
    }
    words + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(titles: Value) -> CommandNames {
        let params = json!({ "capabilities": {}, "initializationOptions": { "baton": { "commandTitles": titles } } });
        CommandNames::of(&serde_json::from_value(params).unwrap())
    }

    #[test]
    fn a_command_line_is_told_as_the_command_of_the_server() {
        let none = names(Value::Null);
        for (text, words) in [
            ("Go on with `baton run`, or `baton reset`.", "Go on with baton.workflow, or baton.reset."),
            ("`baton run --task \"…\"` makes one", "baton.workflow with a task makes one"),
            ("`baton run \"…\"` makes one", "baton.workflow with a task makes one"),
            ("`baton run --fix a,b`", "baton.fixIssue"),
            ("`baton rollback --undo` takes this back", "baton.rollback with {\"undo\": true} takes this back"),
            ("`baton runner` and `cargo test` stay", "`baton runner` and `cargo test` stay"),
            // The first backtick pairs with the second one, as in Markdown.
            ("a lone ` stays, `baton diff` too", "a lone ` stays, `baton diff` too"),
            ("nothing to do", "nothing to do"),
        ] {
            assert_eq!(none.in_editor_words(text), words);
        }
    }

    #[test]
    fn a_command_of_the_server_is_told_by_the_title_the_client_has_for_it() {
        let titled = names(json!({ "baton.workflow": "“Run Workflow”", "baton.diff": "“Show Changes”" }));
        for (text, words) in [
            ("Go on with `baton run`; `baton diff` shows it.", "Go on with “Run Workflow”; “Show Changes” shows it."),
            ("baton.workflow, baton.reset", "“Run Workflow”, baton.reset"),
            ("see baton.toml and docs/baton.diff", "see baton.toml and docs/baton.diff"),
        ] {
            assert_eq!(titled.in_editor_words(text), words);
        }
    }
}
