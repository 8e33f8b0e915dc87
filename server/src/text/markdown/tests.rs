use pulldown_cmark::{Event, Options, Parser, Tag};

use super::*;

/// What a text becomes in one line.
const LINES: &[(&str, &str)] = &[
    ("Add `--json` to list_items; see src/main.rs.", "Add `--json` to list_items; see src/main.rs."),
    ("if a < b && c > d, then 2 * 3", "if a < b && c > d, then 2 * 3"),
    ("It's 100% \"done\": yes! (or not?)", "It's 100% \"done\": yes! (or not?)"),
    ("std::fs::File::open, key:value, -5 apples, 10:30", "std::fs::File::open, key:value, -5 apples, 10:30"),
    ("Vec<u8> and _x_ and **b** and ~~s~~", r"Vec\<u8> and \_x\_ and \*\*b\*\* and \~\~s\~\~"),
    ("[click](command:workbench.action.quit)", r"\[click](`command:workbench.action.quit`)"),
    ("[x](javascript:alert(1)) [y](DATA:text/html,x)", r"\[x](`javascript:alert(1`)) \[y](`DATA:text/html,x`)"),
    ("![x](https://evil.example/p.png)", r"!\[x](`https://evil.example/p.png`)"),
    ("<command:x> <vscode://file/x> <a@b.example>", r"\<`command:x`> \<`vscode://file/x`> \<`a@b.example`>"),
    ("see https://docs.example/a_b, or www.docs.example.", "see `https://docs.example/a_b`, or `www.docs.example`."),
    ("_https://a.example_ //b.example/x file:///etc", r"\_`https://a.example`\_ `//b.example/x` `file:///etc`"),
    ("<a href=x>y</a> <!-- z --> <?p?> &lt; &#x202e; &c", r"\<a href=x>y\</a> \<!-- z --> \<?p?> \&lt; \&#x202e; &c"),
    ("# Title", r"\# Title"),
    ("> quote", r"\> quote"),
    ("- > quote", r"\- > quote"),
    ("1. > quote", r"1\. > quote"),
    ("---", r"\---"),
    ("| a | b |", r"\| a | b |"),
    (":-: | :-:", r"\:-: | :-:"),
    ("===", r"\==="),
    ("~~~ js", r"\~\~\~ js"),
    ("``` js", r"\`\`\` js"),
    ("[x]: https://evil.example", r"\[x]: `https://evil.example`"),
    ("[^1]: note [ ] todo", r"\[\^1]: note \[ ] todo"),
    ("$x$ \\[b\\](c) a\\", r"\$x\$ \\\[b\\](c) a\\"),
    ("a `[b](c)` d `", r"a `[b](c)` d \`"),
    ("`` a ` b `` and ` `", r"`` a ` b `` and \` \`"),
    ("`https://a.example`https://b.example`c`", "`https://a.example` `https://b.example` `c`"),
    ("red\u{1b}[31m \u{202e}txt\nnext\u{2028}line", "red txt next line"),
];

#[test]
fn a_text_in_one_line_stays_that_text() {
    for (text, line) in LINES {
        assert_eq!(markdown_line(text), *line, "{text}");
    }
}

#[test]
fn code_and_lists_stay_what_they_are() {
    let text = "Use this:\n```rust\nif a  {\n    b(\"`````\");\n}\n```\nand  that.\n\n- one\n- two\n1. a\n2) b\n- - c";
    let expected = "Use this:\n\n``````\nif a  {\n    b(\"`````\");\n}\n``````\n\nand that.\n\n* one  \n* two  \n\
                    1. a  \n2) b  \n* * c";
    assert_eq!(markdown(text), expected);
    // An unclosed fence ends with the text; a longer one holds shorter ones.
    assert_eq!(markdown("```\na"), "```\na\n```");
    assert_eq!(markdown("````\n```\n# x\n```\n````\ny"), "````\n```\n# x\n```\n````\n\ny");
    assert_eq!(markdown("a\u{2028}# b\u{85}> c"), "a  \n\\# b  \n\\> c");
    assert_eq!(markdown(" \u{202e} \n"), "");
}

#[test]
fn a_name_is_code_whatever_is_in_it() {
    for (name, expected) in [
        ("src/a.rs", "`src/a.rs`"),
        ("a`b", "``a`b``"),
        ("`a`", "`` `a` ``"),
        ("a\u{202e}b\n", "`a\\u{202e}b\\n`"),
        ("](command:x)", "`](command:x)`"),
    ] {
        assert_eq!(code(name), expected);
    }
    assert_eq!(code_block("a\n````\nb\u{202e}\n# c\n"), "`````\na\n````\nb\n# c\n`````");
}

