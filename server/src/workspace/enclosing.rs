//! In which definition a line stands, told by the lines alone: their words and how far they are indented.
//!
//! It errs where a text is not laid out as is usual, and then says nothing rather than something wrong, mostly.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::contracts::RepoPath;

/// For each of the wanted lines (from 0, ascending), the line at which the definition around it begins, if it stands in
/// one. Linear in what is before the last of them.
pub fn enclosing_definitions(path: &RepoPath, lines: &[&str], wanted: &[usize]) -> Vec<Option<usize>> {
    match Kind::of(path) {
        None => vec![None; wanted.len()],
        Some(Kind::Prose) => headings(lines, wanted),
        Some(kind) => upwards(lines, wanted, kind),
    }
}

/// The definitions around lines of code. A pass from the last wanted line up, for a definition is mostly near: closely
/// looked at are only lines that are indented less than all between them and a wanted line.
fn upwards(lines: &[&str], wanted: &[usize], kind: Kind) -> Vec<Option<usize>> {
    let mut found = vec![None; wanted.len()];
    // From bottom to top the limits grow.
    let mut open: Vec<Open> = Vec::new();
    let mut rest = wanted.len();
    for (number, line) in lines.iter().enumerate().rev() {
        let is_wanted = |rest: usize| rest > 0 && wanted[rest - 1] == number;
        while rest > 0 && wanted[rest - 1] > number {
            // Behind the last line.
            rest -= 1;
        }
        if rest == 0 && open.is_empty() {
            break;
        }
        let limit = open.last().map_or(0, |innermost| innermost.limit);
        if !is_wanted(rest) && (limit == 0 || indentation(line) >= limit) {
            continue;
        }
        let step = Step::of(line, kind);
        if let Step::Begins(depth) | Step::Ends(depth) | Step::Outside(depth) = step {
            let mut inside = Vec::new();
            while let Some(inner) = open.pop_if(|inner| inner.limit > depth) {
                inside.extend(inner.wanted);
            }
            match step {
                Step::Begins(_) => inside.into_iter().for_each(|at| found[at] = Some(number)),
                _ => Open::push(&mut open, depth, inside),
            }
        }
        let mut here = Vec::new();
        while is_wanted(rest) {
            rest -= 1;
            here.push(rest);
        }
        let limit = match step {
            Step::Begins(depth) | Step::Outside(depth) => depth,
            Step::Inside | Step::Ends(_) => usize::MAX,
        };
        Open::push(&mut open, limit, here);
    }
    found
}

/// Wanted lines, by their place among them, whose definition is still to come.
struct Open {
    /// It is indented less than this, in bytes.
    limit: usize,
    wanted: Vec<usize>,
}

impl Open {
    fn push(open: &mut Vec<Self>, limit: usize, wanted: Vec<usize>) {
        // Nothing is indented less than not at all.
        if limit == 0 || wanted.is_empty() {
            return;
        }
        match open.last_mut() {
            Some(last) if last.limit == limit => last.wanted.extend(wanted),
            _ => open.push(Self { limit, wanted }),
        }
    }
}

/// The headings above lines of prose. From the first line down, for only so are blocks of code told from prose.
fn headings(lines: &[&str], wanted: &[usize]) -> Vec<Option<usize>> {
    let mut found = Vec::with_capacity(wanted.len());
    let mut wanted = wanted.iter().copied().peekable();
    // Lines and levels; the innermost last.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut is_fenced = false;
    for (number, line) in lines.iter().enumerate() {
        if wanted.peek().is_none() {
            break;
        }
        is_fenced ^= line.trim_start().starts_with("```");
        let level = heading(line).filter(|_| !is_fenced);
        if let Some(level) = level {
            open.retain(|(_, outer)| *outer < level);
        }
        while wanted.next_if_eq(&number).is_some() {
            found.push(open.last().map(|(line, _)| *line));
        }
        open.extend(level.map(|level| (number, level)));
    }
    found.extend(wanted.map(|_| None));
    found
}

/// How a text shows what it defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Functions may have no word in front, as in C and the shell.
    BareFunctions,
    /// Every definition has its word, or is a method with its body.
    Words,
    /// Headings.
    Prose,
}

impl Kind {
    fn of(path: &RepoPath) -> Option<Self> {
        let (_, ending) = path.file_name().rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "md" | "mdx" | "markdown" => Some(Self::Prose),
            "c" | "h" | "cc" | "cpp" | "cxx" | "hpp" | "hh" | "m" | "mm" | "java" | "cs" | "php" | "sh" | "bash"
            | "zsh" | "d" | "dart" => Some(Self::BareFunctions),
            "txt" | "rst" | "adoc" | "json" | "jsonl" | "yaml" | "yml" | "toml" | "ini" | "cfg" | "csv" | "tsv"
            | "lock" | "html" | "xml" | "svg" | "css" | "snap" | "log" | "patch" | "diff" => None,
            _ => Some(Self::Words),
        }
    }
}

