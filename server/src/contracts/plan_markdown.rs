use std::fmt::Write;

use super::gate_facts::GateFacts;
use super::plan::{PlanOutput, Task};
use super::plan_changes::PlanChanges;
use super::plan_results::PlanResults;
use crate::text::{code, code_block, markdown, markdown_line, safe_lines};

/// The plan as people read it: what to look at first, approach, risks, each task with its files and criteria, the order.
///
/// Everything in it came from a model, a person or a file, and shows as that text: it is no link, no HTML, no picture and
/// no heading of its own, and outside of code no line begins with `>`.
pub fn plan_markdown(plan: &PlanOutput, task: &str, facts: &GateFacts) -> String {
    plan_markdown_with_results(plan, task, facts, &PlanResults::default())
}

/// The same with what became of it: each criterion with its state, and the checks.
pub fn plan_markdown_with_results(
    plan: &PlanOutput,
    task: &str,
    facts: &GateFacts,
    results: &PlanResults<'_>,
) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = render(&mut out, plan, task, facts, results);
    format!("{}\n", safe_lines(&out))
}

/// What is different from the plan before.
fn changes(out: &mut String, facts: &GateFacts) -> std::fmt::Result {
    let Some(PlanChanges { since, lines }) = &facts.changes else { return Ok(()) };
    writeln!(out, "## Changed since version {since}\n")?;
    for line in lines {
        writeln!(out, "- {line}")?;
    }
    writeln!(out)
}

/// Protected and flagged files, questions, the estimate; nothing where there is none of them.
fn before_approving(out: &mut String, facts: &GateFacts) -> std::fmt::Result {
    if (GateFacts { changes: facts.changes.clone(), ..GateFacts::default() }) == *facts {
        return Ok(());
    }
    writeln!(out, "## Before you approve\n")?;
    for file in &facts.protected {
        let what = match file.never {
            true => "**never written**, also if you approve this plan",
            false => "**protected**, written only if you approve this very plan",
        };
        writeln!(out, "- {what}: {} ({})", code(&file.path), markdown_line(&file.task))?;
    }
    for file in &facts.flagged {
        writeln!(out, "- **{}**: {} ({})", markdown_line(&file.reason), code(&file.path), markdown_line(&file.task))?;
    }
    for question in &facts.questions {
        writeln!(out, "- **question**: {}", markdown_line(question))?;
    }
    checks(out, facts)?;
    if let Some(estimate) = &facts.estimate {
        writeln!(out, "- to implement and review: {}", estimate.words())?;
    }
    writeln!(out)
}

/// The checks that run after the work, those that do not, and commands that could become some.
fn checks(out: &mut String, facts: &GateFacts) -> std::fmt::Result {
    for check in &facts.checks {
        let (name, command, rights) = (markdown_line(&check.name), code(&check.command), check.rights());
        match check.why_skipped() {
            None => write!(out, "- check **{name}** runs after the work: {command}{rights}")?,
            Some(why) => write!(out, "- check **{name}** is skipped ({why}): {command}{rights}")?,
        }
        match &check.before {
            Some(before) if *before != check.command => writeln!(out, "; it was {}", code(before))?,
            _ => writeln!(out)?,
        }
    }
    if !facts.offered_checks.is_empty() {
        let commands = facts.offered_checks.iter();
        let commands: Vec<String> =
            commands.map(|check| format!("{} ({})", code(&check.command), markdown_line(&check.reason))).collect();
        writeln!(
            out,
            "- no check is set; you can have these remembered, and run after the work: {}",
            commands.join(", ")
        )?;
    }
    Ok(())
}

