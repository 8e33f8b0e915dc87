/** From where a workflow stands to what is shown of it. Nothing here needs VS Code. */

import type {
  Gate,
  GateStatus,
  Issue,
  Outcome,
  PhaseEvent,
  PhaseName,
  PhaseStatus,
  Severity,
  Status,
  TaskStatus,
  Usage,
} from "./protocol";

/** All that is known of the workflow of one folder. */
export interface State {
  status: Status | null;
  /** The run that this window's server has at work. */
  run: string | null;
  /** The gate of the run's waiting event. */
  gate: Gate | null;
  lastMessage: string;
}

export const nothing: State = { status: null, run: null, gate: null, lastMessage: "" };

/** What an event makes of the state. The status is asked for anew; an event says only what cannot wait for that. */
export function afterEvent(state: State, event: PhaseEvent): State {
  const isOver = event.phase === "workflow" && !["started", "progress"].includes(event.status);
  const isGate = event.phase === "plan" && event.status === "waiting";
  return {
    status: state.status,
    run: isOver ? null : event.run,
    gate: isGate ? (event.gate ?? null) : event.task === undefined ? null : state.gate,
    lastMessage: event.message,
  };
}

/** What a new status makes of the state. A gate that the status does not know any more was answered. */
export function afterStatus(state: State, status: Status | null): State {
  const isAsked = status?.gate?.plan_sha256 === state.gate?.plan_sha256;
  return { ...state, status, gate: isAsked ? state.gate : null };
}

/** The plan that waits for an answer. */
export function openGate(state: State): Gate | GateStatus | null {
  return state.gate ?? state.status?.gate ?? null;
}

/** A plan waits that cannot be shown before its faults are fixed. */
export function isBroken(state: State): boolean {
  const { status } = state;
  return status?.next === "gate" && status.gate === null && (status.faults ?? []).length > 0;
}

/** A run is at work and does not wait for anybody, here or in another process. */
export function isAtWork(state: State): boolean {
  if (openGate(state) !== null || isBroken(state)) {
    return false;
  }
  const running = state.status?.phases.some((phase) => phase.status === "running") ?? false;
  return state.run !== null || (running && state.status?.outcome === null);
}

export function openIssues(state: State): Issue[] {
  return (state.status?.issues ?? []).filter((issue) => issue.state !== "fixed");
}

/** The workflow can go on from where it stands. */
export function isUnfinished(state: State): boolean {
  const { status } = state;
  return status?.task != null && status.outcome !== "merged" && status.outcome !== "rejected";
}

/** Agents have written files, or may have. */
export function hasChanges(state: State): boolean {
  const implement = state.status?.phases.find((phase) => phase.phase === "implement");
  return implement !== undefined && implement.status !== "pending";
}

/** Which commands make sense: the context keys that `when` and `enablement` clauses name. */
export function contextKeys(state: State): Record<string, boolean> {
  return {
    "baton.atWork": state.run !== null,
    "baton.gate": openGate(state) !== null,
    "baton.workflow": state.status?.task != null,
    "baton.plan": (state.status?.tasks.length ?? 0) > 0,
    "baton.changes": hasChanges(state),
    "baton.issues": openIssues(state).length > 0,
  };
}

export interface StatusLine {
  text: string;
  tooltip: string;
  emphasis: "none" | "warning" | "error";
}

export function statusLine(state: State): StatusLine {
  const { status } = state;
  if (status === null && state.run === null) {
    return { text: "$(run-all) Baton", tooltip: "Baton: no workflow here yet", emphasis: "none" };
  }
  const [icon, words, emphasis] = statusWords(state);
  const parts = [words, cost(status?.usage)].filter((part) => part !== "");
  const message = state.run === null ? (outcomeWords(status?.outcome ?? null) ?? "") : state.lastMessage;
  const tooltip = [status?.task ?? "", message].filter((line) => line !== "").join("\n");
  return { text: `$(${icon}) Baton: ${parts.join(" · ")}`, tooltip, emphasis };
}