/// How far a line is indented, in bytes.
fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The level of a heading.
fn heading(line: &str) -> Option<usize> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    ((1..=6).contains(&level) && line[level..].starts_with(' ')).then_some(level)
}

/// What a line means for the definitions around it; the number is how far it is indented.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Nothing.
    Inside,
    /// It begins one.
    Begins(usize),
    /// It is the last of one.
    Ends(usize),
    /// What is indented as far has ended before it.
    Outside(usize),
}

impl Step {
    fn of(line: &str, kind: Kind) -> Self {
        /// What is longer was written by no person.
        const LONGEST: usize = 400;
        /// Words that go on with what is above them.
        const GO_ON: &[&str] = &[
            "where", "then", "else", "elif", "elsif", "do", "done", "fi", "esac", "case", "default", "rescue", "ensure",
        ];
        /// What begins no definition, though it may look like the head of a method.
        const CONTROL: &[&str] = &[
            "if",
            "for",
            "while",
            "switch",
            "catch",
            "match",
            "return",
            "loop",
            "with",
            "unless",
            "until",
            "foreach",
            "using",
            "lock",
            "synchronized",
            "try",
            "await",
            "yield",
            "throw",
            "assert",
            "new",
        ];
        let depth = indentation(line);
        let text = &line[depth..];
        if text.is_empty() || text.len() > LONGEST {
            return Self::Inside;
        }
        let word = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
        if text.starts_with('}') || word == "end" {
            return Self::Ends(depth);
        }
        let is_label = text.strip_suffix(':') == Some(word) && !["try", "finally", "else"].contains(&word);
        // The rest of a head that spans lines, the beginning of a body, directives and comments.
        let punctuation = ['{', ')', ']', '#', '/', '*', ':', '>', '@', '-', '\\', '"', '\'', '`'];
        if is_label || text.starts_with(punctuation) || GO_ON.contains(&word) {
            return Self::Inside;
        }
        let is_function = kind == Kind::BareFunctions && depth == 0 && FUNCTION.is_match(text.as_bytes());
        if !CONTROL.contains(&word) && (is_function || DEFINITION.is_match(text.as_bytes())) {
            Self::Begins(depth)
        } else {
            Self::Outside(depth)
        }
    }
}

/// A line that begins a definition in one of the usual languages, without its indentation.
#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static DEFINITION: LazyLock<Regex> = LazyLock::new(|| {
    const BEFORE: &str = r#"(?:(?:pub(?:\([^)]{1,40}\))?|public|private|protected|internal|export|default|declare|abstract|static|final|sealed|partial|override|open|async|const|unsafe|extern(?: "[^"]{0,20}")?|inline|virtual|data|suspend|local)\s+)*"#;
    const WORDS: &str = r"(?:fn|func|fun|function\*?|def|class|struct|enum|union|trait|impl|mod|module|interface|namespace|object|protocol|extension|record|type|macro_rules!|sub)(?:\s+[\w$&(*<\x22']|<)";
    // A method whose line ends with the beginning of its body; an arrow function that has a name.
    const METHOD: &str = r"(?:[\w<>\[\],.?*&:~]{1,80}\s+){0,4}[\w$~:]{1,80}\s*\([^;]*\)[^;={}]*\{$";
    const ARROW: &str = r"(?:const|let|var)\s+[\w$]{1,80}\s*(?::[^=]{1,120})?=\s*(?:async\s*)?(?:function\b|\([^()]*\)[^=]{0,80}=>|[\w$]{1,80}\s*=>)";
    Regex::new(&format!(r"(?-u)^{BEFORE}(?:{WORDS}|{ARROW}|{METHOD})")).expect("it is a regular expression")
});

/// A function of C and its like, at the left edge.
#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)^(?:[A-Za-z_][\w:<>,*&~]{0,80}[\s*&]+){1,6}[\w:~]{1,120}\s*\([^;={}]*\)?[^;={}]*\{?$|(?-u)^[\w-]{1,80}\s*\(\)\s*\{?")
        .expect("it is a regular expression")
});

#[cfg(test)]
mod tests {
    use super::super::fixture::path;
    use super::*;

    /// Each line that ends in `@N` stands in the definition of line N, counted from 1; in none where N is 0.
    #[track_caller]
    fn check(file: &str, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        let marked = |line: &&str| line.rsplit_once('@').and_then(|(_, n)| n.parse::<usize>().ok());
        let wanted: Vec<(usize, usize)> =
            lines.iter().enumerate().filter_map(|(at, line)| Some((at, marked(line)?))).collect();
        let numbers: Vec<usize> = wanted.iter().map(|(at, _)| *at).collect();
        for ((at, expected), found) in wanted.iter().zip(enclosing_definitions(&path(file), &lines, &numbers)) {
            assert_eq!(found.map_or(0, |line| line + 1), *expected, "{file}:{}: {}", at + 1, lines[*at]);
        }
        assert!(!wanted.is_empty());
    }

