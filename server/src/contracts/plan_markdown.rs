use std::fmt::Write;

use super::gate_facts::GateFacts;
use super::plan::PlanOutput;
use crate::text::{self, safe_line};

/// The plan as people read it: what to look at first, approach, risks, each task with its files and criteria, the order.
///
/// Everything in it came from a model or a file, so it is made safe to show.
pub fn plan_markdown(plan: &PlanOutput, task: &str, facts: &GateFacts) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = render(&mut out, plan, task, facts);
    format!("{}\n", text::safe_lines(&out))
}

/// Protected and flagged files, questions, the estimate; nothing where there is none of them.
fn before_approving(out: &mut String, facts: &GateFacts) -> std::fmt::Result {
    if *facts == GateFacts::default() {
        return Ok(());
    }
    writeln!(out, "## Before you approve\n")?;
    for file in &facts.protected {
        let what = match file.never {
            true => "**never written**, also if you approve this plan",
            false => "**protected**, written only if you approve this very plan",
        };
        writeln!(out, "- {what}: `{}` ({})", file.path, file.task)?;
    }
    for file in &facts.flagged {
        writeln!(out, "- **{}**: `{}` ({})", safe_line(&file.reason), file.path, file.task)?;
    }
    for question in &facts.questions {
        writeln!(out, "- **question**: {}", safe_line(question))?;
    }
    if let Some(estimate) = &facts.estimate {
        writeln!(out, "- to implement and review: {}", estimate.words())?;
    }
    writeln!(out)
}

fn render(out: &mut String, plan: &PlanOutput, task: &str, facts: &GateFacts) -> std::fmt::Result {
    writeln!(out, "# Plan, version {}\n", plan.plan_version)?;
    if !task.trim().is_empty() {
        for line in task.trim().lines() {
            writeln!(out, "> {line}")?;
        }
        writeln!(out)?;
    }
    before_approving(out, facts)?;
    writeln!(out, "{}\n", plan.approach_summary.trim())?;
    if !plan.risks.is_empty() {
        writeln!(out, "## Risks\n")?;
        for risk in &plan.risks {
            writeln!(out, "- {}", safe_line(risk))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "## Tasks")?;
    for task in &plan.tasks {
        writeln!(out, "\n### {} · {} · `{}`\n", task.id, safe_line(&task.title), task.estimated_complexity.as_str())?;
        writeln!(out, "{}\n", task.description.trim())?;
        for (verb, files) in
            [("modify", &task.files_to_modify), ("create", &task.files_to_create), ("delete", &task.files_to_delete)]
        {
            for file in files {
                writeln!(out, "- {verb} `{file}`")?;
            }
        }
        if !task.depends_on.is_empty() {
            writeln!(out, "- after {}", task.depends_on.join(", "))?;
        }
        if !task.acceptance_criteria.is_empty() {
            writeln!(out, "\nDone when:\n")?;
            for criterion in &task.acceptance_criteria {
                writeln!(out, "- {}", safe_line(criterion))?;
            }
        }
    }
    writeln!(out, "\n## Order\n")?;
    for (index, group) in plan.parallel_groups.iter().enumerate() {
        writeln!(out, "{}. {}", index + 1, group.join(", "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::gate_facts::{Estimate, FlaggedFile, ProtectedFile, Spending};
    use super::*;

    #[test]
    fn what_a_plan_touches_and_costs_stands_before_its_approach() {
        let plan: PlanOutput = serde_json::from_value(serde_json::json!({
            "plan_version": 1, "approach_summary": "Do it.", "risks": [], "tasks": [], "parallel_groups": []
        }))
        .unwrap();
        assert!(!plan_markdown(&plan, "", &GateFacts::default()).contains("Before you approve"));
        let spending = |usd, tokens| Spending { usd, tokens };
        let estimate = Estimate {
            low: spending(Some(0.004), 1_000),
            high: spending(Some(0.4), 9_000),
            ceiling: spending(Some(4.96), 50_000),
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
        };
        let text = plan_markdown(&plan, "Say it", &facts);
        let expected = "> Say it\n\n## Before you approve\n\n- **protected**, written only if you approve this very plan: \
                        `.npmrc` (T1)\n- **never written**, also if you approve this plan: `.git/hooks/x` (T1)\n- **runs code when you build**: `build.rs` (T2)\n- **question**: Which name?\n- to \
                        implement and review: about <$0.01 to $0.40, at most $4.96\n\nDo it.\n";
        assert!(text.contains(expected), "{text}");
        let unpriced = Estimate { low: spending(None, 1_000), high: spending(None, 9_000), ..estimate };
        assert_eq!(unpriced.words(), "about 1k to 9k tokens; the models' prices are not known");
    }
}
