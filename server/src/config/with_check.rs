//! A check written into the text of a settings file.

use std::fmt::Write;

use toml::Value;

use super::check::Check;
use super::load::load;
use super::sources::{Sources, TomlFile, WORKSPACE_FILE};

/// The text of the workspace's file with a check appended, its name and command; everything else stays as it is.
///
/// # Errors
/// When the text is faulty, also with the check: then it sets a check of this name, or a list of them in one line.
pub fn with_check(text: &str, check: &Check) -> Result<String, String> {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut new = text.to_owned();
    let body = text.trim_start_matches('\u{feff}');
    if !body.is_empty() {
        new.push_str(if body.ends_with('\n') { "" } else { end });
        new.push_str(end);
    }
    let quoted = |text: &str| Value::from(text).to_string();
    // Writing to a String cannot fail.
    let _ = write!(new, "[[checks]]{end}name = {}{end}command = {}{end}", quoted(&check.name), quoted(&check.command));
    let workspace = Some(TomlFile { name: WORKSPACE_FILE.to_owned(), text: new.clone() });
    let loaded = load(&Sources { workspace, ..Sources::default() }).map_err(|errors| errors.to_string())?;
    match loaded.settings.checks.last() {
        Some(last) if last == check => Ok(new),
        _ => Err("the check would not be read as it was written".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended(text: &str) -> String {
        with_check(text, &Check::of_workspace("test", "cargo test")).unwrap()
    }

    #[test]
    fn a_check_is_appended_and_all_else_stays() {
        let check = "[[checks]]\nname = \"test\"\ncommand = \"cargo test\"\n";
        assert_eq!(appended(""), check);
        assert_eq!(appended("# mine\nbudget_usd = 1"), format!("# mine\nbudget_usd = 1\n\n{check}"));
        assert_eq!(
            appended("[models] # x\nfast = \"a:b\"\n".replace("a:b", "openai:b").as_str()).lines().nth(3),
            Some("[[checks]]")
        );
        assert_eq!(appended("\u{feff}"), format!("\u{feff}{check}"));
        let crlf = appended("budget_usd = 1\r\n");
        assert_eq!(crlf, format!("budget_usd = 1\r\n\r\n{}", check.replace('\n', "\r\n")));
        let other = "[[checks]]\nname = \"lint\"\ncommand = \"l\"\ntry = false\n";
        assert_eq!(appended(other), format!("{other}\n{check}"));
    }

    #[test]
    fn whatever_a_command_holds_is_read_as_it_was() {
        for command in
            ["a \"b\" 'c' \\ d", "é\u{1F600}", "x\ny", "'''\"\"\"'''", "julia -e 'using Pkg'", "# no comment"]
        {
            let check = Check::of_workspace("test", command);
            assert!(with_check("budget_usd = 1\n", &check).is_ok(), "{command}");
        }
    }

    #[test]
    fn what_cannot_be_appended_to_is_refused() {
        let check = Check::of_workspace("test", "cargo test");
        for (text, expected) in [
            ("checks = []\n", "this is not TOML"),
            ("[[checks]]\nname = \"test\"\ncommand = \"x\"\n", "a second time"),
            ("budget_usd = [\n", "this is not TOML"),
            ("budget = 1\n", "not a setting"),
        ] {
            let error = with_check(text, &check).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
