//! Secrets in files with harmless names: private keys and tokens of known forms, masked wherever a model sees text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::contracts::RepoPath;
use crate::text;
use crate::workspace::TextFile;
use crate::workspace::diff::{Names, unified_of};

/// The longest private key that is recognised, in bytes: an RSA key of 16,384 bits has about 13,000.
const LONGEST_KEY: usize = 64 * 1024;

/// The shortest private key, in characters of Base64: one on Curve 25519 has 64 with its wrapping.
const SHORTEST_KEY: usize = 40;

/// A token's form with its name and the documentation that describes it. If the pattern has a group `v`, only that is
/// the secret.
///
/// A large upper bound on a length makes the pattern as large, and slow to compile; none is as good.
struct TokenForm {
    name: &'static str,
    pattern: &'static str,
    /// For readers, and for the test that every form has a source.
    #[cfg_attr(not(test), expect(dead_code, reason = "documentation that stands beside what it is about"))]
    source: &'static str,
}

const fn form(name: &'static str, pattern: &'static str, source: &'static str) -> TokenForm {
    TokenForm { name, pattern, source }
}

const FORMS: &[TokenForm] = &[
    form(
        "AWS access key id",
        r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
        "AWS documentation, IAM identifiers: unique ID prefixes",
    ),
    form(
        "AWS secret access key",
        r#"(?i)\baws_?secret_?(?:access_?)?key(?-i)["']?\s{0,4}[:=]\s{0,4}["']?(?P<v>[A-Za-z0-9/+=]{40})(?u:[^A-Za-z0-9/+=]|$)"#,
        "AWS documentation, Manage access keys",
    ),
    form(
        "GitHub token",
        r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b",
        "GitHub documentation, About authentication: token formats",
    ),
    form(
        "GitHub token",
        r"\bgithub_pat_[A-Za-z0-9_]{22,255}\b",
        "GitHub documentation, About authentication: token formats",
    ),
    form(
        "GitLab token",
        r"\bgl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[A-Za-z0-9_.=-]{20,300}",
        "GitLab documentation, Token overview: token prefixes",
    ),
    form("Slack token", r"\bxox[abceoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,250}", "Slack documentation, Tokens"),
    form("Slack token", r"\bxapp-[0-9]-[A-Za-z0-9-]{10,250}", "Slack documentation, App-level tokens"),
    form(
        "Slack webhook",
        r"https://hooks\.slack\.com/(?:services|workflows|triggers)/(?P<v>[A-Za-z0-9/+_-]{20,120})",
        "Slack documentation, Incoming webhooks",
    ),
    form("Stripe key", r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,250}\b", "Stripe documentation, API keys"),
    form("Stripe webhook secret", r"\bwhsec_[A-Za-z0-9+/=]{24,120}", "Stripe documentation, Webhook signatures"),
    form("Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{20,250}", "Anthropic documentation, API keys"),
    form("OpenAI key", r"\bsk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,250}", "OpenAI documentation, API keys"),
    form("OpenAI key", r"\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}\b", "OpenAI documentation, API keys"),
    form("Google API key", r"\bAIza[A-Za-z0-9_-]{35}", "Google Cloud documentation, API keys"),
    form("Google client secret", r"\bGOCSPX-[A-Za-z0-9_-]{28}", "Google documentation, OAuth 2.0 client credentials"),
    form("Google access token", r"\bya29\.[A-Za-z0-9_-]{20,}", "Google Cloud documentation, Token types"),
    form("npm token", r"\bnpm_[A-Za-z0-9]{36}\b", "npm documentation, Access tokens"),
    form("PyPI token", r"\bpypi-AgE[A-Za-z0-9_-]{40,500}", "PyPI documentation, API tokens"),
    form("crates.io token", r"\bcio[A-Za-z0-9]{32}\b", "Cargo Book, Publishing: API tokens"),
    form("RubyGems key", r"\brubygems_[a-f0-9]{48}\b", "RubyGems guides, API key scopes"),
    form("Docker token", r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,80}", "Docker documentation, Access tokens"),
    form("Hugging Face token", r"\bhf_[A-Za-z0-9]{30,60}\b", "Hugging Face documentation, User access tokens"),
    form("DigitalOcean token", r"\bdo[opr]_v1_[a-f0-9]{64}\b", "DigitalOcean documentation, Personal access tokens"),
    form("Shopify token", r"\bshp(?:at|ca|pa|ss|ua)_[A-Fa-f0-9]{32}\b", "Shopify documentation, Access tokens"),
    form("SendGrid key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", "SendGrid documentation, API keys"),
    form("Vault token", r"\bhv[sbr]\.[A-Za-z0-9_-]{24,300}", "Vault documentation, Tokens"),
    form(
        "Terraform token",
        r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70}",
        "HCP Terraform documentation, API tokens",
    ),
    form("Databricks token", r"\bdapi[a-f0-9]{32}(?:-[0-9])?\b", "Databricks documentation, Personal access tokens"),
    form("Grafana token", r"\bglsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}\b", "Grafana documentation, Service accounts"),
    form("New Relic key", r"\bNRAK-[A-Z0-9]{27}\b", "New Relic documentation, API keys"),
    form("Linear key", r"\blin_(?:api|oauth)_[A-Za-z0-9]{40,64}\b", "Linear documentation, API keys"),
    form("Sentry token", r"\bsntry[su]_[A-Za-z0-9+/=_-]{40,400}", "Sentry documentation, Auth tokens"),
    form(
        "Azure storage key",
        r"\bAccountKey=(?P<v>[A-Za-z0-9+/]{86}==)",
        "Azure documentation, Storage connection strings",
    ),
    form("age key", r"\bAGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{58,}", "age specification, X25519 identities"),
    form("JWT", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}", "RFC 7519, JSON Web Token"),
];

