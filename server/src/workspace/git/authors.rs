//! Which commits say nothing of how people work on a repository: merges, and those that programs make.

use git2::Commit;

use crate::text::count;

/// Names of programs that commit without `[bot]` in their name.
const BOTS: &[&str] = &[
    "allcontributors",
    "bors",
    "dependabot",
    "dependabot-preview",
    "depfu",
    "github-actions",
    "github actions",
    "gitlab-ci",
    "greenkeeper",
    "imgbot",
    "mergify",
    "pre-commit-ci",
    "renovate",
    "rust-bors",
    "snyk-bot",
    "weblate",
];

/// Commits that are left out of a history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Those with more than one parent.
    pub merges: usize,
    /// Those that a program made.
    pub bots: usize,
}

impl PassedOver {
    /// Count a commit, where it is one of these.
    pub(super) fn takes(&mut self, commit: &Commit<'_>) -> bool {
        let author = commit.author();
        let (name, email) = (author.name_bytes(), author.email_bytes());
        if commit.parent_count() > 1 {
            self.merges += 1;
        } else if is_bot(&String::from_utf8_lossy(name), &String::from_utf8_lossy(email)) {
            self.bots += 1;
        } else {
            return false;
        }
        true
    }

    /// `2 merges and 3 commits by bots are left out`; `None` where none is.
    pub fn words(&self) -> Option<String> {
        let merges = (self.merges > 0).then(|| count(self.merges, "merge"));
        let bots = (self.bots > 0)
            .then(|| format!("{} by {}", count(self.bots, "commit"), if self.bots == 1 { "a bot" } else { "bots" }));
        let both: Vec<String> = merges.into_iter().chain(bots).collect();
        let verb = if self.merges + self.bots == 1 { "is" } else { "are" };
        (!both.is_empty()).then(|| format!("{} {verb} left out", both.join(" and ")))
    }
}

fn is_bot(name: &str, email: &str) -> bool {
    let (name, email) = (name.trim().to_lowercase(), email.to_lowercase());
    let name_before_host = email.split('@').next().unwrap_or_default();
    name.contains("[bot]")
        || name_before_host.ends_with("[bot]")
        || BOTS.contains(&name.as_str())
        || ["-bot", " bot", "_bot"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_are_known_by_name_or_address() {
        for (name, email) in [
            ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.example.org"),
            ("Renovate", "x@example.org"),
            ("github-actions", "x@example.org"),
            ("release-bot", "x@example.org"),
            ("The app", "12+app[bot]@example.org"),
        ] {
            assert!(is_bot(name, email), "{name}");
        }
        for (name, email) in [("Ada Talbot", "talbot@example.org"), ("Robot Lover", "r@bot.example.org"), ("", "")] {
            assert!(!is_bot(name, email), "{name}");
        }
    }

    #[test]
    fn what_is_left_out_is_counted_in_words() {
        assert_eq!(PassedOver::default().words(), None);
        assert_eq!(PassedOver { merges: 1, bots: 0 }.words().as_deref(), Some("1 merge is left out"));
        let both = PassedOver { merges: 2, bots: 1 };
        assert_eq!(both.words().as_deref(), Some("2 merges and 1 commit by a bot are left out"));
    }
}
