//! The text of a new settings file of a workspace.

use std::fmt::Write;

use super::table::{Scope, settings_table};

const HEAD: &str = "\
# Settings of this workspace for Baton; commit them. Your own file (baton/config.toml in your configuration folder),
# BATON_... variables and flags go before this one, and keys stand in none of them. `baton schema settings` tells what each
# setting takes.
#
# What is commented out is the default.
";

/// The settings that a workspace may have, each with its meaning, commented out at its default; those without one are left
/// out.
pub fn settings_template() -> String {
    let mut text = HEAD.to_owned();
    for setting in settings_table() {
        let may_set = matches!(setting.scope, Scope::All | Scope::UserFor(_) | Scope::Lowers);
        let value = match setting.default {
            "none" => continue,
            number if number.parse::<f64>().is_ok() => number.to_owned(),
            word => toml::Value::from(word).to_string(),
        };
        if may_set {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n# {}\n# {} = {value}\n", setting.doc, setting.key);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::load::load;
    use super::super::sources::{Sources, TomlFile, WORKSPACE_FILE};
    use super::*;

    fn loaded(text: String) -> super::super::load::Loaded {
        let workspace = Some(TomlFile { name: WORKSPACE_FILE.to_owned(), text });
        load(&Sources { workspace, ..Sources::default() }).unwrap()
    }

    #[test]
    fn what_is_commented_out_is_the_default() {
        let template = settings_template();
        assert!(template.lines().all(|line| line.is_empty() || line.starts_with('#')), "{template}");
        let is_value = |line: &&str| line.contains(" = ");
        let values: Vec<&str> = template.lines().filter(is_value).filter_map(|line| line.strip_prefix("# ")).collect();
        assert!(values.contains(&"budget_usd = 5") && values.contains(&"memory_dir = \".agent_memory\""), "{values:?}");
        let set = loaded(values.join("\n"));
        assert!(set.warnings.is_empty(), "{:?}", set.warnings);
        let defaults = loaded(String::new()).settings;
        for (set, default) in [
            (set.settings.budget_usd, defaults.budget_usd),
            (set.settings.context_staleness_hours, defaults.context_staleness_hours),
        ] {
            assert_eq!(format!("{set:?}"), format!("{default:?}"));
        }
        assert_eq!(set.settings.memory_dir, defaults.memory_dir);
        assert_eq!(set.settings.max_parallel_tasks, defaults.max_parallel_tasks);
    }
}