#[expect(clippy::expect_used, reason = "the patterns are constants, and a test compiles them")]
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    let groups = FORMS.iter().enumerate().map(|(at, form)| {
        let pattern = form.pattern.replace("(?P<v>", &format!("(?P<v{at}>"));
        format!("(?P<f{at}>{pattern})")
    });
    // Tokens and their boundaries are ASCII; Unicode word boundaries would keep the engine from its fast paths once a
    // text has a non-ASCII letter.
    Regex::new(&format!("(?-u){}", groups.collect::<Vec<_>>().join("|"))).expect("every form is a regular expression")
});

/// Words of which every token of a known form holds one. To look for them is much faster than to match the forms, and
/// most texts hold none.
const SIGNS: &[&str] = &[
    "AKIA",
    "ASIA",
    "(?i:aws)",
    "gh[pousr]_",
    "github_pat_",
    "gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-",
    "xox[abceoprs]",
    "xapp-",
    "hooks\\.slack\\.com",
    "[sr]k_(?:live|test)_",
    "whsec_",
    "sk-(?:ant|proj|svcacct|admin|None)-",
    "T3BlbkFJ",
    "AIza",
    "GOCSPX-",
    "ya29\\.",
    "npm_",
    "pypi-AgE",
    "cio",
    "rubygems_",
    "dckr_",
    "hf_",
    "do[opr]_v1_",
    "shp(?:at|ca|pa|ss|ua)_",
    "SG\\.",
    "hv[sbr]\\.",
    "\\.atlasv1\\.",
    "dapi",
    "glsa_",
    "NRAK-",
    "lin_(?:api|oauth)_",
    "sntry[su]_",
    "AccountKey=",
    "AGE-SECRET-KEY-",
    "eyJ",
];

/// How many line ends may stand in a token's form: there are at most four blanks before the equals sign and after it.
const FURTHER: usize = 8;

#[expect(clippy::expect_used, reason = "the pattern is a constant, and a test compiles it")]
static SIGN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("(?-u){}", SIGNS.join("|"))).expect("every sign is a regular expression"));

