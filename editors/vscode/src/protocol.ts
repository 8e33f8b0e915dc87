/** What the server and this client say to each other. Nothing here needs VS Code. */

import type { TitledCommand } from "./serverCommands";

/** The messages beyond the protocol that this client asks for at `initialize`. */
export interface ClientOptions {
  baton: {
    phase: boolean;
    gate: boolean;
    languageModel: boolean;
    editorDiagnostics: boolean;
    documentSymbols: boolean;
    /** This client itself says how a run ended and what waits when a folder is opened. */
    outcome: boolean;
    /** Where phases and tasks stand, as diagnostics; this client has a view of its own for that. */
    statusDiagnostics: boolean;
    /** Keep, Undo and Why above what agents changed in a file. */
    hunkLenses: boolean;
    /** What this client calls the server's commands, for messages that name one. */
    commandTitles: Partial<Record<TitledCommand, string>>;
  };
}

/** The name of a phase: of those that always are, or of one that the user added. The status has them in their order. */
export type PhaseName = string;
export type Outcome = "merged" | "done" | "escalated" | "rejected" | "waiting" | "failed" | "cancelled" | "rolled_back";

/** Where a workflow stands, in one word. */
export type WorkflowState =
  | "fresh"
  | "ready"
  | "paused"
  | "running"
  | "waiting_for_save"
  | "waiting_for_network"
  | "gate"
  | "faulty"
  | "interrupted"
  | "cancelled"
  | "failed"
  | "escalated"
  | "merged"
  | "rolled_back"
  | "rejected";

/** Something that can be done now. */
export interface WayOn {
  id: string;
  /** The words of a button. */
  title: string;
  /** The server's command; null where it is the client's own affair. */
  command: string | null;
  arguments: Record<string, unknown> | null;
}
export type Severity = "critical" | "major" | "minor" | "suggestion";

export interface Usage {
  input_tokens: number;
  cache_write_tokens: number;
  cache_read_tokens: number;
  output_tokens: number;
  /** Null where a model has no price. */
  cost_usd: number | null;
  /** Whether tokens were estimated. */
  estimated?: boolean;
  /** Whether all of it is of models on the user's own machine. */
  local?: boolean;
  /** Of the part with a price, where another part has none. */
  priced_usd?: number;
  /** Of the part without a price, where another part has one. */
  unpriced_tokens?: number;
}

export interface PhaseStatus {
  phase: PhaseName;
  status: "pending" | "running" | "waiting" | "interrupted" | "done" | "failed" | "cancelled" | "skipped";
  at: string | null;
  elapsed_ms: number | null;
  message: string;
}

export interface TaskStatus {
  id: string;
  title: string;
  status: "pending" | "running" | "waiting" | "completed" | "partial" | "blocked" | "failed" | "not_approved";
  files: string[];
  /** Ids of the tasks that it waits for; absent from an older server. */
  depends_on?: string[];
  /** What it is at. */
  activity?: string | null;
  /** Absent from an older server. */
  criteria?: CriterionStatus[];
}

/** An acceptance criterion of a task. */
export interface CriterionStatus {
  /** From 1. */
  n: number;
  text: string;
  /** What the review says of it; null while none did. */
  state: "met" | "unmet" | "unproven" | null;
}

/** The last result of a check. */
export interface CheckStatus {
  name: string;
  command: string;
  state: "passed" | "failed" | "timed_out" | "killed" | "not_found" | "skipped";
  /** How it ends without the changes; null where nobody had to know. */
  base: "passed" | "failed" | "unknown" | null;
  /** How it ended and why. */
  words: string;
  /** The files that are not what it saw any more; absent from an older server. */
  changed_since?: string[];
  /** Its log, relative to the workspace folder. */
  file: string | null;
}

export interface Issue {
  id: string;
  severity: Severity;
  file: string;
  /** From 1. */
  line: number;
  /** False where no place in the code was found. */
  placed?: boolean;
  description: string;
  suggested_fix?: string | null;
  task_id?: string | null;
  state: "new" | "open" | "fixed" | "dismissed";
  /** The commit that its review compares with; absent on issues of the workflow's review. */
  base?: string | null;
}

