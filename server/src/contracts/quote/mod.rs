//! Where a quote stands in a file.

use std::borrow::Cow;

/// How a line of a quote stands in a line of a file; the less of it had to be put right, the smaller.
///
/// White space around a line never counts. Then what a diff or a listing puts in front is taken off, then white space is
/// collapsed. A part of a line counts after a whole one, and one without a letter or a digit after everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Whole,
    BareWhole,
    CollapsedWhole,
    BareCollapsedWhole,
    Part,
    BarePart,
    CollapsedPart,
    BareCollapsedPart,
    Marks,
}

/// Lines of a quote that are looked at.
const MOST_QUOTED: usize = 200;

/// The line, from 1, where a quote stands in the lines of a file, nearest to the one named. A quote of several lines stands
/// where all of them do, one below the other; failing that, where those do that are left without what a diff shows as
/// removed; failing that, where the first of them does that stands anywhere.
pub fn find_quote(lines: &[&str], quote: &str, near: u32) -> Option<u32> {
    let quoted: Vec<Quoted> = quoted_lines(quote);
    let (gone, there): (Vec<&Quoted>, Vec<&Quoted>) = match is_diff(&quoted) {
        true => quoted.iter().partition(|line| line.is_no_line),
        false => (Vec::new(), quoted.iter().collect()),
    };
    let file = File::new(lines, near);
    let all: Vec<&Quoted> = quoted.iter().collect();
    let block = file.block(&all).or_else(|| if gone.is_empty() { None } else { file.block(&there) });
    block.or_else(|| {
        let each = || there.iter().chain(&gone).filter(|_| quoted.len() > 1);
        let with_words = each().filter(|line| has_word(line.text));
        with_words
            .chain(each().filter(|line| !has_word(line.text) && !line.is_blank()))
            .find_map(|line| file.block(&[line]))
    })
}

/// The lines of a quote, without the blank ones around them.
fn quoted_lines(quote: &str) -> Vec<Quoted<'_>> {
    let mut quoted: Vec<Quoted> = quote.lines().take(MOST_QUOTED).map(Quoted::new).collect();
    while quoted.last().is_some_and(Quoted::is_blank) {
        quoted.pop();
    }
    let blank = quoted.iter().take_while(|line| line.is_blank()).count();
    quoted.drain(..blank);
    quoted
}

/// Whether lines are an excerpt of a diff, of which not all stand in the file.
fn is_diff(quoted: &[Quoted<'_>]) -> bool {
    quoted.iter().any(|line| line.is_no_line) && quoted.iter().any(|line| !line.is_no_line)
}

/// A line of a quote in every form in which it is looked for.
struct Quoted<'a> {
    /// Trimmed.
    text: &'a str,
    /// Without what a diff or a listing puts in front, and without the marks of a cut line.
    bare: Vec<&'a str>,
    collapsed: Cow<'a, str>,
    bare_collapsed: Vec<Cow<'a, str>>,
    /// Whether a diff shows it as removed, or it is a diff's own line.
    is_no_line: bool,
}

impl<'a> Quoted<'a> {
    fn new(line: &'a str) -> Self {
        let line = line.trim_start();
        let text = line.trim_end();
        let mut bare: Vec<&str> = Vec::new();
        let whole = uncut(line);
        for form in [Some(whole), without_sign(whole), without_number(whole, is_tab)]
            .into_iter()
            .chain([without_sign(whole).and_then(|rest| without_number(rest, is_tab))])
            .chain([without_number(whole, is_tab).and_then(without_sign), without_place(whole)])
            .flatten()
        {
            let form = form.trim();
            if form != text && !bare.contains(&form) {
                bare.push(form);
            }
        }
        // A tab may have become spaces.
        let spaced = [Some(whole), without_sign(whole)].into_iter().flatten();
        let spaced = spaced.filter_map(|form| without_number(form, char::is_whitespace));
        let spaced = spaced.map(str::trim).filter(|form| !form.is_empty());
        let bare_collapsed = bare.iter().copied().chain(spaced).map(collapsed).collect();
        // The number of a blank line is no text.
        let text = if bare.contains(&"") && text.ends_with(|c: char| c.is_ascii_digit()) { "" } else { text };
        let is_no_line = text.starts_with('-') || text.starts_with("@@ ") || text.starts_with("\\ No newline");
        let is_no_line = is_no_line || text.starts_with("+++ ") || text.starts_with("diff --git ");
        Self { text, collapsed: collapsed(text), bare, bare_collapsed, is_no_line }
    }

