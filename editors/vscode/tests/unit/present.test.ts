import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as present from "../../src/present";
import { phaseCommand, serverCommands, startsWork } from "../../src/serverCommands";
import type { Gate, GateStatus, PhaseEvent, PhaseStatus, Status, Usage } from "../../src/protocol";

const NO_USAGE: Usage = {
  input_tokens: 0,
  cache_write_tokens: 0,
  cache_read_tokens: 0,
  output_tokens: 0,
  cost_usd: 0,
};

const STATUS: Status = {
  run: "r1",
  task: "Greet by name",
  outcome: null,
  phases: (["context", "plan", "implement", "review"] as const).map((phase) => ({
    phase,
    status: "pending",
    at: null,
    elapsed_ms: null,
    message: "",
  })),
  tasks: [],
  issues: [],
  gate: null,
  usage: NO_USAGE,
  next: "context",
};

const GATE_STATUS: GateStatus = {
  plan_sha256: "aa",
  markdown: "# Plan",
  protected: [],
  flagged: [],
  questions: [],
  estimate: {
    low: { usd: null, tokens: 1 },
    high: { usd: null, tokens: 2 },
    ceiling: { usd: null, tokens: 3 },
  },
  models: [],
  checks: [],
  warnings: [],
};

const GATE: Gate = { ...GATE_STATUS, run: "r1", task: "Greet by name", tasks: [], usage: NO_USAGE };

const event = (
  phase: PhaseEvent["phase"],
  status: PhaseEvent["status"],
  more: Partial<PhaseEvent> = {},
): PhaseEvent => ({
  folder: "file:///w",
  run: "r1",
  phase,
  status,
  message: `${phase} ${status}`,
  ...more,
});

const after = (...events: PhaseEvent[]): present.State => events.reduce(present.afterEvent, present.nothing);

const withPhase = (phase: string, status: Status["phases"][number]["status"], more: Partial<Status> = {}): Status => ({
  ...STATUS,
  phases: STATUS.phases.map((row) => (row.phase === phase ? { ...row, status } : row)),
  ...more,
});

describe("the state after events", () => {
  it("knows the run from its first event to its last", () => {
    assert.equal(after(event("workflow", "started")).run, "r1");
    assert.equal(after(event("workflow", "started"), event("context", "done")).run, "r1");
    for (const end of ["done", "failed", "cancelled", "waiting"] as const) {
      assert.equal(after(event("context", "started"), event("workflow", end)).run, null);
    }
  });

  it("holds the gate until the run goes on", () => {
    const waiting = after(event("plan", "waiting", { gate: GATE }));
    assert.equal(present.openGate(waiting), GATE);
    assert.equal(present.openGate(present.afterEvent(waiting, event("implement", "started"))), null);
  });

  it("keeps the gate when the status knows the same plan, and drops it when that was answered", () => {
    const waiting = after(event("plan", "waiting", { gate: GATE }));
    const asked = present.afterStatus(waiting, { ...STATUS, gate: { ...GATE_STATUS, markdown: "# Plan" } });
    assert.equal(asked.gate, GATE);
    assert.equal(present.openGate(present.afterStatus(waiting, STATUS)), null);
  });

  it("keeps the gate when the status was asked for before the gate opened", () => {
    const waiting = after(event("plan", "waiting", { gate: GATE }));
    assert.equal(present.openGate(present.afterStatus(waiting, STATUS, false)), GATE);
  });

  it("is not known before the server has said it", () => {
    assert.equal(after(event("context", "started")).isKnown, false);
    assert.equal(present.afterStatus(present.nothing, null).isKnown, true);
  });
});

const told = (state: Status["state"], headline: string, more: Partial<Status> = {}): Status => ({
  ...STATUS,
  ...(state === undefined ? {} : { state }),
  headline,
  summary: `Summary of ${headline}.`,
  ways_on: [],
  ...more,
});

