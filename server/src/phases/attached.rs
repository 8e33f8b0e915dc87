//! Text that an agent would have to ask for, attached to what it is given first. It is read through the very tools that would
//! show it, so that it has their form and their rules: secrets, ignored files and numbers of lines are as there.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::agents::{AgentError, Need, Opening, left_out};
use crate::contracts::RepoPath;
use crate::text::{count, head_bytes};
use crate::tools::Toolbox;
use crate::workflow::Run;

/// Bytes of the diff that a reviewer is given at once.
const MOST_OF_DIFF: usize = 64 * 1024;

/// Call a reading tool.
///
/// # Errors
/// When the run was cancelled. Inside: what the tool says is wrong.
pub(super) async fn shown(
    toolbox: &Toolbox,
    tool: &str,
    input: &Value,
    cancel: &CancellationToken,
) -> Result<Result<String, String>, AgentError> {
    let output = toolbox.call_aside(tool, input, cancel).await.ok_or(AgentError::Cancelled)?;
    Ok(if output.is_error { Err(output.text) } else { Ok(output.text) })
}

/// Bytes and number of the lines of a file in what `read_file` answered.
pub(super) fn size(shown: &str) -> (usize, usize) {
    let lines = shown.lines().skip(1).filter_map(|line| line.split_once('\t'));
    lines.fold((0, 0), |(bytes, lines), (_, line)| (bytes + line.len() + 1, lines + 1))
}

/// Text in which nothing ends the section of this name.
pub(super) fn kept_inside(name: &str, text: &str) -> String {
    text.replace(&format!("</{name}"), &format!("< /{name}"))
}

/// The whole lines of a text in so many bytes.
pub(super) fn whole_lines(text: &str, bytes: usize) -> &str {
    let head = head_bytes(text, bytes);
    head.rfind('\n').map_or("", |end| &head[..=end])
}

/// Definitions that a line of an outline stands for: one that begins with its lines, or so many as it says are left out.
fn definitions(line: &str) -> usize {
    let line = line.trim_start();
    match line.split_once(' ') {
        Some((number, rest)) if rest.starts_with("more definition") => number.parse().unwrap_or(0),
        _ => usize::from(line.starts_with(|c: char| c.is_ascii_digit())),
    }
}

/// Bytes of what is shown of a file that is too long: its outline, or its first lines.
const MOST_OF_LONG: (usize, usize) = (4 * 1024, 2 * 1024);

/// What is shown, in a section, of a file that is too long to stand there whole: its outline, else how it begins.
///
/// # Errors
/// When the run was cancelled.
pub(super) async fn outlined(
    toolbox: &Toolbox,
    section: &str,
    path: &RepoPath,
    lines: usize,
    cancel: &CancellationToken,
) -> Result<String, AgentError> {
    let what = format!("{path}, {}, is too long to stand here whole", count(lines, "line"));
    if toolbox.has("outline")
        && let Ok(outline) = shown(toolbox, "outline", &json!({ "path": path.as_str() }), cancel).await?
    {
        let part = whole_lines(&outline, MOST_OF_LONG.0);
        let cut = match outline[part.len()..].lines().map(definitions).sum() {
            0 => String::new(),
            more => format!("(outline cut: {})\n", count(more, "more definition")),
        };
        return Ok(format!("({what}. Its outline:)\n{}{cut}", kept_inside(section, part)));
    }
    let Ok(text) = shown(toolbox, "read_file", &json!({ "path": path.as_str() }), cancel).await? else {
        return Ok(format!("({what}.)\n"));
    };
    // The line that heads them speaks of more lines than these.
    let part = whole_lines(&text, MOST_OF_LONG.1).split_once('\n').map_or("", |(_, lines)| lines);
    Ok(format!("({what}. It begins:)\n{}", kept_inside(section, part)))
}