    fn is_blank(&self) -> bool {
        self.text.is_empty() && self.bare.is_empty()
    }

    fn forms(&self) -> impl Iterator<Item = &str> {
        self.bare.iter().copied().chain([self.text])
    }

    /// How it stands in a line of a file.
    fn fit(&self, line: &str, line_collapsed: &str) -> Option<Fit> {
        let holds = |part: &str, line: &str| has_word(part) && line.contains(part);
        Some(if line == self.text {
            Fit::Whole
        } else if self.bare.contains(&line) {
            Fit::BareWhole
        } else if line_collapsed == self.collapsed {
            Fit::CollapsedWhole
        } else if self.bare_collapsed.iter().any(|bare| bare == line_collapsed) {
            Fit::BareCollapsedWhole
        } else if holds(self.text, line) {
            Fit::Part
        } else if self.bare.iter().any(|bare| holds(bare, line)) {
            Fit::BarePart
        } else if holds(&self.collapsed, line_collapsed) {
            Fit::CollapsedPart
        } else if self.bare_collapsed.iter().any(|bare| holds(bare, line_collapsed)) {
            Fit::BareCollapsedPart
        } else if self.forms().any(|form| !form.is_empty() && !has_word(form) && line.contains(form)) {
            Fit::Marks
        } else {
            return None;
        })
    }
}

/// The lines of a file, trimmed and collapsed.
struct File<'a> {
    lines: Vec<(&'a str, Cow<'a, str>)>,
    near: u32,
}

impl<'a> File<'a> {
    fn new(lines: &[&'a str], near: u32) -> Self {
        let lines = lines.iter().map(|line| line.trim()).map(|line| (line, collapsed(line))).collect();
        Self { lines, near }
    }

    /// Where all of these lines stand, one below the other: where they fit best, and there nearest to the line named.
    fn block(&self, quoted: &[&Quoted<'_>]) -> Option<u32> {
        let (first, rest) = quoted.split_first()?;
        let fit_at = |line: &Quoted<'_>, at: usize| self.lines.get(at).and_then(|(text, flat)| line.fit(text, flat));
        let fit_from = |at: usize| {
            let mut worst = fit_at(first, at)?;
            for (line, below) in rest.iter().zip(at + 1..) {
                worst = worst.max(fit_at(line, below)?);
            }
            let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
            Some((worst, number.abs_diff(self.near), number))
        };
        (0..self.lines.len()).filter_map(fit_from).min().map(|(.., number)| number)
    }
}

fn has_word(text: &str) -> bool {
    text.contains(char::is_alphanumeric)
}

fn is_tab(c: char) -> bool {
    c == '\t'
}

/// Runs of white space as one blank.
fn collapsed(text: &str) -> Cow<'_, str> {
    let is_flat = |text: &str| {
        let mut before = 'x';
        text.chars().all(|c| {
            let is_good = !c.is_whitespace() || c == ' ' && before != ' ';
            before = c;
            is_good
        })
    };
    if is_flat(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Without the sign that a diff puts in front.
fn without_sign(line: &str) -> Option<&str> {
    line.strip_prefix(['+', '-']).map(str::trim_start)
}

/// Without the number that a listing puts in front, and what is between it and the line.
fn without_number(line: &str, is_between: fn(char) -> bool) -> Option<&str> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() == line.len() {
        return None;
    }
    rest.strip_prefix(is_between).map(str::trim_start)
}

/// Without the path and the number that a search puts in front: `src/a.rs:12: `.
fn without_place(line: &str) -> Option<&str> {
    line.match_indices(": ").find_map(|(end, _)| {
        let number = line[..end].rfind(|c: char| !c.is_ascii_digit()).filter(|before| before + 1 < end)?;
        line[number..].starts_with(':').then(|| uncut(&line[end + 2..]))
    })
}

/// Without the marks of a line that was cut where it was shown.
fn uncut(line: &str) -> &str {
    let line = match line.rfind(" (line cut; it has ") {
        Some(end) if line.trim_end().ends_with(" characters)") => &line[..end],
        _ => line,
    };
    let line = line.strip_prefix('…').unwrap_or(line);
    let trimmed = line.trim_end();
    trimmed.strip_suffix('…').unwrap_or(line)
}

#[cfg(test)]
mod tests;
