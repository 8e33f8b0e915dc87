//! Who may set what: a workspace and an editor decide nothing about trust, accounts and addresses.

use super::sources::{Layer, USER_FILE, WORKSPACE_FILE};
use super::table::{Scope, Setting};
use super::value::Node;

/// Why a layer may not set this setting, or not to this value.
pub(super) fn out_of_scope(setting: &Setting, layer: Layer, node: &Node) -> Option<String> {
    match setting.scope {
        Scope::All | Scope::Lowers => None,
        Scope::UserFile if layer == Layer::User => None,
        Scope::UserFile if layer.is_users() => Some(format!("cannot be set here; set it in your own {USER_FILE}")),
        Scope::UserFile => {
            Some(format!("cannot be set here: {}. Set it in your own {USER_FILE}", why_untrusted(layer)))
        }
        Scope::Users if layer.is_users() => None,
        Scope::Users => Some(format!(
            "cannot be set here: {}. Set it in your own {USER_FILE} or by {}",
            why_untrusted(layer),
            setting.variable()
        )),
        Scope::OwnMachine { environment } => {
            if layer == Layer::User || (environment && layer.is_users()) {
                return None;
            }
            let by = if environment { format!(" or by {}", setting.variable()) } else { String::new() };
            Some(format!("is ignored here: it is about your own machine. Set it in your own {USER_FILE}{by}"))
        }
        Scope::UserFor(value) if layer.is_users() || node.as_text() != Some(value) => None,
        Scope::UserFor(value) => Some(format!(
            "may not be {value:?} here: {}. Set it in your own {USER_FILE} or by {}",
            why_untrusted(layer),
            setting.variable()
        )),
        Scope::Files if layer <= Layer::Editor => None,
        Scope::Files => Some(format!("has parts and cannot be set here; set it in {WORKSPACE_FILE} or {USER_FILE}")),
        Scope::Start if layer >= Layer::Environment => None,
        Scope::Start => {
            Some(format!("belongs to one start, not to a file: use --{} or {}", setting.key, setting.variable()))
        }
    }
}

/// Why no key of this name may be in this layer, if so. Its value is never repeated.
pub(super) fn forbidden_name(layer: Layer, name: &str) -> Option<String> {
    let bare: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let ends = |words: &[&str]| words.iter().any(|word| bare.ends_with(word));
    if ends(&["key", "token", "secret", "password", "credentials"]) {
        return Some(
            "looks like a key, and keys live in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY), never in \
             settings; take it out here"
                .to_owned(),
        );
    }
    let what = if bare.contains("proxy") {
        "a proxy; set HTTPS_PROXY"
    } else if ends(&["url", "uri", "endpoint", "host"]) {
        "an endpoint; set ANTHROPIC_BASE_URL or OPENAI_BASE_URL"
    } else {
        return None;
    };
    let why = if layer.is_users() { "no setting names it".to_owned() } else { why_untrusted(layer) };
    Some(format!("looks like {what} in your environment instead: {why}"))
}

/// Why a layer is not trusted.
fn why_untrusted(layer: Layer) -> String {
    match layer {
        Layer::Editor => "editor settings come merged with the workspace's, and a workspace decides nothing about \
                          trust, accounts and addresses"
            .to_owned(),
        _ => "this file comes with the workspace, and a workspace decides nothing about trust, accounts and addresses"
            .to_owned(),
    }
}