describe("the status line", () => {
  const line = (state: Partial<present.State>): present.StatusLine =>
    present.statusLine({ ...present.nothing, isKnown: true, ...state });

  it("says the server's words, and what it cost", () => {
    const usage = { ...NO_USAGE, output_tokens: 10, cost_usd: 0.124 };
    const status = told("running", "implement 1/2", { usage });
    assert.equal(line({ status, run: "r1" }).text, "$(sync~spin) Baton: implement 1/2 · $0.12");
  });

  it("explains itself by the server's words, and by the last event while a run is at work", () => {
    assert.equal(line({ status: told("merged", "approved") }).tooltip, "Greet by name\nSummary of approved.");
    const working = { status: told("running", "plan"), run: "r1", lastMessage: "reading a.rs" };
    assert.equal(line(working).tooltip, "Greet by name\nreading a.rs");
  });

  it("has an icon for every state, and asks for attention where the user is needed", () => {
    const states = {
      ready: ["run-all", "none"],
      paused: ["debug-pause", "none"],
      running: ["sync~spin", "none"],
      waiting_for_save: ["save", "warning"],
      waiting_for_network: ["debug-disconnect", "warning"],
      gate: ["bell-dot", "warning"],
      faulty: ["error", "error"],
      interrupted: ["debug-pause", "none"],
      cancelled: ["debug-pause", "none"],
      failed: ["error", "error"],
      escalated: ["person", "warning"],
      merged: ["check", "none"],
      rolled_back: ["discard", "none"],
      rejected: ["circle-slash", "none"],
    } as const;
    for (const [state, [icon, emphasis]] of Object.entries(states)) {
      const { text, emphasis: shown } = line({ status: told(state as Status["state"], "words") });
      assert.deepEqual([text, shown], [`$(${icon}) Baton: words`, emphasis]);
    }
  });

  it("does not say how the last run stands when another has begun", () => {
    const begun = line({ status: told("merged", "approved, 2 issues"), run: "r2", lastMessage: "started" });
    assert.deepEqual([begun.text, begun.tooltip], ["$(sync~spin) Baton", "started"]);
  });

  it("names the folder where there are several", () => {
    const state = { ...present.nothing, status: told("gate", "plan waits for you") };
    assert.equal(present.statusLine(state, "Baton (a)").text, "$(bell-dot) Baton (a): plan waits for you");
  });

  it("is just a name where there was no workflow", () => {
    assert.equal(line({}).text, "$(run-all) Baton");
    assert.equal(line({ status: told("fresh", "no task yet", { task: null }) }).text, "$(run-all) Baton");
  });

  it("still says something with a server that has no such words", () => {
    assert.equal(line({ status: { ...STATUS, outcome: "escalated" } }).text, "$(run-all) Baton: escalated");
    assert.equal(line({ status: { ...STATUS, gate: GATE_STATUS } }).text, "$(bell-dot) Baton: plan waits for you");
  });

  it("is spoken without its icon, with the words of its tooltip", () => {
    assert.equal(
      present.spoken(line({ status: told("escalated", "needs you") })),
      "Baton: needs you. Greet by name. Summary of needs you.",
    );
  });
});

describe("a row", () => {
  const row = (phase: string, status: PhaseStatus["status"]): PhaseStatus => ({
    phase,
    status,
    at: null,
    elapsed_ms: 3000,
    message: "",
  });
  const shown = (phase: PhaseStatus, of: Status): [string, string] => [
    present.stateIcon(present.phaseState(phase, of))[0],
    present.phaseWords(phase, of),
  ];

  it("of a rejected plan is not ticked off", () => {
    assert.deepEqual(shown(row("plan", "done"), told("rejected", "plan rejected")), ["circle-slash", "rejected · 3 s"]);
    assert.deepEqual(shown(row("plan", "done"), told("merged", "approved")), ["pass", "done · 3 s"]);
  });

  it("of a review that asks for more is not ticked off", () => {
    const expected = ["warning", "asks for changes · 3 s"];
    assert.deepEqual(shown(row("review", "done"), told("escalated", "needs you")), expected);
    assert.deepEqual(shown(row("review", "done"), told("paused", "fixes come next", { next: "fix" })), expected);
    assert.deepEqual(shown(row("review", "done"), told("merged", "approved")), ["pass", "done · 3 s"]);
  });

  it("has words for what was skipped, waits or was not approved", () => {
    const status = told("merged", "approved");
    assert.deepEqual(shown(row("plan", "skipped"), status), ["debug-step-over", "skipped"]);
    assert.deepEqual(shown(row("plan", "waiting"), status), ["bell-dot", "waits for you · 3 s"]);
    const task = { id: "T1", title: "One", status: "not_approved", files: [] } as const;
    assert.equal(present.taskWords({ ...task, files: [] }), "not approved");
    assert.equal(present.stateIcon("not_approved")[0], "circle-slash");
  });

  it("of a task says what it is at", () => {
    const task = { id: "T1", title: "One", files: [], activity: "writes a.rs" };
    assert.equal(present.taskWords({ ...task, status: "running" }), "writes a.rs");
    assert.equal(present.taskWords({ ...task, status: "completed" }), "completed");
  });

  it("that ended badly can be opened", () => {
    for (const status of ["failed", "cancelled", "interrupted"] as const) {
      assert.equal(present.endedBadly(row("plan", status)), true);
    }
    assert.equal(present.endedBadly(row("plan", "pending")), false);
  });
});

