/** From where a workflow stands to what is shown of it. Nothing here needs VS Code. */

import type {
  ChangedFile,
  CheckStatus,
  Gate,
  GateStatus,
  Issue,
  PhaseEvent,
  PhaseName,
  PhaseStatus,
  ReviewStatus,
  Severity,
  Status,
  TaskStatus,
  Usage,
  WorkflowState,
} from "./protocol";

/** All that is known of the workflow of one folder. */
export interface State {
  /** The server has said where it stands, since this window was opened. */
  isKnown: boolean;
  status: Status | null;
  /** The run that this window's server has at work. */
  run: string | null;
  /** The gate of the run's waiting event. */
  gate: Gate | null;
  lastMessage: string;
  /** The server's commands. */
  commands: readonly string[];
  /** What is changed by hunks, without the texts; empty where the server knows no hunks. */
  changes: readonly ChangedFile[];
  /** The files of these that have something to keep, by their whole paths. */
  openPaths: readonly string[];
}

export const nothing: State = {
  isKnown: false,
  status: null,
  run: null,
  gate: null,
  lastMessage: "",
  commands: [],
  changes: [],
  openPaths: [],
};

/** What an event makes of the state. The status is asked for anew; an event says only what cannot wait for that. */
export function afterEvent(state: State, event: PhaseEvent): State {
  const isGate = event.phase === "plan" && event.status === "waiting";
  return {
    ...state,
    run: isEnd(event) ? null : event.run,
    gate: isGate ? (event.gate ?? null) : event.task === undefined ? null : state.gate,
    lastMessage: event.message,
  };
}

/** The last event of a run. */
export function isEnd(event: PhaseEvent): boolean {
  return event.phase === "workflow" && event.task === undefined && !["started", "progress"].includes(event.status);
}

/**
 * What a new status makes of the state. A gate that the status does not know any more was answered, unless the status was
 * asked for before the latest event.
 */
export function afterStatus(state: State, status: Status | null, isLatest = true): State {
  const isAsked = !isLatest || status?.gate?.plan_sha256 === state.gate?.plan_sha256;
  return { ...state, isKnown: true, status, gate: isAsked ? state.gate : null };
}

/** The plan that waits for an answer. */
export function openGate(state: State): Gate | GateStatus | null {
  return state.gate ?? state.status?.gate ?? null;
}

export function openIssues(state: State): Issue[] {
  return (state.status?.issues ?? []).filter((issue) => issue.state === "new" || issue.state === "open");
}

/** The checks that do not pass and left a log. */
export function failedChecks(state: State): CheckStatus[] {
  return (state.status?.checks ?? []).filter(hasLogToRead);
}

/** Whether a check does not pass, and its log says why. */
export function hasLogToRead({ state, file }: CheckStatus): boolean {
  return state !== "passed" && state !== "skipped" && file !== null;
}

/** The workflow can go on from where it stands; one that is undone can where its plan waits again. */
export function isUnfinished(state: State): boolean {
  const { status } = state;
  const over: readonly (string | null | undefined)[] = ["merged", "rejected", "rolled_back"];
  const isOver = over.includes(status?.state) || over.includes(status?.outcome);
  return status?.task != null && (!isOver || can(state, "approve"));
}

/** The server says that this can be done. One that does not say what can be done refuses what cannot. */
function can(state: State, id: string): boolean {
  const { status } = state;
  const ways = status?.ways_on;
  if (ways !== undefined) {
    return ways.some((way) => way.id === id);
  }
  return ANSWERS.includes(id) ? openGate(state) !== null : status?.task != null && id !== "cancel";
}

const ANSWERS: readonly string[] = ["approve", "revise", "edit", "reject"];

/**
 * Which commands make sense: the context keys that `when` and `enablement` clauses name. With several folders, a command
 * makes sense where it does in one of them.
 */