#[expect(clippy::expect_used, reason = "the pattern is a constant, and a test compiles it")]
static KEY_BEGIN: LazyLock<Regex> = LazyLock::new(|| {
    // RFC 7468 and its predecessors, OpenPGP (RFC 9580, section 6.2), SSH2, and the lines of a PuTTY key.
    Regex::new(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----|---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY ----|Private-Lines: [0-9]{1,5}")
        .expect("it is a regular expression")
});

/// Replaces every private key and token of known form by a mask, line by line, so that the number of lines stays.
/// Borrowed if there is none.
pub fn masked(text: &str) -> Cow<'_, str> {
    let found = secrets(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (span, name) in found {
        out.push_str(&text[done..span.start]);
        push_mask(&mut out, &text[span.clone()], name);
        done = span.end;
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Where the private keys and tokens of a text are, in bytes, in order and without overlaps: what [`masked`] replaces.
pub fn secret_spans(text: &str) -> Vec<Range<usize>> {
    secrets(text).into_iter().map(|(span, _)| span).collect()
}

/// The private keys and tokens in a text, in order and without overlaps, each with its name.
fn secrets(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut found = keys(text);
    tokens(text, &mut found);
    found.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
    let mut end = 0;
    found.retain(|(span, _)| {
        let is_next = span.start >= end;
        if is_next {
            end = span.end;
        }
        is_next
    });
    found
}

/// Makes every secret opaque that is not completely in `known`: the same number of bytes, none of them from the secret,
/// so that it cannot be found by searching for parts of it.
pub fn opaque<'a>(text: &'a str, known: &str) -> Cow<'a, str> {
    const NOTHING: char = '\u{1}';
    let found = secrets(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let known: HashSet<&str> = secrets(known).into_iter().map(|(span, _)| &known[span]).collect();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (span, _) in found.into_iter().filter(|(span, _)| !known.contains(&text[span.clone()])) {
        out.push_str(&text[done..span.start]);
        out.extend(text[span.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { NOTHING }));
        done = span.end;
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Whether an edit would reveal a masked secret: it changes a part of it, or what it is recognised by. `changed` are
/// the replaced ranges of `old` and the new ones of `new`, in order.
pub fn unmasks(old: &str, new: &str, changed: &[(Range<usize>, Range<usize>)]) -> bool {
    let before = secrets(old);
    if before.is_empty() {
        return false;
    }
    let after = secrets(new);
    let (mut changed, mut after) = (changed.iter().peekable(), after.iter().peekable());
    // The ends of the last change before and after the edit.
    let (mut old_end, mut new_end) = (0, 0);
    for (span, _) in before {
        while let Some((gone, come)) = changed.next_if(|(gone, _)| gone.end <= span.start) {
            (old_end, new_end) = (gone.end, come.end);
        }
        if let Some((gone, _)) = changed.peek().filter(|(gone, _)| gone.start < span.end) {
            let is_whole = gone.start <= span.start && span.end <= gone.end;
            if is_whole {
                continue;
            }
            return true;
        }
        let now = span.start - old_end + new_end..span.end - old_end + new_end;
        while after.next_if(|(masked, _)| masked.end <= now.start).is_some() {}
        if !after.peek().is_some_and(|(masked, _)| masked.start <= now.start && now.end <= masked.end) {
            return true;
        }
    }
    false
}

/// The number of masks in a text. Models see them in place of secrets, and must not write them.
pub fn masks(text: &str) -> usize {
    text.matches(text::MASK).count()
}

impl TextFile {
    /// The text as models see it: the same number of lines, with secrets [masked].
    pub fn masked_text(&self) -> Cow<'_, str> {
        masked(self.text())
    }
}

/// The change between two contents as models see it; see [`unified`] for the original. A line is masked as it is in its
/// file, as a hunk can begin in the middle of a key. Changes of credential files are left out.
///
/// [`unified`]: crate::workspace::unified()
pub fn unified_masked(path: &RepoPath, old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    unified_masked_of(Names::same(path), old, new)
}

/// [`unified_masked`] of a file that may have got another name.
pub(in crate::workspace) fn unified_masked_of(names: Names<'_>, old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    if [old, new].into_iter().flatten().any(is_secret_text) {
        return format!("# {} may hold secrets, and its change is not shown\n", names.to);
    }
    let text =
        |bytes: Option<&[u8]>| TextFile::decode(bytes.unwrap_or_default()).map(|file| file.masked_text().into_owned());
    let is_deleted = new.is_none();
    let (Ok(masked_old), Ok(masked_new)) = (text(old), text(new)) else { return unified_of(names, old, new, None) };
    let shown: Vec<&str> = if is_deleted { masked_old.lines().collect() } else { masked_new.lines().collect() };
    let diff = unified_of(names, old, new, Some(&shown));
    let (old, new) = (masked_old, masked_new);
    if masks(&old) + masks(&new) == 0 {
        return diff;
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let (mut at_old, mut at_new) = (None, None);
    let mut out = String::with_capacity(diff.len());
    for line in diff.split_inclusive('\n') {
        if let Some((first_old, first_new)) = hunk(line) {
            (at_old, at_new) = (Some(first_old), Some(first_new));
        } else if let (Some(before), Some(after)) = (at_old, at_new) {
            let shown = match line.as_bytes().first() {
                Some(b'-') => old.get(before),
                Some(b'+' | b' ') => new.get(after),
                _ => None,
            };
            at_old = Some(before + usize::from(line.starts_with(['-', ' '])));
            at_new = Some(after + usize::from(line.starts_with(['+', ' '])));
            if let Some(shown) = shown.filter(|shown| masks(shown) > 0) {
                out.push_str(&line[..1]);
                out.push_str(shown);
                out.push('\n');
                continue;
            }
        }
        out.push_str(line);
    }
    out
}

/// The first lines of a hunk on both sides, from 0.
fn hunk(line: &str) -> Option<(usize, usize)> {
    let (old, new) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let first = |side: &str| side.split([',', ' ']).next()?.parse::<usize>().ok().map(|line| line.saturating_sub(1));
    Some((first(old)?, first(new)?))
}

/// Whether a file holds credentials, whatever its name: a service account's key, or the login that `gcloud` keeps.
/// Source: Google Cloud documentation, "Service account keys" and "Application Default Credentials".
pub fn is_secret_text(bytes: &[u8]) -> bool {
    const LARGEST: usize = 64 * 1024;
    let trimmed = bytes.trim_ascii_start();
    let trimmed = trimmed.strip_prefix("\u{feff}".as_bytes()).unwrap_or(trimmed).trim_ascii_start();
    if bytes.len() > LARGEST || trimmed.first() != Some(&b'{') {
        return false;
    }
    let Ok(text) = std::str::from_utf8(trimmed) else { return false };
    let has = |words: &[&str]| words.iter().all(|word| text.contains(&format!("\"{word}\"")));
    has(&["type", "service_account", "private_key"]) || has(&["type", "authorized_user", "refresh_token"])
}

/// Finds tokens: each stands on the line of its sign, but for what is between a name and its value, see [`FURTHER`].
fn tokens(text: &str, found: &mut Vec<(Range<usize>, &'static str)>) {
    let mut at = 0;
    while let Some(sign) = SIGN.find_at(text, at) {
        let start = text[at..sign.start()].rfind('\n').map_or(at, |end| at + end + 1);
        let mut end = sign.end();
        // A sign further down may begin what goes on behind these lines.
        while let Some(last) = SIGN.find_iter(&text[end..lines_end(text, end)]).last() {
            end += last.end();
        }
        let end = lines_end(text, end);
        let here = |(span, name): (Range<usize>, _)| (span.start + start..span.end + start, name);
        found.extend(TOKENS.captures_iter(&text[start..end]).map(|captures| here(token(&captures))));
        at = end;
    }
}

/// The end of the line of a place and of those in which a token may go on.
fn lines_end(text: &str, at: usize) -> usize {
    memchr::memchr_iter(b'\n', &text.as_bytes()[at..]).nth(FURTHER).map_or(text.len(), |end| at + end + 1)
}

fn token(captures: &Captures<'_>) -> (Range<usize>, &'static str) {
    let form = FORMS.iter().enumerate().find(|(at, _)| captures.name(&format!("f{at}")).is_some());
    let (at, name) = form.map_or((0, "token"), |(at, form)| (at, form.name));
    let span = captures.name(&format!("v{at}")).or_else(|| captures.get(0)).map(|found| found.range());
    (span.unwrap_or_default(), name)
}

/// Finds private keys, from their first line to their last, or to where the text is no longer Base64.
fn keys(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut found: Vec<(Range<usize>, &'static str)> = Vec::new();
    let mut begins = KEY_BEGIN.find_iter(text).peekable();
    while let Some(begin) = begins.next() {
        if found.last().is_some_and(|(last, _)| last.end > begin.start()) {
            continue;
        }
        // A key ends before the next one begins, so that the text is scanned once.
        let body = &text[begin.end()..begins.peek().map_or(text.len(), |next| next.start())];
        let body = text::head_bytes(body, LONGEST_KEY);
        let is_key = |length: &usize| {
            let letters = body[..*length].bytes().filter(|byte| is_base64(*byte)).count();
            letters >= SHORTEST_KEY && is_dense(&body[..*length], letters)
        };
        if let Some(length) =
            length_with_end(body).filter(is_key).or_else(|| Some(length_without_end(body)).filter(is_key))
        {
            found.push((begin.start()..begin.end() + length, "private key"));
        }
    }
    found
}

/// The length of a key with an end line.
fn length_with_end(body: &str) -> Option<usize> {
    let end = body.find("-----END").or_else(|| body.find("---- END"))? + "-----END".len();
    let line = body[end..].find('\n').map_or(body.len(), |rest| end + rest);
    Some(body[end..line].find("----").map_or(line, |dashes| {
        let rest = &body[end + dashes..line];
        end + dashes + (rest.len() - rest.trim_start_matches('-').len())
    }))
}

/// The length of a key without an end line, cut off or shown in part.
fn length_without_end(body: &str) -> usize {
    let mut lines = body.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    // A key with escaped line ends is a single line.
    let mut length = first.find(|c: char| !(c.is_ascii() && (is_base64(c as u8) || c == '\\'))).unwrap_or(first.len());
    if !first[length..].trim_matches(['"', '\'', ',', ' ', '\r', '\n', '|', '`']).is_empty() {
        return length;
    }
    let mut at = first.len();
    for (number, line) in lines.enumerate() {
        let bare = line.rsplit('\t').next().unwrap_or_default().trim();
        let bare = bare.trim_start_matches(['#', '*', '|', '>', ';', '"', '\'', '-', ' ']);
        let bare = bare.trim_end_matches(['"', '\'', ',', '\\', ' ']);
        let is_header = number < 4 && (bare.is_empty() || bare.contains(": "));
        let is_body = bare.len() >= 16 || (bare.len() >= 4 && length > 0);
        let goes_on = is_header || (is_body && bare.bytes().all(|byte| is_base64(byte) || byte == b'\\'));
        if !goes_on {
            break;
        }
        at += line.len();
        if !is_header {
            length = at;
        }
    }
    body[..length].trim_end().len()
}

/// Whether a text is Base64 with its line ends, quotes and marks; prose and code have more spaces.
fn is_dense(text: &str, letters: usize) -> bool {
    text.lines().map(|line| line.trim().matches(' ').count()).sum::<usize>() * 12 < letters
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Writes a mask for each line of a secret.
fn push_mask(out: &mut String, secret: &str, name: &str) {
    for line in secret.split_inclusive('\n') {
        let end = line.len() - line.trim_end_matches(['\r', '\n']).len();
        let bare = &line[..line.len() - end];
        // A line number or indentation before the text is no part of the secret.
        let number = bare.len() - bare.trim_start_matches(|c: char| c.is_whitespace() || c.is_ascii_digit()).len();
        let number = bare[..number].rfind('\t').map_or(0, |tab| tab + 1);
        let front = bare.len() - bare[number..].trim_start().len();
        out.push_str(&bare[..front]);
        if !bare.trim().is_empty() {
            out.push_str(&text::mask(name));
        }
        out.push_str(&line[line.len() - end..]);
    }
}

#[cfg(test)]
mod tests;
