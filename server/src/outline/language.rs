//! The languages: by which names their files are known, their grammars and queries.

use std::sync::OnceLock;

use tree_sitter::Query;
use tree_sitter_language::LanguageFn;

use super::definition::Kind;

/// What is made of a text.
#[derive(Clone, Copy)]
pub(super) enum Language {
    /// Headings.
    Markdown,
    /// What its query finds.
    Parsed(&'static Row),
}

/// A language with a grammar.
pub(super) struct Row {
    /// Its name, for people.
    pub(super) name: &'static str,
    /// The extensions of its files, in lower case.
    extensions: &'static [&'static str],
    /// What the first line of its scripts names.
    interpreters: &'static [&'static str],
    function: LanguageFn,
    /// Its query: see `queries/`. Each pattern captures a definition, as `definition.` and the word of a [`Kind`], and its
    /// `name`, and where there are such its `trait` and its `container`.
    query: &'static str,
    ready: OnceLock<Option<Grammar>>,
}

/// A grammar that is ready for use.
pub(super) struct Grammar {
    pub(super) language: tree_sitter::Language,
    pub(super) query: Query,
    /// What each capture says of a definition.
    pub(super) kinds: Vec<Option<Kind>>,
    pub(super) name: Option<usize>,
    pub(super) of_trait: Option<usize>,
    pub(super) container: Option<usize>,
}

impl Row {
    const fn of(
        name: &'static str,
        extensions: &'static [&'static str],
        interpreters: &'static [&'static str],
        function: LanguageFn,
        query: &'static str,
    ) -> Self {
        Self { name, extensions, interpreters, function, query, ready: OnceLock::new() }
    }

    /// One of its extensions.
    #[cfg(test)]
    pub(super) fn extension(&self) -> &'static str {
        self.extensions[0]
    }

    /// The grammar, made at the first use. `None` where the query is not one for it, which a test tells of each row.
    pub(super) fn grammar(&self) -> Option<&Grammar> {
        let ready = self.ready.get_or_init(|| {
            let language = tree_sitter::Language::new(self.function);
            let query = Query::new(&language, self.query);
            let query =
                query.inspect_err(|error| tracing::error!(language = self.name, %error, "faulty query")).ok()?;
            let kind = |name: &&str| name.strip_prefix("definition.").and_then(Kind::of_word);
            let kinds = query.capture_names().iter().map(kind).collect();
            let place = |name| query.capture_index_for_name(name).map(|index| index as usize);
            let (name, of_trait, container) = (place("name"), place("trait"), place("container"));
            Some(Grammar { language, query, kinds, name, of_trait, container })
        });
        ready.as_ref()
    }
}

const JAVASCRIPT: &str = concat!(include_str!("queries/ecmascript.scm"), include_str!("queries/javascript.scm"));
const TYPESCRIPT: &str = concat!(include_str!("queries/ecmascript.scm"), include_str!("queries/typescript.scm"));
const CPP: &str = concat!(include_str!("queries/c.scm"), include_str!("queries/cpp.scm"));

const COUNT: usize = if cfg!(feature = "more-languages") { 17 } else { 13 };

