//! What the client can do, as plain flags.

use serde_json::{Map, Value};
use tower_lsp::lsp_types::{InitializeParams, MarkupKind};

/// Resolved once, at `initialize`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// It shows progress that the server creates.
    pub(crate) progress: bool,
    /// It shows related information of diagnostics.
    pub(crate) related_information: bool,
    /// Its support for code actions.
    pub(crate) actions: ActionCapabilities,
    /// It shows Markdown on hover.
    pub(crate) hover_markdown: bool,
    /// It takes `workspace/codeLens/refresh`.
    pub(crate) refresh_lenses: bool,
    /// It takes `window/showDocument`.
    pub(crate) show_document: bool,
    /// It takes `workspace/configuration`.
    pub(crate) configuration: bool,
    /// It sends `workspace/didChangeConfiguration` only after dynamic registration.
    pub(crate) register_configuration: bool,
    /// It is one of Baton's own clients, which show the results of commands themselves, and ask before a command that
    /// takes something away.
    pub(crate) plugin: bool,
    /// It takes `baton/phase`.
    pub(crate) phase: bool,
    /// It has its own interface for the gate.
    pub(crate) gate: bool,
    /// It takes `baton/languageModel`: its models can be used.
    pub(crate) language_model: bool,
    /// It takes `baton/editorDiagnostics`: diagnostics of other language servers.
    pub(crate) editor_diagnostics: bool,
    /// It takes `baton/documentSymbols`: definitions that other language servers know.
    pub(crate) document_symbols: bool,
    /// It shows by itself how a run ended, and what waits when a folder is opened.
    pub(crate) outcome: bool,
    /// It wants lenses above each change of the agents.
    pub(crate) hunk_lenses: bool,
    /// It shows the states of phases and tasks by itself, and wants no diagnostics of them.
    pub(crate) own_status: bool,
}

/// The client's support for code actions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ActionCapabilities {
    /// It takes `CodeAction` literals; otherwise only commands.
    pub(crate) literals: bool,
    /// It shows disabled actions with their reason.
    pub(crate) disabled: bool,
}

impl Capabilities {
    /// The capabilities that a client announces; the others it lacks.
    pub(crate) fn of(params: &InitializeParams) -> Self {
        let client = &params.capabilities;
        let window = client.window.as_ref();
        let workspace = client.workspace.as_ref();
        let documents = client.text_document.as_ref();
        let published = documents.and_then(|text| text.publish_diagnostics.as_ref());
        let actions = documents.and_then(|text| text.code_action.as_ref());
        let hover = documents.and_then(|text| text.hover.as_ref()).and_then(|hover| hover.content_format.as_ref());
        let lenses = workspace.and_then(|workspace| workspace.code_lens.as_ref());
        let changes = workspace.and_then(|workspace| workspace.did_change_configuration.as_ref());
        let own = params.initialization_options.as_ref().and_then(|options| options.get("baton"));
        let said = |what: &str| own.and_then(|own| own.get(what)).and_then(Value::as_bool);
        let wants = |what: &str| said(what).unwrap_or_default();
        Self {
            progress: window.and_then(|window| window.work_done_progress).unwrap_or_default(),
            related_information: published.and_then(|published| published.related_information).unwrap_or_default(),
            actions: ActionCapabilities {
                literals: actions.is_some_and(|actions| actions.code_action_literal_support.is_some()),
                disabled: actions.and_then(|actions| actions.disabled_support).unwrap_or_default(),
            },
            hover_markdown: hover.is_some_and(|kinds| kinds.contains(&MarkupKind::Markdown)),
            refresh_lenses: lenses.and_then(|lenses| lenses.refresh_support).unwrap_or_default(),
            show_document: window.and_then(|window| window.show_document.as_ref()).is_some_and(|show| show.support),
            configuration: workspace.and_then(|workspace| workspace.configuration).unwrap_or_default(),
            register_configuration: changes.and_then(|changes| changes.dynamic_registration).unwrap_or_default(),
            plugin: own.and_then(Value::as_object).is_some_and(is_own_client),
            phase: wants("phase"),
            gate: wants("gate"),
            language_model: wants("languageModel"),
            editor_diagnostics: wants("editorDiagnostics"),
            document_symbols: wants("documentSymbols"),
            outcome: wants("outcome"),
            hunk_lenses: wants("hunkLenses"),
            own_status: said("statusDiagnostics") == Some(false),
        }
    }
}

/// What a user may set by hand in an editor without a plugin makes that editor no client of Baton's.
fn is_own_client(options: &Map<String, Value>) -> bool {
    let by_hand = ["statusDiagnostics", "hunkLenses"];
    options.is_empty() || options.keys().any(|option| !by_hand.contains(&option.as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(params: Value) -> Capabilities {
        Capabilities::of(&serde_json::from_value(params).unwrap())
    }

    #[test]
    fn a_client_that_says_nothing_can_do_nothing() {
        assert_eq!(of(json!({ "capabilities": {} })), Capabilities::default());
        let strange = json!({ "capabilities": { "window": {} }, "initializationOptions": { "baton": true } });
        assert_eq!(of(strange), Capabilities::default());
    }

    #[test]
    fn what_a_client_says_becomes_flags() {
        let params = json!({
            "capabilities": {
                "window": { "workDoneProgress": true, "showDocument": { "support": true } },
                "workspace": {
                    "configuration": true, "didChangeConfiguration": { "dynamicRegistration": true },
                    "codeLens": { "refreshSupport": true }
                },
                "textDocument": {
                    "publishDiagnostics": { "relatedInformation": true },
                    "codeAction": {
                        "codeActionLiteralSupport": { "codeActionKind": { "valueSet": [] } }, "disabledSupport": true
                    },
                    "hover": { "contentFormat": ["plaintext", "markdown"] }
                }
            },
            "initializationOptions": {
                "baton": {
                    "phase": true, "gate": true, "languageModel": true, "editorDiagnostics": true,
                    "documentSymbols": true, "outcome": true, "hunkLenses": true,
                    "statusDiagnostics": false
                }
            }
        });
        let all = Capabilities {
            progress: true,
            related_information: true,
            actions: ActionCapabilities { literals: true, disabled: true },
            hover_markdown: true,
            refresh_lenses: true,
            show_document: true,
            configuration: true,
            register_configuration: true,
            plugin: true,
            phase: true,
            gate: true,
            language_model: true,
            editor_diagnostics: true,
            document_symbols: true,
            outcome: true,
            hunk_lenses: true,
            own_status: true,
        };
        assert_eq!(of(params), all);
        let with = |options: Value| of(json!({ "capabilities": {}, "initializationOptions": { "baton": options } }));
        for options in [json!({}), json!({ "gate": null }), json!({ "gate": false, "statusDiagnostics": true })] {
            assert_eq!(with(options), Capabilities { plugin: true, ..Capabilities::default() });
        }
        for (set, own_status) in [(json!(false), true), (json!(true), false), (json!(null), false)] {
            let by_hand = with(json!({ "statusDiagnostics": set }));
            assert_eq!(by_hand, Capabilities { own_status, ..Capabilities::default() }, "it is no client of ours");
        }
    }
}