    #[test]
    fn a_line_stands_in_the_innermost_definition_around_it() {
        check(
            "a.rs",
            "use x; // @0\npub(crate) struct A {\n    b: u8, // @2\n}\n\nimpl A {\n    pub async fn c(\n        d: u8, // @7\n    ) -> u8\n    where\n        u8: Copy,\n    {\n        if d > 1 {\n            d // @7\n        }\n    }\n\n    /// Of e. @6\n    fn e() {} // @6\n}\n\nconst F: &[u8] = &[ // @0\n    1, // @0\n];\n",
        );
        check(
            "a.py",
            "import x # @0\nclass A:\n    b = 1 # @2\n    async def c(self):\n        if x:\n            return 1 # @4\n\n    d = 2 # @2\n\ne = 3 # @0\n",
        );
        check(
            "a.ts",
            "export class A {\n  private b = 1; // @1\n  async c(d: string): Promise<void> {\n    for (const e of d) {\n      f(e); // @3\n    }\n  }\n}\nexport const g = async (h: number) => {\n  return h; // @9\n};\nconsole.log(1); // @0\n",
        );
        check(
            "a.go",
            "package a\n\nfunc (a *A) B(c int) error {\n\treturn nil // @3\n}\n\ntype D struct {\n\te int // @7\n}\n",
        );
        check(
            "a.c",
            "#include <x.h>\nstatic int a(int b)\n{\n\tif (b) {\n\t\treturn 1; /* @2\n\t}\n#ifdef X\n\treturn 2; // @2\nout:\n\treturn 3; // @2\n}\nint c; // @0\n",
        );
        check(
            "A.java",
            "class A {\n    int b; // @1\n    @Override\n    public int c(int d) throws E {\n        while (d > 0) {\n            d--; // @4\n        }\n    }\n}\n",
        );
        check("a.sh", "x=1 # @0\nmain() {\n  echo # @2\n}\nmain # @0\n");
        check("a.rb", "module A\n  def b\n    c # @2\n  end\n  d # @1\nend\n");
        check("a.md", "a @0\n# A\nb @2\n## B\nc @4\n```\n# x\ny @4\n```\n# C\nd @10\n");
    }

    #[test]
    fn whatever_the_lines_are_it_is_linear() {
        let odd = "    ".repeat(50) + &"a(".repeat(100);
        let lines: Vec<&str> = std::iter::repeat_n(odd.as_str(), 20_000).collect();
        assert_eq!(enclosing_definitions(&path("a.rs"), &lines, &[0, 19_999, 30_000]), [None; 3]);
        let steps: Vec<String> = (0..5_000).map(|n| format!("{}fn a() {{", " ".repeat(n % 300))).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        assert_eq!(enclosing_definitions(&path("a.rs"), &steps, &[299, 300]), [Some(298), None]);
        let all: Vec<usize> = (0..steps.len()).collect();
        let found = enclosing_definitions(&path("a.rs"), &steps, &all);
        assert!(found.iter().enumerate().all(|(at, line)| *line == (at % 300).checked_sub(1).map(|_| at - 1)));
        let deep = vec!["    x"; 100_000];
        let many: Vec<usize> = (0..100_000).collect();
        assert_eq!(enclosing_definitions(&path("a.rs"), &deep, &many), vec![None; 100_000]);
    }

    /// What the definitions around lines are, said as plainly as can be: the nearest line above that begins one and is
    /// indented less than whatever has ended or begun between.
    fn plainly(lines: &[&str], line: usize) -> Option<usize> {
        let kind = Kind::Words;
        let mut limit = match Step::of(lines[line], kind) {
            Step::Begins(depth) | Step::Outside(depth) => depth,
            Step::Inside | Step::Ends(_) => usize::MAX,
        };
        for above in (0..line).rev() {
            match Step::of(lines[above], kind) {
                Step::Begins(depth) if depth < limit => return Some(above),
                Step::Begins(depth) | Step::Ends(depth) | Step::Outside(depth) => limit = limit.min(depth),
                Step::Inside => {}
            }
        }
        None
    }

    #[test]
    fn many_lines_at_once_have_what_each_has_alone() {
        const PIECES: [&str; 8] = ["fn a() {", "}", "x;", "", "// y", "if z {", "impl B {", ") {"];
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let made: Vec<String> = (0..random.usize(1..60))
                .map(|_| format!("{}{}", "  ".repeat(random.usize(0..5)), PIECES[random.usize(..PIECES.len())]))
                .collect();
            let lines: Vec<&str> = made.iter().map(String::as_str).collect();
            let wanted: Vec<usize> = (0..lines.len()).filter(|_| random.bool()).collect();
            let expected: Vec<Option<usize>> = wanted.iter().map(|line| plainly(&lines, *line)).collect();
            assert_eq!(enclosing_definitions(&path("a.rs"), &lines, &wanted), expected, "{lines:#?}");
        }
    }
}
