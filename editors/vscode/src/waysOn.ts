/** What can be done now: the server says it, and this table says what this client has for it. Nothing here needs VS Code. */

import { openIssues } from "./present";
import type { State } from "./present";
import type { Outcome, WayOn } from "./protocol";

interface Shown {
  icon: string;
  /** This client's own command, which asks or shows more than the server's would. */
  client?: string;
}

/** By the id of a way on. What is not here has the server's title, and is run by the server's command. */
const KNOWN: Record<string, Shown> = {
  start: { icon: "play", client: "batonClient.runWorkflow" },
  approve: { icon: "check", client: "batonClient.approvePlan" },
  revise: { icon: "comment", client: "batonClient.askForChanges" },
  edit: { icon: "edit", client: "batonClient.editPlan" },
  reject: { icon: "close", client: "batonClient.rejectPlan" },
  cancel: { icon: "debug-stop", client: "batonClient.cancel" },
  resume: { icon: "debug-continue" },
  retry: { icon: "refresh" },
  fix: { icon: "wand" },
  re_plan: { icon: "list-ordered" },
  accept: { icon: "pass" },
  show_changes: { icon: "diff-multiple", client: "batonClient.showChanges" },
  undo: { icon: "discard", client: "batonClient.undoRun" },
  bring_back: { icon: "redo" },
  set_key: { icon: "key", client: "batonClient.setApiKey" },
  allow_more: { icon: "credit-card" },
  trust: { icon: "verified" },
  save: { icon: "save-all" },
  reset: { icon: "clear-all", client: "batonClient.reset" },
};

/** The ways on that a notification leaves to the status menu, for which it has no room. */
const ONLY_IN_THE_MENU: ReadonlySet<string> = new Set(["start", "reset", "cancel"]);

/** An approval with a yes to checks is given where these are shown; by itself the yes is asked for by the server. */
function isOnlyInTheMenu({ id, command }: WayOn): boolean {
  return ONLY_IN_THE_MENU.has(id) || (id === "trust" && command !== "baton.trust");
}

/** Most buttons of a notification. */
const MOST_BUTTONS = 4;

/** Codicon. */
export function wayIcon({ id }: WayOn): string {
  return KNOWN[id]?.icon ?? "arrow-right";
}

/** The command of this client that does it. */
export function clientCommand({ id }: WayOn): string | undefined {
  return KNOWN[id]?.client;
}

/** What can be done now and done from here, in the server's order. */
export function waysOn(state: State): WayOn[] {
  return (state.status?.ways_on ?? []).filter(isForUs);
}

function isForUs(way: WayOn): boolean {
  return way.command !== null || way.id === "save" || clientCommand(way) !== undefined;
}

/** What a button of a notification does. */
export type Button = { title: string } & ({ way: WayOn } | { client: string });

/** What to say and what to offer. */
export interface Notice {
  severity: "information" | "warning" | "error";
  message: string;
  buttons: Button[];
}

/** How a run ended, from its last event. */
export function noticeOfEnd(state: State, outcome: Outcome, message: string, ways: WayOn[]): Notice {
  const hasIssues = openIssues(state).length > 0 && (outcome === "merged" || outcome === "escalated");
  return { severity: severityOf(outcome), message, buttons: buttons(ways, hasIssues ? [OPEN_PROBLEMS] : []) };
}

/**
 * What waits for the user: a plan, or a workflow that did not come to its end. Of a run of this window it is the plan alone,
 * and only where the user does not look at it.
 */
export function noticeOfWaiting({ status, run }: State, isPlanInSight: boolean, isLookedAt = true): Notice | undefined {
  const { state, summary, next, ways_on: ways } = status ?? {};
  const isPlan = state === "gate" || (state === "faulty" && next === "gate");
  const isStopped = state === "interrupted" || state === "cancelled";
  const isTold = run === null ? isPlan || isStopped : state === "gate" && !isLookedAt;
  if (ways === undefined || !isTold) {
    return undefined;
  }
  return {
    severity: state === "gate" ? "information" : "warning",
    message: summary ?? "",
    buttons: buttons(ways, state === "gate" && !isPlanInSight ? [SHOW_PLAN] : []),
  };
}

/** By what a notice of what waits is told apart from another one. */
export function waitingKey({ status }: State): string {
  return [status?.state, status?.run, status?.gate?.plan_sha256].join(" ");
}

const OPEN_PROBLEMS: Button = { title: "Open Problems", client: "workbench.actions.view.problems" };
const SHOW_PLAN: Button = { title: "Show Plan", client: "batonClient.showPlan" };
const MORE: Button = { title: "More…", client: "batonClient.status" };

/** What this client has to look at, then the ways on; looking at the changes comes before all. */
function buttons(ways: WayOn[], own: Button[]): Button[] {
  const offered = ways.filter((way) => isForUs(way) && !isOnlyInTheMenu(way));
  const first = offered.slice(0, offered[0]?.id === "show_changes" ? 1 : 0);
  const ofWay = (way: WayOn): Button => ({ title: way.title, way });
  const all = [...first.map(ofWay), ...own, ...offered.slice(first.length).map(ofWay)];
  return all.length > MOST_BUTTONS ? [...all.slice(0, MOST_BUTTONS - 1), MORE] : all;
}

function severityOf(outcome: Outcome): Notice["severity"] {
  switch (outcome) {
    case "merged":
    case "done":
    case "waiting":
    case "rolled_back":
      return "information";
    case "escalated":
    case "cancelled":
    case "rejected":
      return "warning";
    case "failed":
      return "error";
  }
}