export function contextKeys(...states: State[]): Record<string, boolean | string[]> {
  const some = (is: (state: State) => boolean): boolean => states.some(is);
  const isIdle = ({ run }: State): boolean => run === null;
  const has = (id: string): boolean => some((state) => can(state, id));
  const openPaths = states.flatMap((state) => state.openPaths);
  return {
    // These two before anything is known, and so before this extension is started, let a first run begin.
    "baton.busy": states.length > 0 && !some(isIdle),
    "baton.occupied": states.length > 0 && !some((state) => isIdle(state) && openGate(state) === null),
    "baton.workflow": some((state) => isIdle(state) && state.status?.task != null),
    "baton.tasks": some((state) => isIdle(state) && (state.status?.tasks.length ?? 0) > 0),
    "baton.plan": some(hasPlan),
    "baton.issues": some((state) => openIssues(state).length > 0),
    "baton.failed_checks": some((state) => failedChecks(state).length > 0),
    "baton.fixable": some((state) => isIdle(state) && openIssues(state).length > 0),
    "baton.can_approve": has("approve"),
    "baton.can_revise": has("revise"),
    "baton.has_notes": some(({ status }) => (status?.notes?.length ?? 0) > 0),
    "baton.has_previous_plan": some((state) => openGate(state)?.previous?.plan_md != null),
    "baton.can_edit": has("edit"),
    "baton.can_reject": has("reject"),
    "baton.can_cancel": has("cancel") || some(({ run }) => run !== null),
    "baton.can_show_changes": has("show_changes"),
    "baton.can_undo": has("undo"),
    "baton.can_bring_back": has("bring_back"),
    "baton.has_hunks": openPaths.length > 0,
    // For `resourcePath in`.
    "baton.changed_files": openPaths.length > 0 && openPaths,
    "baton.has_log": some(({ commands, status }) => commands.includes("baton.log") && status?.run != null),
    "baton.has_history": some(({ commands }) => commands.includes("baton.history")),
    "baton.has_review": some(({ status }) => status?.review != null),
  };
}

/** There is a plan to look at. */
export function hasPlan(state: State): boolean {
  return openGate(state) !== null || (state.status?.tasks.length ?? 0) > 0;
}

export interface StatusLine {
  text: string;
  tooltip: string;
  emphasis: "none" | "warning" | "error";
}

/** `name` is who speaks: with several folders it names the folder. */
export function statusLine(state: State, name = "Baton"): StatusLine {
  const { status, run } = state;
  if (run !== null && (status === null || (status.state !== undefined && !LIVE.includes(status.state)))) {
    // It has just begun, and the server was not asked since.
    return { text: `$(sync~spin) ${name}`, tooltip: state.lastMessage, emphasis: "none" };
  }
  if (status === null || status.state === "fresh") {
    const tooltip = status?.summary ?? "Baton: no workflow here yet";
    return { text: `$(run-all) ${name}`, tooltip, emphasis: "none" };
  }
  // An older server has no such word.
  const [icon, emphasis] = standing(status.state ?? (openGate(state) === null ? undefined : "gate"));
  const parts = [headline(status), costs(status)].filter((part) => part !== "");
  const tooltip = [status.task ?? "", summary(state)].filter((line) => line !== "").join("\n");
  return { text: `$(${icon}) ${name}: ${parts.join(" · ")}`, tooltip, emphasis };
}

/** What a screen reader says of it: the words without icons, and those of the tooltip. */
export function spoken({ text, tooltip }: { text: string; tooltip: string }): string {
  const words = [text.replaceAll(/\$\([^)]*\) ?/g, ""), ...tooltip.split("\n")];
  return words.filter((part) => part !== "").join(". ");
}

/** Where a workflow stands while a run is at work. */
const LIVE: readonly WorkflowState[] = ["running", "waiting_for_save", "waiting_for_network", "gate", "faulty"];

/** Where the workflow stands, in a few words. */
export function headline(status: Status): string {
  return status.headline ?? status.outcome ?? (status.gate === null ? status.next : "plan waits for you");
}

/** Where the workflow stands, in a sentence or two; of a run at work, what it does. */
export function summary({ status, run, lastMessage }: State): string {
  const isAtWork = run !== null && status?.state === "running";
  return (isAtWork && lastMessage !== "" ? lastMessage : status?.summary) ?? "";
}