function statusWords(state: State): [icon: string, words: string, emphasis: StatusLine["emphasis"]] {
  const { status } = state;
  if (openGate(state) !== null) {
    return ["bell-dot", "plan waits for you", "warning"];
  }
  if (isBroken(state)) {
    return ["error", "plan has faults", "error"];
  }
  if (isAtWork(state)) {
    const phase = status?.phases.findLast((phase) => phase.status === "running")?.phase ?? "starting";
    return ["sync~spin", phase === "implement" ? `implement ${tasksDone(status)}` : phase, "none"];
  }
  const issues = openIssues(state).length;
  const found = issues === 0 ? "" : `, ${count(issues, "issue")}`;
  switch (status?.outcome) {
    case "merged":
      return ["check", `approved${found}`, "none"];
    case "done":
      return ["check", `done${found}`, "none"];
    case "escalated":
      return ["person", `needs you${found}`, "warning"];
    case "rejected":
      return ["circle-slash", "plan rejected", "none"];
    case "failed":
      return ["error", "failed", "error"];
    case "cancelled":
      return ["debug-pause", "cancelled", "none"];
    default:
      return ["debug-pause", status?.task == null ? "no task yet" : "not finished", "none"];
  }
}

/** What an outcome means, in words for people. */
export function outcomeWords(outcome: Outcome | null): string | undefined {
  switch (outcome) {
    case "merged":
      return "Approved. Changes are in your working tree; nothing was committed.";
    case "done":
      return "Done.";
    case "escalated":
      return "Stopped: it needs you.";
    case "rejected":
      return "The plan was rejected.";
    case "waiting":
      return "The plan waits for your answer.";
    case "failed":
      return "Failed.";
    case "cancelled":
      return "Cancelled.";
    case null:
      return undefined;
  }
}

function tasksDone(status: Status | null): string {
  const tasks = status?.tasks ?? [];
  return `${String(tasks.filter((task) => task.status === "completed").length)}/${String(tasks.length)}`;
}

/** "$0.12", or tokens where a model has no price, or nothing before the first turn. */
export function cost(usage: Usage | undefined): string {
  if (usage === undefined) {
    return "";
  }
  const tokens = usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens + usage.output_tokens;
  if (tokens === 0) {
    return "";
  }
  return usage.cost_usd === null ? `${thousands(tokens)} tokens` : dollars(usage.cost_usd);
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

/** Worst first. */
export const severities: readonly Severity[] = ["critical", "major", "minor", "suggestion"];

function worstFirst(a: Issue, b: Issue): number {
  const rank = (issue: Issue): number =>
    issue.state === "fixed" ? severities.length : severities.indexOf(issue.severity);
  return rank(a) - rank(b);
}

/** A phase's name as a title: `code-style` becomes "Code style". */
export function phaseTitle(phase: PhaseName): string {
  const words = phase.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What a phase is at and how long it took. */
export function phaseWords({ status, elapsed_ms }: PhaseStatus): string {
  if (status === "pending") {
    return "";
  }
  const seconds = Math.round((elapsed_ms ?? 0) / 1000);
  const minutes = Math.round(seconds / 60);
  const time = seconds < 60 ? `${String(seconds)} s` : `${String(minutes)} min`;
  const words = status === "waiting" ? "waits for you" : status;
  return seconds < 1 || status === "running" ? words : `${words} · ${time}`;
}

/** What stands below a phase: the tasks below implement, the issues below review, worst first. */
export function below(status: Status | null, phase: PhaseName): { tasks: TaskStatus[] } | { issues: Issue[] } | null {
  switch (phase) {
    case "implement":
      return { tasks: status?.tasks ?? [] };
    case "review":
      return { issues: (status?.issues ?? []).toSorted(worstFirst) };
    default:
      return null;
  }
}

/** The phases that can be run by themselves, in their order. */
export function phaseChoices(status: Status | null): { label: string; description: string; phase: PhaseName }[] {
  return (status?.phases ?? []).map((row) => ({
    label: `$(${stateIcon(row.status)[0]}) ${phaseTitle(row.phase)}`,
    description: phaseWords(row),
    phase: row.phase,
  }));
}

/** Codicon and theme colour for the state of a phase, a task or an issue. */
export function stateIcon(state: string): [icon: string, colour: string | undefined] {
  switch (state) {
    case "running":
      return ["sync~spin", "charts.blue"];
    case "waiting":
      return ["bell-dot", "charts.yellow"];
    case "done":
    case "completed":
    case "fixed":
      return ["pass", "charts.green"];
    case "partial":
    case "blocked":
      return ["warning", "charts.yellow"];
    case "failed":
      return ["error", "charts.red"];
    case "interrupted":
    case "cancelled":
      return ["debug-pause", undefined];
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