/** The answer of `baton.status`; null where there never was a workflow, from a server that has no `state` yet. */
export interface Status {
  run: string | null;
  task: string | null;
  outcome: Outcome | null;
  phases: PhaseStatus[];
  tasks: TaskStatus[];
  issues: Issue[];
  /** What the review against a commit came to; absent where there was none, and from an older server. */
  base_review?: BaseReview;
  /** The plan that waits for an answer. */
  gate: GateStatus | null;
  /** The user's notes in plan.md that were not sent; absent from an older server. */
  notes?: PlanNote[];
  /** What is wrong with the files of the memory folder; absent where nothing is. */
  faults?: Fault[];
  /** Absent, as are the criteria of tasks, from an older server. */
  checks?: CheckStatus[];
  /** What keeps them from everything else, and why. */
  sandbox?: string | null;
  /** What the review that stands came to; null, or absent from an older server, where there is none. */
  review?: ReviewStatus | null;
  usage: Usage;
  /** Of the run at work, or the last one. */
  run_usage?: Usage;
  next: string;
  /** Where it stands; absent, as are the next three, from a server older than these words. */
  state?: WorkflowState;
  /** The same in a few words. */
  headline?: string;
  /** The same in a sentence or two. */
  summary?: string;
  /** What can be done now and nothing else, the harmless first. */
  ways_on?: WayOn[];
}

/** What the review against a commit came to. */
export interface BaseReview {
  /** The commit. */
  base: string | null;
  verdict: "approved" | "changes_requested" | "rejected";
  summary: string;
}

/** What a review came to; its issues are those of the status. */
export interface ReviewStatus {
  /** The implement round it judges, from 1. */
  round: number;
  verdict: "approved" | "changes_requested" | "rejected";
  recommended_action: "merge" | "fix_and_re_review" | "re_plan" | "escalate_to_human";
  summary: string;
  /** How the changes left the plan; empty where they did not. */
  drift: string;
}

/** A note to the planner. */
export interface PlanNote {
  /** Its line in plan.md, from 1. */
  line: number;
  /** The task that it is about; null where it is about something else. */
  task: string | null;
  text: string;
}

/** A note that was written on the page of the gate. */
export interface PageNote {
  /** Absent where it is about the plan. */
  task?: string;
  text: string;
}

export interface Spending {
  /** Null where a model has no price. */
  usd: number | null;
  tokens: number;
  /** Whether all models run on the user's own machine. */
  local?: boolean;
  /** Of the models with a price, where others have none. */
  priced_usd?: number;
  /** Of the models without a price, where others have one. */
  unpriced_tokens?: number;
}

/** What the gate shows of a plan, live or from the files. */
export interface GateStatus {
  /** Of plan.json's bytes: an answer names it. */
  plan_sha256: string;
  markdown: string;
  /** Written only because a person approves the plan; with `never`, not even then. */
  protected: { path: string; task: string; never: boolean }[];
  /** Files to look at twice. */
  flagged: { path: string; task: string; reason: string }[];
  questions: string[];
  /** From now on, without what is spent. */
  estimate: { low: Spending; high: Spending; ceiling: Spending };
  models: { tier: Tier; model: string; account: string }[];
  checks: GateCheck[];
  /** Commands that could be remembered as checks; absent from a server that offers none. */
  offered_checks?: { id: string; name: string; command: string; reason: string }[];
  /** What counts as absent, and what was done elsewhere. */
  warnings: string[];
  /** The plan before this one; null, or absent from an older server, where there was none. */
  previous?: PreviousPlan | null;
}

/** The plan that was shown before. */
export interface PreviousPlan {
  plan_version: number;
  /** plan.md as it stood then, relative to the workspace folder. */
  plan_md: string | null;
}

/** A check that runs after the work, or that is skipped until a person trusts it. */
export interface GateCheck {
  /** What an answer about it names; absent, as is all that is optional here, from a server that has no checks yet. */
  id?: string;
  name: string;
  command: string;
  network?: boolean;
  secrets?: boolean;
  trusted: boolean;
  /** What was trusted under its name before it changed. */
  before?: string;
}

/** What is said of the checks with an approval, by their ids. */
export interface CheckAnswer {
  trustChecks?: string[];
  rememberChecks?: string[];
}

/** The same in the waiting event of a run. */
export interface Gate extends GateStatus {
  /** URI of plan.json. */
  plan_json?: string;
  run: string;
  task: string;
  tasks: { id: string; title: string; depends_on?: string[] }[];
  usage: Usage;
}

/** A fault of a file of the memory folder. */
export interface Fault {
  /** Relative to the workspace folder. */
  file: string;
  /** From 1. */
  line: number;
  column: number;
  code: string;
  message: string;
}

/** Why an answer to a plan was not taken: the error's `data`. */
export interface PlanRefusal {
  kind: "stale_plan" | "unsaved";
  uri: string;
}