/** Codicon and emphasis of where a workflow stands. */
function standing(state: WorkflowState | undefined): [icon: string, emphasis: StatusLine["emphasis"]] {
  switch (state) {
    case "running":
      return ["sync~spin", "none"];
    case "waiting_for_save":
      return ["save", "warning"];
    case "waiting_for_network":
      return ["debug-disconnect", "warning"];
    case "gate":
      return ["bell-dot", "warning"];
    case "faulty":
    case "failed":
      return ["error", "error"];
    case "escalated":
      return ["person", "warning"];
    case "merged":
      return ["check", "none"];
    case "rolled_back":
      return ["discard", "none"];
    case "rejected":
      return ["circle-slash", "none"];
    case "interrupted":
    case "cancelled":
    case "paused":
      return ["debug-pause", "none"];
    case "fresh":
    case "ready":
    case undefined:
      return ["run-all", "none"];
  }
}

/** What the workflow has used, and what of it the last run did, where that is another sum. */
export function costs({ usage, run_usage }: { usage?: Usage; run_usage?: Usage }): string {
  const [all, run] = [cost(usage), cost(run_usage)];
  return run === "" || run === all ? all : `${all} in all, ${run} in the last run`;
}

/** "$0.12", or tokens where a model has no price or costs nothing, or nothing before the first turn. */
export function cost(usage: Usage | undefined): string {
  if (usage === undefined) {
    return "";
  }
  const tokens = usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens + usage.output_tokens;
  if (tokens === 0) {
    return "";
  }
  const about = usage.estimated === true ? "about " : "";
  const usd = usage.cost_usd ?? usage.priced_usd ?? 0;
  const unpriced = usage.cost_usd === null ? (usage.unpriced_tokens ?? tokens) : 0;
  if (usd > 0) {
    return `${about}${dollars(usd)}${unpriced > 0 ? ` and ${thousands(unpriced)} tokens without a price` : ""}`;
  }
  const told = `${about}${thousands(tokens)} tokens`;
  return unpriced > 0 ? told : `${told}, ${noCost(usage)}`;
}

/** What is said of something without a price to pay. */
export function noCost(of: { local?: boolean }): string {
  return of.local === true ? "local, no cost" : "no cost";
}

/** Small sums with a digit that says something. */
export function dollars(usd: number): string {
  return usd > 0 && usd < 0.01 ? `$${usd.toPrecision(1)}` : `$${usd.toFixed(2)}`;
}

export function thousands(tokens: number): string {
  return tokens < 1000 ? String(tokens) : `${(tokens / 1000).toFixed(tokens < 10_000 ? 1 : 0)}k`;
}

