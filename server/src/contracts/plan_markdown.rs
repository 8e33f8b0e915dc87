use std::fmt::Write;

use super::plan::PlanOutput;

/// The plan as people read it: approach, risks, each task with its files and criteria, the order.
///
/// Everything in it came from a model or a file, so control characters are left out.
pub fn plan_markdown(plan: &PlanOutput, task: &str) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = render(&mut out, plan, task);
    out.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

fn render(out: &mut String, plan: &PlanOutput, task: &str) -> std::fmt::Result {
    writeln!(out, "# Plan, version {}\n", plan.plan_version)?;
    if !task.trim().is_empty() {
        for line in task.trim().lines() {
            writeln!(out, "> {line}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}\n", plan.approach_summary.trim())?;
    if !plan.risks.is_empty() {
        writeln!(out, "## Risks\n")?;
        for risk in &plan.risks {
            writeln!(out, "- {}", one_line(risk))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "## Tasks")?;
    for task in &plan.tasks {
        writeln!(out, "\n### {} · {} · `{}`\n", task.id, one_line(&task.title), task.estimated_complexity.as_str())?;
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
                writeln!(out, "- {}", one_line(criterion))?;
            }
        }
    }
    writeln!(out, "\n## Order\n")?;
    for (index, group) in plan.parallel_groups.iter().enumerate() {
        writeln!(out, "{}. {}", index + 1, group.join(", "))?;
    }
    Ok(())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
