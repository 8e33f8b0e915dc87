/** From the workflows that ran in a folder to the rows that are shown of them. Nothing here needs VS Code. */

import { cost, count, oneLine, stateIcon, stateWords } from "./present";
import type { Outcome, PastWorkflow } from "./protocol";

/** What can be done with a workflow of the past. */
export type PastAction = "changes" | "undo" | "bring_back" | "log";

export interface PastRow {
  label: string;
  description: string;
  detail: string;
}

/** Its task, how it ended, when, how many files and for how much. */
export function pastRow(past: PastWorkflow, when: (at: string) => string): PastRow {
  const { task, outcome, files, usage, current } = past;
  const [icon] = stateIcon(outcomeState(outcome));
  return {
    label: `$(${icon}) ${task === "" ? past.workflow : oneLine(task, 100)}`,
    description: [current ? "at hand" : "", outcomeWords(outcome)].filter((part) => part !== "").join(" · "),
    detail: [when(past.at), count(files, "file"), cost(usage ?? undefined)].filter((part) => part !== "").join(" · "),
  };
}

/** How a workflow ended, for people. */
export function outcomeWords(outcome: Outcome | null): string {
  switch (outcome) {
    case null:
      return "not ended";
    case "merged":
      return "approved";
    case "rolled_back":
      return "undone";
    case "escalated":
      return "needs you";
    default:
      return stateWords(outcome);
  }
}

function outcomeState(outcome: Outcome | null): string {
  switch (outcome) {
    case null:
      return "pending";
    case "merged":
      return "done";
    case "rolled_back":
      return "dismissed";
    case "escalated":
      return "partial";
    default:
      return outcome;
  }
}

/** What can be done with it, the harmless first. */
export function pastActions(past: PastWorkflow, canShowChanges: boolean): PastAction[] {
  return [
    ...(past.current && canShowChanges ? (["changes"] as const) : []),
    ...(past.runs.length > 0 ? (["log"] as const) : []),
    ...(past.can_undo ? (["undo"] as const) : []),
    ...(past.can_bring_back ? (["bring_back"] as const) : []),
  ];
}
