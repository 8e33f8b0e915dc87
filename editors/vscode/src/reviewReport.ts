/** A review against a commit, as it is told to a model and to people. Nothing here needs VS Code. */

import { placeOf } from "./present";
import type { Doctor, Issue, PhaseEvent, Status } from "./protocol";

/** The answer of the tool `baton_review`, as JSON. */
export interface ReviewReport {
  /** What was asked for. */
  base: string;
  /** The commit that it was compared with. */
  commit?: string;
  /** Absent where nothing differs. */
  verdict?: "approved" | "changes_requested" | "rejected";
  summary: string;
  issues: ReportedIssue[];
}

interface ReportedIssue {
  /** `src/a.rs:12`. */
  place: string;
  file: string;
  /** From 1; absent where no place in the code was found. */
  line?: number;
  severity: Issue["severity"];
  description: string;
  suggested_fix?: string;
  id: string;
}

/** What a review came to, by the status after it and its last event. */
export function reviewReport(base: string, status: Status | null, end: PhaseEvent): ReviewReport {
  const review = status?.base_review;
  const issues = reviewed(status);
  return {
    base,
    ...(review?.base == null ? {} : { commit: review.base }),
    ...(review === undefined ? {} : { verdict: review.verdict }),
    summary: review?.summary ?? end.message,
    issues: issues.map((issue) => ({
      place: placeOf(issue),
      file: issue.file,
      ...(issue.placed === false ? {} : { line: issue.line }),
      severity: issue.severity,
      description: issue.description,
      ...(issue.suggested_fix == null ? {} : { suggested_fix: issue.suggested_fix }),
      id: issue.id,
    })),
  };
}

/** The open issues of the review against a commit. */
export function reviewed(status: Status | null): Issue[] {
  const isOpen = ({ base, state }: Issue): boolean => base != null && (state === "new" || state === "open");
  return (status?.issues ?? []).filter(isOpen);
}

/** Why no review can be started now; undefined where one can. */
export function whyNot(status: Status | null, run: string | null): string | undefined {
  const isAtWork = run !== null || ["running", "waiting_for_save", "waiting_for_network"].includes(status?.state ?? "");
  if (!isAtWork) {
    return undefined;
  }
  const headline = status?.headline ?? "";
  const where = headline === "" ? "" : ` (${headline})`;
  return `A run of Baton is at work in this folder${where}, and only one can be. Wait for its end, or stop it by "Baton: Cancel"; then ask again.`;
}

/** What a review is done with and may spend, as the server has looked it up. */
export function reviewMeans({ models = [], settings = [] }: Doctor): string {
  const [reviewer, judge] = ["powerful", "balanced"].map((tier) => models.find((model) => model.tier === tier));
  const value = (key: string): string => settings.find((setting) => setting.key === key)?.value ?? "none";
  const parts: string[] = [];
  if (reviewer !== undefined) {
    parts.push(`Reviewer: ${reviewer.id} (${reviewer.account}).`);
  }
  if (judge !== undefined && value("review_validation") === "serious") {
    parts.push(`Serious findings are checked by ${judge.id}.`);
  }
  const [usd, tokens] = [value("budget_usd"), value("budget_tokens")];
  const most = [usd === "none" ? "" : `$${usd}`, tokens === "none" ? "" : `${tokens} tokens`].filter((of) => of !== "");
  parts.push(
    most.length === 0
      ? "Nothing is known of a limit to what it may spend."
      : `It may spend at most ${most.join(" or ")}.`,
  );
  return parts.join(" ");
}