/** Why the server did not take an answer to a plan; undefined where it failed for another reason. */
export function planRefusal(error: unknown): PlanRefusal | undefined {
  const data = error instanceof Error && "data" in error ? (error.data as Partial<PlanRefusal> | undefined) : undefined;
  const { kind, uri } = data ?? {};
  return (kind === "stale_plan" || kind === "unsaved") && typeof uri === "string" ? { kind, uri } : undefined;
}

/** The notification `baton/phase`. */
export interface PhaseEvent {
  /** URI of the workspace folder. */
  folder: string;
  run: string;
  /** The event's number in its run, from 1. */
  seq?: number;
  /** When, RFC 3339. */
  at?: string;
  /** The id of the workflow's first run; absent, as is all that is optional here, where it has nothing to say or an older server none. */
  workflow?: string;
  /** A phase, or `workflow` for the run as a whole. */
  phase: PhaseName;
  status: "started" | "progress" | "waiting" | "done" | "failed" | "cancelled";
  task?: string;
  message: string;
  /** What is to be saved, with `waiting` of a task, relative to the workspace folder. */
  files?: string[];
  error?: {
    kind: "model" | "contract" | "workspace" | "config" | "budget" | "cancelled";
    message: string;
    cause?: string;
  };
  usage?: Usage;
  gate?: Gate;
  /** How the run ended and what can be done now, on its last event. */
  outcome?: Outcome;
  ways_on?: WayOn[];
}

/** A stretch of lines that was changed. */
export interface Hunk {
  id: string;
  /** Who changed it; null where the user did. */
  task: string | null;
  /** Its lines in the file as it stands, from 1, both included; where lines were only taken out, one that is beside them. */
  first: number;
  last: number;
  /** The user keeps it. */
  kept: boolean;
}

export interface ChangedFile {
  /** Relative to the workspace folder. */
  path: string;
  uri: string;
  change_type: "created" | "modified" | "deleted";
  lines_added: number;
  lines_removed: number;
  /** The text before the workflow began; null when there was none. */
  before: string | null;
  /** The text now; absent from an older server. */
  after?: string | null;
  /** The tasks that changed it. */
  tasks?: string[];
  /** Absent, as is the next, from a server that knows no hunks. */
  hunks?: Hunk[];
  /** The text before the workflow as a document of the server's. */
  before_uri?: string | null;
}

/** The answer of `baton.diff`. */
export interface Diff {
  diff: string;
  files: ChangedFile[];
}

/** The answer of `baton.keep`. */
export interface Kept {
  kept: string[];
  message: string;
}

/** The answer of `baton.log`. */
export interface RunLog {
  run: string;
  /** The same text as a document of the server's. */
  uri: string;
  markdown: string;
}

/** A workflow that ran in a folder. */
export interface PastWorkflow {
  /** Its id: that of its first run. */
  workflow: string;
  /** Oldest first. */
  runs: string[];
  /** Empty where it is not known any more. */
  task: string;
  outcome: Outcome | null;
  /** When it ended, or what was heard of it last. */
  at: string;
  /** How many files it changed. */
  files: number;
  /** The one at hand. */
  current: boolean;
  can_undo: boolean;
  can_bring_back: boolean;
  usage?: Usage | null;
}

/** The answer of `baton.history`, newest first. */
export interface History {
  workflows: PastWorkflow[];
}

/** The answer of `baton.rollback`. */
export interface Rollback {
  files: { path: string; outcome: string; message: string }[];
  message: string;
}

/** The answer of `baton.doctor`. */
export interface Doctor {
  ok: boolean;
  checks: { name: string; status: "ok" | "warning" | "error"; message: string; fix: string | null }[];
  /** The models that would serve a run; absent, as are the settings, from an older server. */
  models?: { tier: Tier; id: string; account: string }[];
  /** The settings in force; empty where they are faulty. */
  settings?: { key: string; value: string }[];
}

export type Tier = "fast" | "balanced" | "powerful";

export type Block =
  | { type: "text"; text: string }
  | { type: "tool_use"; id: string; name: string; input: object }
  | { type: "tool_result"; tool_use_id: string; content: string | Block[]; is_error?: boolean };

/** The request `baton/languageModel`: one turn of a model. */
export interface ModelTurn {
  run: string;
  agent: string;
  tier: Tier;
  system: string | Block[];
  messages: { role: "user" | "assistant"; content: string | Block[] }[];
  tools: { name: string; description: string; input_schema: object }[];
  max_tokens: number;
}

/** Its answer. */
export interface ModelAnswer {
  content: Block[];
  stop_reason: "end_turn" | "tool_use";
  model: string;
  usage?: { input_tokens: number; output_tokens: number };
}

/** Why there is none, as the error's `data.kind`. */
export type ModelRefusal = "blocked" | "no_permission" | "not_found" | "cancelled";
