//! How a handoff and the data around it are put into words for a model.

use serde_json::Value;

use crate::contracts::{Fault, Handoff, submit_schema};
use crate::models::ToolSpec;

/// The tool an agent ends with: its input is the model's part of a handoff.
pub(crate) fn submit_tool<T: Handoff>(name: &str, description: &str) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema: submit_schema::<T>(),
        strict: true,
    }
}

/// A fault as a model reads it: where, then what.
pub(crate) fn fault_text(fault: &Fault) -> String {
    match fault.pointer.as_str() {
        "" => fault.message.clone(),
        pointer => format!("{pointer}: {}", fault.message),
    }
}

/// A section of a first message: a name, and content that is data, whatever it says.
pub(crate) fn section(name: &str, content: &str) -> String {
    format!("<{name}>\n{}\n</{name}>\n", content.trim_end())
}

/// A handoff as a model reads it.
pub(crate) fn json_text(value: &impl serde::Serialize) -> String {
    // A handoff is made of strings, numbers and lists; none of them can fail to serialise.
    serde_json::to_value(value).unwrap_or(Value::Null).to_string()
}

/// What stands for an attachment that does not fit: what it was, and how it is to be had.
pub(crate) fn left_out(what: &str, way: &str) -> String {
    format!("({what} left out, to fit the model's context window; {way}.)\n")
}
