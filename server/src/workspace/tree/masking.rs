//! What of a file leaves this machine, and how an edit of that becomes an edit of the file.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::workspace::lines::equal_runs;
use crate::workspace::protect::{is_secret_text, masked, masks, secret_spans};
use crate::workspace::text_file::{TextFile, text_of};
use crate::workspace::{Interrupt, Interrupted};

type Mask = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Masks the keys that are known on this machine, whatever their form. Answers nothing where a text holds none.
#[derive(Clone)]
pub struct Keys(Arc<Mask>);

impl Keys {
    /// Those that this finds.
    pub fn new(mask: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(mask))
    }

    /// The text with a mask for each of them, and for each secret of known form.
    fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let shown = masked(text);
        match (self.0)(&shown) {
            Some(shown) => Cow::Owned(shown),
            None => shown,
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// What is sent of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::workspace) enum AsSent {
    /// The very bytes.
    Same,
    /// These instead, in which secrets are masked.
    Masked(Vec<u8>),
    /// Nothing.
    Never,
}

/// What is sent of a content: of a text what agents are shown, in its own format. In what is no text, the bytes of a secret
/// of known form that is written in ASCII are overwritten, so that all others keep their places; what holds a key stays here.
pub(in crate::workspace) fn as_sent(bytes: &[u8], keys: &Keys) -> AsSent {
    if is_secret_text(bytes) {
        return AsSent::Never;
    }
    let Some(text) = text_of(bytes) else { return overwritten(bytes, keys) };
    if matches!(keys.masked(&text), Cow::Borrowed(_)) {
        return AsSent::Same;
    }
    let encoded = TextFile::decode(bytes).ok().and_then(|file| file.encode(&keys.masked(file.text())).ok());
    // What cannot be masked stays here.
    encoded.map_or(AsSent::Never, AsSent::Masked)
}

fn overwritten(bytes: &[u8], keys: &Keys) -> AsSent {
    // A byte for a byte, so that places are the same.
    let ascii: String = bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{1}' }).collect();
    if (keys.0)(&ascii).is_some() {
        return AsSent::Never;
    }
    let spans = secret_spans(&ascii);
    if spans.is_empty() {
        return AsSent::Same;
    }
    let mut bytes = bytes.to_vec();
    for span in spans {
        if let Some(secret) = bytes.get_mut(span) {
            secret.fill(b'x');
        }
    }
    AsSent::Masked(bytes)
}

/// Why an edit of a masked text is none of the real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::workspace) enum CannotUnmask {
    /// A mask stands where none stood.
    #[error(
        "line {0} of it has a mask (<masked by Baton: …>), which stands for a secret and is no text, where none stood"
    )]
    Mask(usize),
    /// Of several secrets that look the same, one is gone.
    #[error("of several secrets with the same mask, one is gone, and nobody can tell which")]
    Ambiguous,
    /// A part of a secret would be shown.
    #[error("it would show a part of a masked secret; have the secret removed as a whole, or leave it")]
    Shown,
    /// The comparison was stopped.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// An edit of the masked form of `real`, with the secrets back in the lines that stayed. It is a three-way merge whose one
/// side replaced line by line: so there is no conflict but where a masked line itself was changed. Also for a text
/// without secrets, where it only looks for masks.
///
/// # Errors
/// When a mask stands in any other line, or the result would show a secret that was masked.
pub(in crate::workspace) fn with_secrets_back(real: &str, edited: &str, keys: &Keys) -> Result<String, CannotUnmask> {
    let shown = keys.masked(real);
    if matches!(shown, Cow::Borrowed(_)) && masks(edited) == 0 {
        return Ok(edited.to_owned());
    }
    let (before, old): (Vec<&str>, Vec<&str>) = (real.split('\n').collect(), shown.split('\n').collect());
    let mut new: Vec<&str> = edited.split('\n').collect();
    let literal: HashSet<&str> = before.iter().copied().filter(|line| masks(line) > 0).collect();
    let mut is_kept = vec![false; old.len()];
    let mut is_old = vec![false; new.len()];
    for run in equal_runs(&old, &new, &Interrupt::never())? {
        for at in 0..run.len {
            let (from, to) = (run.old + at, run.new + at);
            if let (Some(line), Some(real), Some(kept), Some(seen)) =
                (new.get_mut(to), before.get(from), is_kept.get_mut(from), is_old.get_mut(to))
            {
                (*line, *kept, *seen) = (*real, true, true);
            }
        }
    }
    let strange = |(line, is_old): (&&str, &bool)| !is_old && masks(line) > 0 && !literal.contains(*line);
    if let Some(at) = new.iter().zip(&is_old).position(strange) {
        return Err(CannotUnmask::Mask(at + 1));
    }
    let secret: Vec<(&str, &str, bool)> = (old.iter().zip(&before).zip(&is_kept))
        .filter(|((shown, real), _)| shown != real)
        .map(|((shown, real), kept)| (*shown, *real, *kept))
        .collect();
    let mut kept: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (shown, real, _) in secret.iter().filter(|line| line.2) {
        kept.entry(*shown).or_default().insert(*real);
    }
    let is_other = |shown: &str, real: &str| kept.get(shown).is_some_and(|all| all.len() > 1 || !all.contains(real));
    if secret.iter().any(|(shown, real, is_kept)| !is_kept && is_other(shown, real)) {
        return Err(CannotUnmask::Ambiguous);
    }
    let result = new.join("\n");
    if shown != real && keys.masked(&result) != keys.masked(edited) {
        return Err(CannotUnmask::Shown);
    }
    Ok(result)
}