/// Everything that a reader may take for more than a paragraph, a list or code; each with its name.
fn active(markdown: &str) -> Vec<String> {
    let found = |event: Event<'_>| match event {
        Event::Start(Tag::Paragraph | Tag::List(_) | Tag::Item | Tag::CodeBlock(_)) | Event::End(_) => None,
        Event::Text(_) | Event::Code(_) | Event::SoftBreak | Event::HardBreak => None,
        other => Some(format!("{other:?}")),
    };
    Parser::new_ext(markdown, Options::all()).filter_map(found).collect()
}

/// The text that a reader sees, without white space and backticks.
fn seen(markdown: &str) -> String {
    let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
    let text = Parser::new_ext(markdown, options).filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.into_string()),
        _ => None,
    });
    bare(&text.collect::<String>())
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '`').collect()
}

fn check(text: &str) {
    let line = markdown_line(text);
    // As an item of a list, in a heading, and by itself.
    for around in [format!("- {line}\n"), line.clone()] {
        assert!(active(&around).is_empty(), "{text:?} is {around:?}: {:?}", active(&around));
        let shown = seen(&around);
        let shown = if around.starts_with("- ") && line.is_empty() { String::new() } else { shown };
        assert_eq!(shown, bare(&safe_line(text)), "{text:?} is {around:?}");
    }
    let lines = markdown(text);
    assert!(active(&lines).is_empty(), "{text:?} is {lines:?}: {:?}", active(&lines));
    let mut is_code = None;
    for line in lines.lines() {
        match is_code {
            Some(length) if ends(line, length) => is_code = None,
            None => is_code = fence(line),
            _ => {}
        }
        assert!(is_code.is_some() || !line.starts_with('>'), "{text:?} is {lines:?}");
    }
    for safe in [line, lines] {
        assert_eq!(safe.chars().find(|c| is_unsafe(*c) && *c != '\n'), None, "{safe:?}");
    }
}

/// What hostile texts are made of.
const PARTS: &[&str] = &[
    "a",
    "B",
    "7",
    " ",
    "  ",
    "    ",
    "\n",
    "\n\n",
    "\t",
    "\r",
    "é",
    "\u{202e}",
    "\u{2028}",
    "\u{1b}[2J",
    "\u{0}",
    "`",
    "``",
    "```",
    "```js",
    "~~~",
    "*",
    "**",
    "_",
    "__",
    "#",
    "## ",
    ">",
    "> ",
    "-",
    "- ",
    "--- ",
    "---",
    "+",
    "+ ",
    "+++",
    "=",
    "===",
    "1. ",
    "2) ",
    ".",
    ":",
    ": ",
    ":::",
    "|",
    "|-",
    "-|-",
    ":-:|",
    "<",
    "</",
    "<a>",
    "<!--",
    "-->",
    "<script>",
    "<b onx=y>",
    "<https://a.example>",
    "<x:y>",
    "<a@b.example>",
    "&",
    "&lt;",
    "&#60;",
    "&#x202e;",
    "[",
    "]",
    "[x]",
    "[ ] ",
    "[^1]",
    "[^1]: ",
    "](",
    ")",
    "[x](y)",
    "![",
    "[x]: /y",
    "[[w]]",
    "command:x",
    "(command:x)",
    "javascript:x",
    "https://a.example",
    "http:",
    "//",
    "//a",
    "www.",
    "www.a.example",
    "a@b.example",
    "mailto:a",
    "\\",
    "\\\\",
    "\\[",
    "\\`",
    "$",
    "$$",
    "~",
    "~~",
    "^",
    "{#i}",
    "{.c}",
    "!",
    "'",
    "\"",
    "...",
    "<br>",
    "{{",
    "%",
];

#[test]
fn nothing_of_any_text_becomes_active_and_nothing_of_it_is_lost() {
    for (text, _) in LINES {
        check(text);
    }
    let mut random = fastrand::Rng::with_seed(12);
    for _ in 0..20_000 {
        let length = random.usize(1..14);
        let text: String = (0..length).map(|_| PARTS[random.usize(..PARTS.len())]).collect();
        check(&text);
    }
}