describe("a phase that the user added", () => {
  const pending = { status: "pending", at: null, elapsed_ms: null, message: "" } as const;
  const phases: PhaseStatus[] = ["context", "plan", "implement", "security", "review"].map((phase) => ({
    phase,
    ...pending,
  }));
  const run = (phase: string, status: PhaseStatus["status"], elapsed_ms: number | null = null): Status => ({
    ...STATUS,
    phases: phases.map((row) => (row.phase === phase ? { ...row, status, elapsed_ms } : row)),
  });

  it("is named where it is at work", () => {
    const status: Status = { ...run("security", "running"), state: "running", headline: "security" };
    assert.equal(present.statusLine({ ...present.nothing, status, run: "r1" }).text, "$(sync~spin) Baton: security");
  });

  it("stands among the phases in its place, and can be run", () => {
    const choices = present.phaseChoices(run("security", "done", 61_000));
    assert.deepEqual(
      choices.map((choice) => choice.phase),
      ["context", "plan", "implement", "security", "review"],
    );
    assert.deepEqual(choices[3], { label: "$(pass) Security", description: "done · 1 min", phase: "security" });
    assert.equal(phaseCommand("security"), "baton.security");
    assert.equal(startsWork("baton.security"), true);
  });

  it("has no rows of its own, and takes none from review", () => {
    const issue = { id: "i1", severity: "minor", file: "a.js", line: 1, description: "d", state: "open" } as const;
    const status = { ...run("security", "done"), issues: [issue, { ...issue, id: "i2", severity: "major" as const }] };
    assert.equal(present.below(status, "security"), null);
    assert.deepEqual(present.below(status, "review"), { review: null, issues: [status.issues[1], status.issues[0]] });
  });

  it("says what it is at while it runs, and implement leaves that to its tasks", () => {
    const row = (phase: string): PhaseStatus => ({
      phase,
      status: "running",
      at: null,
      elapsed_ms: 5000,
      message: "reading src/a.js",
    });
    assert.equal(present.phaseWords(row("context"), STATUS), "reading src/a.js");
    assert.equal(present.phaseWords(row("implement"), STATUS), "running");
    assert.equal(present.phaseWords({ ...row("context"), message: "" }, STATUS), "running");
  });

  it("goes by its events", () => {
    const state = after(event("security", "started"), event("security", "waiting"));
    assert.deepEqual([state.run, state.gate, state.lastMessage], ["r1", null, "security waiting"]);
  });

  it("has a title that people can read", () => {
    assert.equal(present.phaseTitle("code-style"), "Code style");
  });
});

describe("an issue", () => {
  it("is said to have no place where none was found", () => {
    const issue = { id: "i1", severity: "minor", file: "a.js", line: 7, description: "d", state: "open" } as const;
    assert.equal(present.placeOf(issue), "a.js:7");
    assert.equal(present.placeOf({ ...issue, placed: true }), "a.js:7");
    assert.equal(present.placeOf({ ...issue, placed: false }), "a.js (no place in the code was found)");
  });
});

describe("a command", () => {
  it("starts work unless it is known to be quick", () => {
    const working = serverCommands.filter((command) => startsWork(command));
    assert.deepEqual(working, [
      "baton.workflow",
      "baton.context",
      "baton.plan",
      "baton.implement",
      "baton.review",
      "baton.approve",
      "baton.sendNotes",
      "baton.fixIssue",
    ]);
  });
});