pub(super) static ROWS: [Row; COUNT] = [
    Row::of("Rust", &["rs"], &[], tree_sitter_rust::LANGUAGE, include_str!("queries/rust.scm")),
    Row::of(
        "Python",
        &["py", "pyi", "pyw"],
        &["python", "python3", "pypy3"],
        tree_sitter_python::LANGUAGE,
        include_str!("queries/python.scm"),
    ),
    Row::of("JavaScript", &["js", "jsx", "mjs", "cjs"], &["node"], tree_sitter_javascript::LANGUAGE, JAVASCRIPT),
    Row::of("TypeScript", &["ts", "mts", "cts"], &["deno"], tree_sitter_typescript::LANGUAGE_TYPESCRIPT, TYPESCRIPT),
    Row::of("TSX", &["tsx"], &[], tree_sitter_typescript::LANGUAGE_TSX, TYPESCRIPT),
    Row::of("Go", &["go"], &[], tree_sitter_go::LANGUAGE, include_str!("queries/go.scm")),
    Row::of("Java", &["java"], &[], tree_sitter_java::LANGUAGE, include_str!("queries/java.scm")),
    Row::of("C", &["c", "h"], &[], tree_sitter_c::LANGUAGE, include_str!("queries/c.scm")),
    Row::of(
        "C++",
        &["cc", "cpp", "cxx", "c++", "hh", "hpp", "hxx", "h++", "ipp", "tpp", "inl"],
        &[],
        tree_sitter_cpp::LANGUAGE,
        CPP,
    ),
    Row::of(
        "Ruby",
        &["rb", "rake", "gemspec", "ru"],
        &["ruby"],
        tree_sitter_ruby::LANGUAGE,
        include_str!("queries/ruby.scm"),
    ),
    Row::of("PHP", &["php", "phtml"], &["php"], tree_sitter_php::LANGUAGE_PHP, include_str!("queries/php.scm")),
    Row::of(
        "Bash",
        &["sh", "bash", "bats", "ksh"],
        &["sh", "bash", "dash", "ksh"],
        tree_sitter_bash::LANGUAGE,
        include_str!("queries/bash.scm"),
    ),
    Row::of("Lua", &["lua"], &["lua", "luajit"], tree_sitter_lua::LANGUAGE, include_str!("queries/lua.scm")),
    #[cfg(feature = "more-languages")]
    Row::of("C#", &["cs", "csx"], &[], tree_sitter_c_sharp::LANGUAGE, include_str!("queries/csharp.scm")),
    #[cfg(feature = "more-languages")]
    Row::of("Swift", &["swift"], &["swift"], tree_sitter_swift::LANGUAGE, include_str!("queries/swift.scm")),
    #[cfg(feature = "more-languages")]
    Row::of(
        "Scala",
        &["scala", "sc", "sbt"],
        &["scala"],
        tree_sitter_scala::LANGUAGE,
        include_str!("queries/scala.scm"),
    ),
    #[cfg(feature = "more-languages")]
    Row::of("Kotlin", &["kt", "kts"], &["kotlin"], tree_sitter_kotlin_ng::LANGUAGE, include_str!("queries/kotlin.scm")),
];

/// The name of the language of a text, for people, where there is an outline for it.
pub fn language_name(path: &str, text: &str) -> Option<&'static str> {
    language_of(path, text).map(|language| match language {
        Language::Markdown => "Markdown",
        Language::Parsed(row) => row.name,
    })
}

/// The language of a text: by the extension of its path or, where it has none, by the interpreter in its first line.
pub(super) fn language_of(path: &str, text: &str) -> Option<Language> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((stem, extension)) = name.rsplit_once('.') else { return by_first_line(text).map(Language::Parsed) };
    if stem.is_empty() {
        return None;
    }
    let extension = extension.to_ascii_lowercase();
    if matches!(extension.as_str(), "md" | "markdown") {
        return Some(Language::Markdown);
    }
    let extension = match extension.as_str() {
        "h" if is_cpp(text) => "hpp",
        extension => extension,
    };
    ROWS.iter().find(|row| row.extensions.contains(&extension)).map(Language::Parsed)
}

/// Whether a header is seen to be in C++ by how some line of its beginning begins.
fn is_cpp(text: &str) -> bool {
    const LOOKED_AT: usize = 1_000;
    const MARKS: [&str; 8] =
        ["namespace ", "class ", "template", "using ", "public:", "private:", "protected:", "constexpr "];
    text.lines().take(LOOKED_AT).any(|line| MARKS.iter().any(|mark| line.trim_start().starts_with(mark)))
}

fn by_first_line(text: &str) -> Option<&'static Row> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split_ascii_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    let first = words.next()?;
    let program =
        if first == "env" { words.find(|word| !word.starts_with('-') && !word.contains('='))? } else { first };
    ROWS.iter().find(|row| row.interpreters.contains(&program))
}
