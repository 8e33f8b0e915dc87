//! The checks at the gate: which of them a person lets run, and which commands are remembered as checks.

use crate::contracts::{GateCheck, OfferedCheck};
use crate::text;
use crate::workflow::CheckAnswer;

/// One line for each check: what runs, what is skipped and why, what it was before.
pub(in crate::cli) fn check_lines(checks: &[GateCheck], width: usize) -> Vec<String> {
    let line = |check: &GateCheck| {
        let skipped = check.why_skipped().map(|why| format!(" (skipped: {why})")).unwrap_or_default();
        let before = check.before.as_ref().filter(|before| **before != check.command);
        let before = before.map(|before| format!("; it was: {}", text::revealed(before))).unwrap_or_default();
        let text = format!("{}: {}{}{before}{skipped}", check.name, text::revealed(&check.command), check.rights());
        text::paragraph("  - ", &text, width)
    };
    checks.iter().map(line).collect()
}

/// One line for each command that could be a check.
pub(in crate::cli) fn offer_lines(offered: &[OfferedCheck], width: usize) -> Vec<String> {
    let line = |(n, offer): (usize, &OfferedCheck)| {
        let number = if offered.len() > 1 { format!("  {}. ", n + 1) } else { "  - ".to_owned() };
        text::paragraph(&number, &format!("{} ({})", text::revealed(&offer.command), offer.reason), width)
    };
    offered.iter().enumerate().map(line).collect()
}

/// The question about untrusted checks.
pub(in crate::cli) fn trust_question(count: usize) -> String {
    let them = if count == 1 { "it" } else { "them" };
    let checks = text::plural(count, "check");
    let are = if count == 1 { "is" } else { "are" };
    format!("The {checks} of this workspace {are} not trusted yet: let {them} run? [y/N] > ")
}

/// The question about commands that could be checks.
pub(in crate::cli) fn offer_question(count: usize) -> &'static str {
    if count == 1 {
        "Remember it as a check in baton.toml, and run it after the work? y: yes; n: no, and don't ask again; Enter: not now > "
    } else {
        "Remember them as checks in baton.toml, and run them after the work? y: all; 1,2: these; n: no, and don't ask \
         again; Enter: not now > "
    }
}

pub(in crate::cli) fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Read an answer to [`offer_question`].
///
/// # Errors
/// What can be answered, for the person.
pub(in crate::cli) fn parse_offer_answer(line: &str, offered: &[OfferedCheck]) -> Result<CheckAnswer, String> {
    let line = text::safe_line(line).to_lowercase();
    let remember = |ids: Vec<String>| CheckAnswer { remember: Some(ids), ..CheckAnswer::default() };
    match line.as_str() {
        "" => Ok(CheckAnswer::default()),
        "y" | "yes" | "all" => Ok(remember(offered.iter().map(|offer| offer.id.clone()).collect())),
        "n" | "no" => Ok(remember(Vec::new())),
        numbers => {
            let named = numbers.split([',', ' ']).filter(|number| !number.is_empty()).map(|number| {
                let at = number.parse::<usize>().ok()?.checked_sub(1)?;
                offered.get(at).map(|offer| offer.id.clone())
            });
            match named.collect::<Option<Vec<String>>>() {
                Some(ids) => Ok(remember(ids)),
                None if offered.len() > 1 => {
                    Err(format!("Type y, n, or numbers from 1 to {}, as in 1,2; then Enter.", offered.len()))
                }
                None => Err("Type y or n; then Enter.".to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(commands: &[&str]) -> Vec<OfferedCheck> {
        let offer = |command: &&str| OfferedCheck {
            id: format!("id of {command}"),
            name: "test".to_owned(),
            command: (*command).to_owned(),
            reason: "package.json".to_owned(),
        };
        commands.iter().map(offer).collect()
    }

    #[test]
    fn an_empty_line_says_nothing_and_a_no_is_kept() {
        let two = offered(&["npm test", "npm run lint"]);
        let remembered = |line: &str| parse_offer_answer(line, &two).map(|answer| answer.remember);
        let ids = |ids: &[&str]| Ok(Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()));
        assert_eq!(remembered(" "), Ok(None));
        assert_eq!(remembered("n"), ids(&[]));
        assert_eq!(remembered("Y"), ids(&["id of npm test", "id of npm run lint"]));
        assert_eq!(remembered("2"), ids(&["id of npm run lint"]));
        for odd in ["3", "0", "a", "1,x", "-1"] {
            assert!(remembered(odd).unwrap_err().contains("1 to 2"), "{odd}");
        }
        assert!(parse_offer_answer("maybe", &two[..1]).unwrap_err().starts_with("Type y or n"));
    }

    #[test]
    fn nothing_a_check_says_drives_the_terminal() {
        let evil = "x\u{1b}[2J\u{7}\r\ny".to_owned();
        let check = GateCheck {
            name: evil.clone(),
            command: evil.clone(),
            before: Some("a\u{1b}".to_owned()),
            ..GateCheck::default()
        };
        let offer = OfferedCheck { id: String::new(), name: evil.clone(), command: evil.clone(), reason: evil };
        for lines in [check_lines(&[check], 40), offer_lines(&[offer], 40)] {
            assert_eq!(lines.concat().chars().find(|c| c.is_control() && *c != '\n'), None, "{lines:?}");
            assert!(lines.concat().contains("x\\u{1b}[2J\\u{7}\\r"), "{lines:?}");
        }
    }
}