export function count(n: number, noun: string): string {
  return `${String(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** One line of at most so many characters. */
export function oneLine(text: string, most = 80): string {
  const line = text.split(/\s+/).join(" ").trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}

/** Where an issue stands: `src/a.rs:12`. */
export function placeOf({ file, line, placed }: Issue): string {
  return placed === false ? `${file} (no place in the code was found)` : `${file}:${String(line)}`;
}

/** Worst first. */
export const severities: readonly Severity[] = ["critical", "major", "minor", "suggestion"];

function worstFirst(a: Issue, b: Issue): number {
  const rank = (issue: Issue): number =>
    issue.state === "fixed" || issue.state === "dismissed" ? severities.length : severities.indexOf(issue.severity);
  return rank(a) - rank(b);
}

/** A phase's name as a title: `code-style` becomes "Code style". */
export function phaseTitle(phase: PhaseName): string {
  const words = phase.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The word for where a phase stands: a plan that was rejected and a review that asks for more are not done. */
export function phaseState({ phase, status }: PhaseStatus, of: Status | null): string {
  if (phase === "plan" && of?.state === "rejected") {
    return "rejected";
  }
  const asksForMore = of?.state === "escalated" || of?.next === "fix" || of?.next === "re_plan";
  return phase === "review" && status === "done" && asksForMore ? "not_merged" : status;
}

/** What a phase is at and how long it took. One with tasks has rows that say what they are at. */
export function phaseWords(row: PhaseStatus, of: Status | null): string {
  const state = phaseState(row, of);
  if (state === "pending") {
    return "";
  }
  if (state === "running" && row.phase !== "implement" && row.message !== "") {
    return oneLine(row.message, 60);
  }
  const seconds = Math.round((row.elapsed_ms ?? 0) / 1000);
  const minutes = Math.round(seconds / 60);
  const time = seconds < 60 ? `${String(seconds)} s` : `${String(minutes)} min`;
  const isTimed = seconds >= 1 && state !== "running" && state !== "skipped";
  return isTimed ? `${stateWords(state)} · ${time}` : stateWords(state);
}

/** The word for where a phase or a task stands, for people. */
export function stateWords(state: string): string {
  switch (state) {
    case "pending":
      return "";
    case "waiting":
      return "waits for you";
    case "not_approved":
      return "not approved";
    case "not_merged":
      return "asks for changes";
    default:
      return state;
  }
}

/** What a task is at, or where it stands. */
export function taskWords({ status, activity }: TaskStatus): string {
  return status === "running" && activity != null && activity !== "" ? activity : stateWords(status);
}

/** A phase that did not do what it was to do. */
export function endedBadly({ status }: PhaseStatus): boolean {
  return status === "failed" || status === "cancelled" || status === "interrupted";
}

/** The rows below a phase. */
export type Rows = { tasks: TaskStatus[]; checks: CheckStatus[] } | { review: ReviewStatus | null; issues: Issue[] };

/** What stands below a phase: tasks and checks below implement, what it says and the issues, worst first, below review. */
export function below(status: Status | null, phase: PhaseName): Rows | null {
  switch (phase) {
    case "implement":
      return { tasks: status?.tasks ?? [], checks: status?.checks ?? [] };
    case "review":
      return { review: status?.review ?? null, issues: (status?.issues ?? []).toSorted(worstFirst) };
    default:
      return null;
  }
}

/** The phases that can be run by themselves, in their order. */
export function phaseChoices(status: Status | null): { label: string; description: string; phase: PhaseName }[] {
  return (status?.phases ?? []).map((row) => ({
    label: `$(${stateIcon(phaseState(row, status))[0]}) ${phaseTitle(row.phase)}`,
    description: phaseWords(row, status),
    phase: row.phase,
  }));
}

/** The state of a check by which it gets its icon: one that fails without the changes too is no fault of theirs. */
export function checkState({ state, base }: CheckStatus): string {
  return base === "failed" && state !== "passed" && state !== "skipped" ? "not_broken" : state;
}

/** Codicon and theme colour for the state of a phase, a task, a check, a criterion or an issue. */
export function stateIcon(state: string): [icon: string, colour: string | undefined] {
  switch (state) {
    case "running":
      return ["sync~spin", "charts.blue"];
    case "waiting":
      return ["bell-dot", "charts.yellow"];
    case "done":
    case "completed":
    case "passed":
    case "met":
    case "fixed":
      return ["pass", "charts.green"];
    case "dismissed":
      return ["circle-slash", undefined];
    case "partial":
    case "blocked":
    case "not_merged":
    case "not_broken":
    case "unmet":
      return ["warning", "charts.yellow"];
    case "unproven":
      return ["question", undefined];
    case "failed":
    case "timed_out":
    case "killed":
    case "not_found":
      return ["error", "charts.red"];
    case "interrupted":
    case "cancelled":
      return ["debug-pause", undefined];
    case "rejected":
    case "not_approved":
      return ["circle-slash", undefined];
    case "skipped":
      return ["debug-step-over", undefined];
    case "critical":
      return ["error", "problemsErrorIcon.foreground"];
    case "major":
      return ["warning", "problemsWarningIcon.foreground"];
    case "minor":
      return ["info", "problemsInfoIcon.foreground"];
    case "suggestion":
      return ["lightbulb", undefined];
    default:
      return ["circle-large-outline", undefined];
  }
}

/** Steps of the walkthrough. */
export const milestones = ["demo", "model", "task", "review"] as const;
export type Milestone = (typeof milestones)[number];

/** The steps that a workflow shows to be done; the demo has a step of its own and needs no model. */
export function milestonesOf(status: Status | null, isDemo: boolean): Milestone[] {
  const reached: Milestone[] = [];
  if (isDemo) {
    if (status?.outcome === "merged" || status?.outcome === "rolled_back") {
      reached.push("demo");
    }
  } else if (status != null && status.run !== null) {
    reached.push("task");
    if (status.phases.some((phase) => phase.status === "done")) {
      reached.push("model");
    }
  }
  const isTreated = status?.issues.some(({ state }) => state === "fixed" || state === "dismissed");
  if (isTreated === true || status?.state === "rolled_back") {
    reached.push("review");
  }
  return reached;
}
