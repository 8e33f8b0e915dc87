//! How much is read of files that anyone may have written: every limit on the files of a memory folder, with its
//! reason.
//!
//! What is read becomes values in memory, each many times its size in the text (`0,` takes two bytes there and 32 as a
//! [`serde_json::Value`], more as a syntax tree). So a text is limited in bytes, and JSON in the number and depth of its
//! values besides, counted before anything is parsed. Whatever a phase writes is far below all this.

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Bytes of a handoff. A model's answer, the source of the longest, has less than 1 MiB; a report of 10,000 changed files
/// has 3.
pub const MAX_HANDOFF_BYTES: u64 = 8 * MIB;

/// Values of one JSON text, keys not counted: some 100 MiB in memory at the most.
pub const MAX_JSON_VALUES: usize = 200_000;

/// How deep the lists and objects of one JSON text may be nested; handoffs have 6 levels, and parsers go down by
/// recursion.
pub const MAX_JSON_DEPTH: usize = 64;

/// Faults that are reported of one text; the rest follow once these are fixed.
pub const MAX_FAULTS: usize = 100;

/// Tasks of a plan. Its rules ask what each task waits for, directly or not, and a person approves each one.
pub const MAX_TASKS: usize = 500;

/// Bytes of task.md and feedback.md, which a person writes and every agent is sent.
pub const MAX_TEXT_BYTES: u64 = MIB;

/// Bytes of the reason that a person gives for dismissing issues, or for taking the work as it is.
pub const MAX_BECAUSE_BYTES: u64 = 2 * KIB;

/// Bytes of plan.md: a plan, rendered.
pub const MAX_MARKDOWN_BYTES: u64 = 2 * MAX_HANDOFF_BYTES;

/// Bytes of the notes in plan.md that are sent to the planner.
pub const MAX_PLAN_NOTES_BYTES: usize = 64 * KIB as usize;

/// Bytes of the small files beside the handoffs: the lock, marks, the commit of a review, `.gitignore`.
pub const MAX_NOTE_BYTES: u64 = 64 * KIB;

/// Values of a settings file, which may have 1 MiB: each is reported with its place, which is counted from the start.
pub const MAX_SETTINGS: usize = 2_000;

/// Bytes of a system prompt of the user's own.
pub const MAX_PROMPT_BYTES: u64 = MIB;

/// Phases that a user may add, and bytes of the prompt of each: every round pays for all of them.
pub const MAX_USER_PHASES: usize = 8;
/// See [`MAX_USER_PHASES`].
pub const MAX_PHASE_PROMPT_BYTES: u64 = 64 * KIB;

/// Bytes of what a person tells an agent at work.
pub const MAX_TELL_BYTES: usize = 16 * KIB as usize;

/// Bytes of one line of `tell.jsonl`: JSON may write a text at up to six times its length.
pub const MAX_TELL_LINE_BYTES: usize = 8 * MAX_TELL_BYTES;

/// Bytes of a command in the user's settings: what is longer is a script, which has a name.
pub const MAX_COMMAND_BYTES: usize = 16_384;

/// Places where events are sent.
pub const MAX_SINKS: usize = 16;

/// Bytes of one line of a run's events: a message for people.
pub const MAX_EVENT_LINE_BYTES: usize = MIB as usize;

/// Events kept of one run, the newest, and bytes of their lines.
pub const MAX_EVENTS: usize = 100_000;

/// Bytes of the lines of [`MAX_EVENTS`].
pub const MAX_EVENT_BYTES: usize = 16 * MIB as usize;

/// Bytes of one line of a transcript: what was added to a conversation since the turn before, and the answer. The
/// largest context windows hold some 4 MiB of text, which JSON may write at up to six times that. A line is verified
/// before it is parsed, so that one that is not ours costs its bytes alone.
pub const MAX_TURN_LINE_BYTES: usize = 64 * MIB as usize;

/// Bytes of one file of a tree that is sent to a worker: it and what is made of it are held in memory.
pub const MAX_TREE_FILE_BYTES: u64 = 64 * MIB;

/// Bytes of all files of a tree that is sent to a worker, which every worker has on its disk once a slot.
pub const MAX_TREE_BYTES: u64 = 1024 * MIB;

/// Files of a tree that is sent to a worker.
pub const MAX_TREE_FILES: usize = 200_000;

/// Bytes of the contents in one pack of a tree, its first line not counted.
pub const MAX_PACK_BYTES: u64 = 64 * MIB;

/// Contents in one pack of a tree: its first line, with some 90 bytes of each, stays below [`MAX_PACK_LINE_BYTES`].
pub const MAX_PACK_BLOBS: usize = 50_000;

/// Bytes of the first line of a pack.
pub const MAX_PACK_LINE_BYTES: u64 = 8 * MIB;

/// Bytes of the manifest of a tree: [`MAX_TREE_FILES`] with paths of 150 bytes.
pub const MAX_MANIFEST_BYTES: u64 = 64 * MIB;

/// Where a text exceeds what is parsed, as a byte offset, and what to say about it; `None` for a text within the limits.
///
/// Only brackets and commas outside of strings are counted, so that it holds for any text, JSON or not, before it is
/// known which.
pub fn over_limit(text: &[u8]) -> Option<(usize, String)> {
    if text.len() as u64 > MAX_HANDOFF_BYTES {
        return Some((0, too_large(text.len() as u64, MAX_HANDOFF_BYTES)));
    }
    let (mut values, mut depth) = (1, 0_usize);
    let (mut in_string, mut is_escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        if in_string {
            in_string = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b',' => values += 1,
            b'[' | b'{' => {
                values += 1;
                depth += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_JSON_DEPTH {
            return Some((
                at,
                format!("more than {MAX_JSON_DEPTH} levels of lists and objects; nothing is nested so deep"),
            ));
        }
        if values > MAX_JSON_VALUES {
            return Some((at, format!("more than {MAX_JSON_VALUES} values; shorten the file, or move it away")));
        }
    }
    None
}

/// What is said of a file with too many bytes.
pub fn too_large(bytes: u64, limit: u64) -> String {
    format!("{bytes} bytes, and no more than {limit} are read; shorten the file, or move it away")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_take_too_much_memory_is_found_at_its_place() {
        let deep = "[".repeat(MAX_JSON_DEPTH);
        assert_eq!(over_limit(deep.as_bytes()), None);
        assert_eq!(over_limit(format!("{deep}[").as_bytes()).unwrap().0, MAX_JSON_DEPTH);
        let wide = format!("[{}0]", "0,".repeat(MAX_JSON_VALUES - 3));
        assert_eq!(over_limit(wide.as_bytes()), None);
        let wide = format!("[{}0]", "0,".repeat(MAX_JSON_VALUES));
        assert!(over_limit(wide.as_bytes()).unwrap().1.contains("200000 values"));
        let long = " ".repeat(MAX_HANDOFF_BYTES as usize + 1);
        assert!(over_limit(long.as_bytes()).unwrap().1.starts_with("8388609 bytes"));
    }

    #[test]
    fn what_stands_in_strings_does_not_count() {
        let text = format!(r#"{{"a": "\"{}", "b": "\\"}}"#, "[,".repeat(MAX_JSON_VALUES));
        assert_eq!(over_limit(text.as_bytes()), None);
    }
}