describe("what may be done", () => {
  const can = (...states: Partial<present.State>[]): string[] =>
    Object.entries(present.contextKeys(...states.map((state) => ({ ...present.nothing, ...state }))))
      .filter(([, value]) => value)
      .map(([key]) => key);
  const ways = (...ids: string[]): Partial<Status> => ({
    ways_on: ids.map((id) => ({ id, title: id, command: null, arguments: null })),
  });

  it("goes by what the server has and by what there is to keep", () => {
    const status = { ...STATUS, ...ways("bring_back") };
    const has = (state: Partial<present.State>): string[] =>
      can(state).filter((key) => /has_|changed_|bring_back/.test(key));
    assert.deepEqual(has({ status }), ["baton.can_bring_back"]);
    const served = { status, commands: ["baton.log", "baton.history"], openPaths: ["/w/a.js"] };
    assert.deepEqual(has(served), [
      "baton.can_bring_back",
      "baton.has_hunks",
      "baton.changed_files",
      "baton.has_log",
      "baton.has_history",
    ]);
    assert.deepEqual(present.contextKeys({ ...present.nothing, ...served })["baton.changed_files"], ["/w/a.js"]);
    assert.deepEqual(has({ ...served, status: { ...STATUS, run: null } }).includes("baton.has_log"), false);
  });

  it("is nothing but to start where there was no workflow", () => {
    assert.deepEqual(can({}), []);
    assert.deepEqual(can(), []);
  });

  it("is what the server says, whatever the phases look like", () => {
    const implemented = withPhase("implement", "done", { state: "failed", ...ways("retry") });
    assert.deepEqual(can({ status: implemented }), ["baton.workflow"]);
    const keys = can({ status: { ...STATUS, ...ways("show_changes", "undo") } });
    assert.ok(keys.includes("baton.can_show_changes") && keys.includes("baton.can_undo"));
    assert.ok(!keys.includes("baton.can_approve"));
  });

  it("is to cancel while a run is at work", () => {
    assert.deepEqual(can({ run: "r1" }), ["baton.busy", "baton.occupied", "baton.can_cancel"]);
    assert.ok(can({ status: { ...STATUS, ...ways("cancel") } }).includes("baton.can_cancel"));
  });

  it("is to start in one folder while a run is at work in the other", () => {
    assert.deepEqual(can({ run: "r1" }, {}), ["baton.can_cancel"]);
    const gate = { status: { ...STATUS, gate: GATE_STATUS, ...ways("approve") } };
    assert.ok(!can(gate, {}).includes("baton.occupied"));
    assert.ok(can(gate).includes("baton.occupied"));
  });

  it("is left to a server that does not say it", () => {
    assert.ok(can({ status: { ...STATUS, gate: GATE_STATUS } }).includes("baton.can_approve"));
    assert.ok(!can({ status: STATUS }).includes("baton.can_approve"));
    assert.ok(can({ status: STATUS }).includes("baton.can_undo"));
  });
});

describe("costs", () => {
  it("are dollars where the model has a price, and tokens where it has none", () => {
    const usage = { ...NO_USAGE, input_tokens: 12_000, output_tokens: 345 };
    assert.equal(present.cost({ ...usage, cost_usd: 1.5 }), "$1.50");
    assert.equal(present.cost({ ...usage, cost_usd: null }), "12k tokens");
    assert.equal(present.cost({ ...usage, input_tokens: 1000, cost_usd: null }), "1.3k tokens");
    assert.equal(present.cost({ ...usage, cost_usd: 0 }), "12k tokens, no cost");
    assert.equal(present.cost({ ...usage, cost_usd: 0, local: true }), "12k tokens, local, no cost");
    assert.equal(present.cost({ ...usage, cost_usd: null, estimated: true }), "about 12k tokens");
    const mixed = { ...usage, cost_usd: null, priced_usd: 0.06, unpriced_tokens: 10_000 };
    assert.equal(present.cost(mixed), "$0.06 and 10k tokens without a price");
    assert.equal(present.cost(NO_USAGE), "");
  });

  it("are not rounded to nothing", () => {
    assert.equal(present.dollars(0.00312), "$0.003");
    assert.equal(present.dollars(0), "$0.00");
  });
});

describe("one line", () => {
  it("is short and has no line breaks", () => {
    assert.equal(present.oneLine("a\n  b"), "a b");
    assert.equal(present.oneLine("x".repeat(100), 10), `${"x".repeat(9)}…`);
  });
});

describe("the steps of the walkthrough", () => {
  const merged: Status = { ...STATUS, outcome: "merged", state: "merged" };
  const issue = {
    id: "i",
    severity: "minor",
    file: "a",
    line: 1,
    description: "d",
    state: "open",
  } as const;

  it("are done when a workflow shows it, and the demo is no first task", () => {
    const begun = STATUS.phases.map((phase, n) => (n === 0 ? { ...phase, status: "done" as const } : phase));
    for (const [status, isDemo, reached] of [
      [null, false, []],
      [{ ...STATUS, run: null }, false, []],
      [STATUS, false, ["task"]],
      [{ ...STATUS, phases: begun }, false, ["task", "model"]],
      [{ ...STATUS, phases: begun }, true, []],
      [merged, true, ["demo"]],
      [{ ...STATUS, state: "rolled_back", outcome: "rolled_back" }, true, ["demo", "review"]],
      [{ ...merged, issues: [issue] }, true, ["demo"]],
      [{ ...merged, issues: [{ ...issue, state: "fixed" }] }, true, ["demo", "review"]],
      [{ ...merged, issues: [{ ...issue, state: "dismissed" }] }, false, ["task", "review"]],
    ] as const) {
      assert.deepEqual(present.milestonesOf(status as Status | null, isDemo), reached, JSON.stringify(status));
    }
  });
});