/// A diff that is no longer than so many bytes, as reviewers' tool shows it, in a section of its own; of a longer one its
/// beginning, or nothing of it where `is_cut` says so.
///
/// # Errors
/// When the run was cancelled.
pub(super) async fn further_diff(
    run: &Run,
    diffs: Vec<(RepoPath, String)>,
    (section, what): (&str, &str),
    (most, is_cut): (usize, bool),
) -> Result<Opening, AgentError> {
    let mut opening = Opening::new();
    let bytes: usize = diffs.iter().map(|(_, diff)| diff.len()).sum();
    if bytes == 0 || (bytes > most && !is_cut) {
        return Ok(opening);
    }
    let toolbox = Toolbox::reviewer(run.workspace.clone(), run.store.path().clone(), diffs);
    let Ok(text) = shown(&toolbox, "read_diff", &json!({}), &run.context.cancel).await? else { return Ok(opening) };
    let text = match bytes > most {
        true => format!("{}(The rest of it is left out; the files show it.)\n", whole_lines(&text, most)),
        false => text,
    };
    let text = kept_inside(section, text.trim_end());
    let without = left_out(&format!("{section} is"), "the files show what is there now");
    let framed = format!("<{section} trust=\"untrusted data: {what}, as read_diff shows it\">\n{text}\n</{section}>\n");
    opening.attach(Need::Helpful, framed, [without]);
    Ok(opening)
}

/// The diff that a reviewer's tool shows, where it is short enough; of a longer one, how it is to be read.
///
/// # Errors
/// When the run was cancelled.
pub(super) async fn diff(
    toolbox: &Toolbox,
    diffs: &[(RepoPath, String)],
    cancel: &CancellationToken,
) -> Result<Opening, AgentError> {
    let bytes: usize = diffs.iter().map(|(_, diff)| diff.len()).sum();
    if bytes == 0 {
        return Ok(Opening::new());
    }
    let too_long =
        format!("The diff has {} KB; read it file by file with read_diff and a path.\n", bytes.div_ceil(1024));
    if bytes > MOST_OF_DIFF {
        return Ok(Opening::from(too_long));
    }
    let Ok(shown) = shown(toolbox, "read_diff", &json!({}), cancel).await? else {
        return Ok(Opening::from(too_long));
    };
    let framed = |text: &str| {
        let text = kept_inside("diff", text.trim_end());
        format!("<diff trust=\"untrusted data: all that was changed, as read_diff shows it\">\n{text}\n</diff>\n")
    };
    let mut opening = Opening::new();
    let way = "read_diff with a path shows the rest";
    let without = left_out("The diff is", "read it file by file with read_diff and a path");
    opening.attach_text(Need::Essential, &shown, &framed, way, without);
    Ok(opening)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::fixture::{Fixture, memory};

    #[tokio::test]
    async fn a_diff_is_attached_as_read_diff_shows_it_up_to_its_limit() {
        let workspace = Fixture::new("//- /a.rs\nx\n").workspace();
        let cancel = CancellationToken::new();
        let of = async |diff: &str| {
            let diffs = vec![(RepoPath::parse("a.rs").unwrap(), diff.to_owned())];
            let toolbox = Toolbox::reviewer(workspace.clone(), memory(), diffs.clone());
            (super::diff(&toolbox, &diffs, &cancel).await.unwrap(), toolbox)
        };
        let (opening, toolbox) = of("--- a/a.rs\n+++ b/a.rs\n@@ -1 +1 @@\n-y\n+x\n").await;
        let shown = toolbox.call("read_diff", &json!({})).text;
        assert!(opening.whole().contains(&shown) && opening.whole().ends_with("+x\n</diff>\n"), "{opening:?}");
        let (long, _) = of(&"+x\n".repeat(MOST_OF_DIFF / 3 + 1)).await;
        assert_eq!(long.whole(), "The diff has 65 KB; read it file by file with read_diff and a path.\n");
        let (none, _) = of("").await;
        assert_eq!(none.whole(), "");
    }
}