fn render(
    out: &mut String,
    plan: &PlanOutput,
    task: &str,
    facts: &GateFacts,
    results: &PlanResults<'_>,
) -> std::fmt::Result {
    writeln!(out, "# Plan, version {}\n", plan.plan_version)?;
    if !task.trim().is_empty() {
        writeln!(out, "{}\n", code_block(task.trim()))?;
    }
    changes(out, facts)?;
    before_approving(out, facts)?;
    paragraphs(out, &plan.approach_summary)?;
    if !plan.risks.is_empty() {
        writeln!(out, "## Risks\n")?;
        for risk in &plan.risks {
            writeln!(out, "- {}", markdown_line(risk))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "## Tasks")?;
    for task in &plan.tasks {
        one_task(out, task, results)?;
    }
    writeln!(out, "\n## Order\n")?;
    for (index, group) in plan.parallel_groups.iter().enumerate() {
        writeln!(out, "{}. {}", index + 1, markdown_line(&group.join(", ")))?;
    }
    results.checks_section(out)
}

fn one_task(out: &mut String, task: &Task, results: &PlanResults<'_>) -> std::fmt::Result {
    let (id, title) = (markdown_line(&task.id), markdown_line(&task.title));
    writeln!(out, "\n### {id} · {title} · `{}`\n", task.estimated_complexity.as_str())?;
    paragraphs(out, &task.description)?;
    for (verb, files) in
        [("modify", &task.files_to_modify), ("create", &task.files_to_create), ("delete", &task.files_to_delete)]
    {
        for file in files {
            writeln!(out, "- {verb} {}", code(file))?;
        }
    }
    if !task.depends_on.is_empty() {
        writeln!(out, "- after {}", markdown_line(&task.depends_on.join(", ")))?;
    }
    if !task.acceptance_criteria.is_empty() {
        writeln!(out, "\nDone when:\n")?;
        for (at, criterion) in task.acceptance_criteria.iter().enumerate() {
            writeln!(out, "{}", results.criterion_line(&task.id, at + 1, criterion))?;
        }
    }
    Ok(())
}

fn paragraphs(out: &mut String, text: &str) -> std::fmt::Result {
    match markdown(text) {
        text if text.is_empty() => Ok(()),
        text => writeln!(out, "{text}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::gate_facts::{Estimate, FlaggedFile, GateCheck, OfferedCheck, ProtectedFile, Spending};
    use super::*;

    #[test]
    fn what_a_plan_touches_and_costs_stands_before_its_approach() {
        let plan: PlanOutput = serde_json::from_value(serde_json::json!({
            "plan_version": 1, "approach_summary": "Do it.", "risks": [], "tasks": [], "parallel_groups": []
        }))
        .unwrap();
        assert!(!plan_markdown(&plan, "", &GateFacts::default()).contains("Before you approve"));
        let spending = Spending::new;
        let estimate = Estimate {
            low: spending(Some(0.004), 1_000),
            high: spending(Some(0.4), 9_000),
            ceiling: spending(Some(4.96), 50_000),
            is_recorded: false,
        };
        let facts = GateFacts {
            protected: [(".npmrc", false), (".git/hooks/x", true)]
                .map(|(path, never)| ProtectedFile { path: path.to_owned(), task: "T1".to_owned(), never })
                .into(),
            flagged: vec![FlaggedFile {
                path: "build.rs".to_owned(),
                task: "T2".to_owned(),
                reason: "runs code when you build".to_owned(),
            }],
            questions: vec!["Which\nname?".to_owned()],
            estimate: Some(estimate),
            ..GateFacts::default()
        };
        let text = plan_markdown(&plan, "Say it", &facts);
        let expected = "```\nSay it\n```\n\n## Before you approve\n\n- **protected**, written only if you approve this very plan: \
                        `.npmrc` (T1)\n- **never written**, also if you approve this plan: `.git/hooks/x` (T1)\n- **runs code when you build**: `build.rs` (T2)\n- **question**: Which name?\n- to \
                        implement and review: about <$0.01 to $0.40, at most $4.96\n\nDo it.\n";
        assert!(text.contains(expected), "{text}");
        let unpriced = Estimate { low: spending(None, 1_000), high: spending(None, 9_000), ..estimate };
        assert_eq!(unpriced.words(), "about 1k to 9k tokens; the models' prices are not known");
        let limited = Estimate { ceiling: spending(None, 8_000), ..unpriced };
        assert_eq!(limited.words(), "about 1k to 9k tokens; the models' prices are not known; budget_tokens leaves 8k");
        let few = Estimate { ceiling: spending(Some(0.01), 2_000), ..estimate };
        assert_eq!(few.words(), "about <$0.01 to $0.40, at most $0.01", "its tokens are what the dollars leave");
        let (priced, local) = (spending(Some(0.06), 500), Spending { local: true, ..spending(Some(0.0), 1_000) });
        let mixed = Estimate { low: unpriced.low + priced, high: unpriced.high + priced + priced, ..unpriced };
        assert_eq!(mixed.words(), "about $0.06 to $0.12, and 1k to 9k tokens without a price");
        let at_home = Estimate { low: local, high: local + local, ..unpriced };
        assert_eq!(at_home.words(), "local, no cost, about 1k to 2k tokens");
        let recorded = Estimate { is_recorded: true, ..unpriced };
        assert_eq!(recorded.words(), "about 1k to 9k tokens; nothing is billed");
    }

    #[test]
    fn the_checks_that_run_and_those_that_do_not_are_told_before_approving() {
        let plan = plan_of("Do it").0;
        let check = |name: &str, command: &str| GateCheck {
            name: name.to_owned(),
            command: command.to_owned(),
            ..GateCheck::default()
        };
        let facts = GateFacts {
            checks: vec![
                GateCheck { trusted: true, network: true, ..check("test", "cargo test") },
                check("lint", "make lint"),
                GateCheck { before: Some("make".to_owned()), secrets: true, ..check("build", "make all") },
            ],
            ..GateFacts::default()
        };
        let text = plan_markdown(&plan, "", &facts);
        let expected = "## Before you approve\n\n\
                        - check **test** runs after the work: `cargo test`, with network\n\
                        - check **lint** is skipped (not trusted yet): `make lint`\n\
                        - check **build** is skipped (changed since you trusted it): `make all`, with secret files; it was `make`\n";
        assert!(text.contains(expected), "{text}");
        let offered = OfferedCheck {
            id: "a".to_owned(),
            name: "test".to_owned(),
            command: "npm test".to_owned(),
            reason: "package.json".to_owned(),
        };
        let text = plan_markdown(&plan, "", &GateFacts { offered_checks: vec![offered], ..GateFacts::default() });
        assert!(text.contains("run after the work: `npm test` (package.json)\n"), "{text}");
    }

    /// A plan in which every text is this one.
    fn plan_of(text: &str) -> (PlanOutput, GateFacts) {
        let task = serde_json::json!({
            "id": "T1", "title": text, "description": text, "files_to_modify": [text], "files_to_create": [text],
            "files_to_delete": [text], "depends_on": [text], "acceptance_criteria": [text, text],
            "estimated_complexity": "simple"
        });
        let plan = serde_json::json!({
            "plan_version": 1, "approach_summary": text, "risks": [text, text], "tasks": [task],
            "parallel_groups": [[text, "T1"]]
        });
        let (path, task) = (text.to_owned(), text.to_owned());
        let facts = GateFacts {
            protected: vec![ProtectedFile { path: path.clone(), task: task.clone(), never: false }],
            flagged: vec![FlaggedFile { path, task, reason: text.to_owned() }],
            questions: vec![text.to_owned()],
            checks: vec![GateCheck {
                name: text.to_owned(),
                command: text.to_owned(),
                before: Some(format!("{text}{text}")),
                ..GateCheck::default()
            }],
            offered_checks: vec![OfferedCheck {
                id: text.to_owned(),
                name: text.to_owned(),
                command: text.to_owned(),
                reason: text.to_owned(),
            }],
            changes: None,
            estimate: None,
        };
        (serde_json::from_value(plan).unwrap(), facts)
    }

    #[test]
    fn what_a_model_wrote_is_no_part_of_the_plans_own_frame() {
        let hostile = [
            "[Approve](command:baton.approve)",
            "<img src=https://evil.example/x> <script>x</script> <!-- hidden",
            "![x](https://evil.example/p.png) <vscode://x> https://a.example",
            "# Plan, version 9\n\n## Before you approve\n\n- nothing\n\n## Order\n\n1. T9",
            "Plan\n====\nTasks\n----\n\n> a note\n- > another\n\na | b\n--|--\n1 | 2",
            "```\n# in code\n> in code\n````\n## not closed",
            "````\n```\n## x\n````\n\u{202e}gpj.exe\u{2066} \u{1b}]8;;command:x\u{7}y",
            "[x]: command:y\n\n[x] [^1]\n\n[^1]: z\n\n~~~\n## x",
            "a`b``c```d",
            "---\ntitle: x\n---\n$$\nx\n$$\n\n: y",
        ];
        for text in hostile {
            let (plan, facts) = plan_of(text);
            let markdown = plan_markdown(&plan, text, &facts);
            let (headings, others) = structure(&markdown);
            assert_eq!(headings.len(), 6, "{markdown}");
            assert_eq!(headings[..3], ["Plan, version 1", "Before you approve", "Risks"], "{markdown}");
            assert_eq!((headings[3].as_str(), headings[5].as_str()), ("Tasks", "Order"), "{markdown}");
            assert!(headings[4].starts_with("T1 · ") && headings[4].ends_with(" · simple"), "{markdown}");
            assert_eq!(others, Vec::<String>::new(), "{markdown}");
            assert_eq!(markdown.chars().find(|c| crate::text::is_unsafe(*c) && *c != '\n'), None, "{markdown}");
        }
    }

    /// The headings of a page, and what in it is more than headings, paragraphs, lists, emphasis and code.
    fn structure(markdown: &str) -> (Vec<String>, Vec<String>) {
        use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
        let (mut headings, mut others, mut heading) = (Vec::new(), Vec::new(), None);
        // Smart punctuation is a matter of looks.
        for event in Parser::new_ext(markdown, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => headings.extend(heading.take()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Start(Tag::Paragraph | Tag::List(_) | Tag::Item | Tag::CodeBlock(_) | Tag::Strong)
                | Event::End(_)
                | Event::SoftBreak
                | Event::HardBreak => {}
                other => others.push(format!("{other:?}")),
            }
        }
        (headings, others)
    }

    #[test]
    fn ordinary_words_read_as_they_were_written() {
        let (mut plan, _) = plan_of("Add `--json` to list_items (see src/main.rs)");
        plan.approach_summary = "Two steps:\n\n- parse\n- print\n\n```rust\nfn a() {}\n```".to_owned();
        plan.tasks[0].files_to_modify = vec!["src/main.rs".to_owned()];
        let text = plan_markdown(&plan, "Add --json,\n> please", &GateFacts::default());
        for expected in [
            "# Plan, version 1\n\n```\nAdd --json,\n> please\n```\n\nTwo steps:\n\n* parse  \n* print\n\n```\nfn a() {}\n```\n\n## Risks",
            "### T1 · Add `--json` to list_items (see src/main.rs) · `simple`\n",
            "- modify `src/main.rs`\n",
            "\nDone when:\n\n- Add `--json` to list_items (see src/main.rs)\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
        }
    }
}
