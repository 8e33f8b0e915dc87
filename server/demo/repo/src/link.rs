//! Links in a Markdown text.

/// An inline link or image, `[text](target)`, as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Line of the file, from 1.
    pub line: usize,
    /// What stands between the parentheses, without a title.
    pub target: String,
}

impl Link {
    /// The local path the link leads to, decoded, without its fragment.
    ///
    /// `None` for a link to the web, and for one that stays in its own file.
    pub fn path(&self) -> Option<String> {
        if self.is_external() {
            return None;
        }
        let path = self.target.split(['#', '?']).next()?;
        (!path.is_empty()).then(|| percent_decode(path))
    }

    /// Whether the link has a scheme, such as `https:` or `mailto:`, or names a host.
    fn is_external(&self) -> bool {
        let scheme = |head: &str| {
            head.starts_with(|c: char| c.is_ascii_alphabetic())
                && head.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        self.target.starts_with("//")
            || self.target.split_once(':').is_some_and(|(head, _)| scheme(head))
    }
}

/// Every inline link of a Markdown text, in order.
pub fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (line, prose) in prose(text) {
        let prose = without_code_spans(prose);
        for after in prose.split("](").skip(1) {
            if let Some(target) = target(after) {
                let target = target.to_owned();
                found.push(Link { line, target });
            }
        }
    }
    found
}

/// The lines of a text that stand outside fenced code blocks, with their numbers from 1.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut open: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        match (open, fence(line)) {
            (None, None) => return Some((index + 1, line)),
            (None, opening) => open = opening,
            // Only a bare fence, at least as long as the one that opened the block, closes it.
            (Some(opening), Some(closing))
                if closing.starts_with(opening) && line.trim() == closing =>
            {
                open = None
            }
            _ => {}
        }
        None
    })
}

/// The backticks or tildes a line starts with, when they are enough to fence code.
fn fence(line: &str) -> Option<&str> {
    let line = line.trim_start();
    ['`', '~'].into_iter().find_map(|mark| {
        let length = line.len() - line.trim_start_matches(mark).len();
        (length >= 3).then(|| &line[..length])
    })
}

fn without_code_spans(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let length = rest.len() - start - rest[start..].trim_start_matches('`').len();
        let ticks = &rest[start..start + length];
        kept.push_str(&rest[..start]);
        rest = &rest[start + length..];
        match rest.find(ticks) {
            Some(end) => rest = &rest[end + length..],
            None => kept.push_str(ticks),
        }
    }
    kept + rest
}

/// The target at the start of what follows `](`: up to the closing parenthesis or a title.
fn target(after: &str) -> Option<&str> {
    if let Some(bracketed) = after.strip_prefix('<') {
        return bracketed.split_once('>').map(|(target, _)| target);
    }
    let mut depth = 0;
    for (at, c) in after.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' | ' ' => return Some(&after[..at]),
            _ => {}
        }
    }
    None
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let hex = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let escape = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escape.unwrap_or(b'%'));
        rest = if escape.is_some() { &after[2..] } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<String> {
        links(text).into_iter().map(|link| link.target).collect()
    }

    fn path(target: &str) -> Option<String> {
        let target = target.to_owned();
        Link { line: 1, target }.path()
    }

    #[test]
    fn links_and_images_are_found_with_their_lines() {
        let text = "# Title\n\nSee [a](a.md \"A\") and ![b](<b c.png>).\n";
        let found = links(text);
        assert_eq!(targets(text), ["a.md", "b c.png"]);
        assert!(found.iter().all(|link| link.line == 3));
    }

    #[test]
    fn code_is_skipped() {
        let text = "`[a](a.md)` ``[`](b.md)``\n```md\n[c](c.md)\n````\n[d](d.md)\n";
        assert_eq!(targets(text), ["d.md"]);
    }

    #[test]
    fn parentheses_may_be_nested() {
        assert_eq!(targets("[wiki](Foo_(bar).md)"), ["Foo_(bar).md"]);
    }

    #[test]
    fn a_path_is_decoded_and_loses_its_fragment() {
        assert_eq!(path("my%20notes.md#top"), Some("my notes.md".to_owned()));
        assert_eq!(path("100%.md?plain=1"), Some("100%.md".to_owned()));
    }

    #[test]
    fn the_web_and_the_own_file_have_no_path() {
        for target in ["https://example.org/a.md", "mailto:a@example.org", "//cdn/x", "#top", ""] {
            assert_eq!(path(target), None, "{target}");
        }
    }
}
