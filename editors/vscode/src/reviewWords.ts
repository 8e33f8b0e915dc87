/** From what a review came to to what is shown of it. Nothing here needs VS Code. */

import { placeOf } from "./present";
import type { Issue, ReviewStatus, Status } from "./protocol";

/** The judgement in a few words, which begin a line. */
export function verdictWords({ verdict }: ReviewStatus): string {
  switch (verdict) {
    case "approved":
      return "Approved";
    case "changes_requested":
      return "Changes requested";
    case "rejected":
      return "Rejected";
  }
}

/** What follows from it, in a few words. */
export function actionWords({ recommended_action: action }: ReviewStatus): string {
  switch (action) {
    case "merge":
      return "good as it is";
    case "fix_and_re_review":
      return "fix, then review again";
    case "re_plan":
      return "plan again";
    case "escalate_to_human":
      return "needs you";
  }
}

/** The state by which the row of a review gets its icon. */
export function reviewState({ verdict, recommended_action: action }: ReviewStatus): string {
  return verdict === "approved" && action === "merge" ? "passed" : "not_merged";
}

/** All that the review says, as Markdown. */
export function reviewMarkdown(status: Status | null): string {
  const { review, issues = [], tasks = [] } = status ?? {};
  if (review == null) {
    return "# Review\n\nThere is no review.\n";
  }
  const criteria = tasks.flatMap((task) =>
    (task.criteria ?? []).map(({ text, state }) => `- ${task.id}, ${state ?? "not judged"}: ${text}`),
  );
  const parts = [
    "# Review",
    `**${verdictWords(review)}**: ${actionWords(review)}`,
    review.summary,
    ...(review.drift === "" ? [] : ["## Beside the plan", review.drift]),
    ...(issues.length === 0 ? [] : ["## Issues", issues.map(issueLine).join("\n")]),
    ...(criteria.length === 0 ? [] : ["## Acceptance criteria", criteria.join("\n")]),
  ];
  return `${parts.join("\n\n")}\n`;
}

function issueLine(issue: Issue): string {
  const closed = issue.state === "fixed" || issue.state === "dismissed" ? `, ${issue.state}` : "";
  return `- **${issue.severity}${closed}** \`${placeOf(issue)}\`: ${issue.description.split(/\s+/).join(" ")}`;
}
