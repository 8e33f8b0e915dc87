import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as present from "../../src/present";
import { phaseCommand, serverCommands, startsWork } from "../../src/protocol";
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
    assert.equal(present.isAtWork(waiting), false);
    assert.equal(present.openGate(present.afterEvent(waiting, event("implement", "started"))), null);
  });

  it("keeps the gate when the status knows the same plan, and drops it when that was answered", () => {
    const waiting = after(event("plan", "waiting", { gate: GATE }));
    const asked = present.afterStatus(waiting, { ...STATUS, gate: { ...GATE_STATUS, markdown: "# Plan" } });
    assert.equal(asked.gate, GATE);
    assert.equal(present.openGate(present.afterStatus(waiting, STATUS)), null);
  });
});

describe("the status line", () => {
  const line = (state: Partial<present.State>): string => present.statusLine({ ...present.nothing, ...state }).text;

  it("says what a run is at, how many tasks are done and what it cost", () => {
    const tasks: Status["tasks"] = [
      { id: "T1", title: "One", status: "completed", files: [] },
      { id: "T2", title: "Two", status: "running", files: [] },
    ];
    const usage = { ...NO_USAGE, output_tokens: 10, cost_usd: 0.124 };
    const status = withPhase("implement", "running", { tasks, usage });
    assert.equal(line({ status, run: "r1" }), "$(sync~spin) Baton: implement 1/2 · $0.12");
  });

  it("says that a plan that waits has faults", () => {
    const faults = [{ file: ".agent_memory/plan.json", line: 3, column: 1, code: "schema", message: "m" }];
    const state = { ...present.nothing, status: { ...STATUS, next: "gate", faults }, run: "r1" };
    assert.equal(present.isAtWork(state), false);
    assert.equal(present.statusLine(state).text, "$(error) Baton: plan has faults");
  });

  it("asks for the user where the plan waits", () => {
    const state = { ...present.nothing, status: { ...STATUS, gate: { ...GATE_STATUS, markdown: "" } } };
    assert.deepEqual(
      [present.statusLine(state).text, present.statusLine(state).emphasis],
      ["$(bell-dot) Baton: plan waits for you", "warning"],
    );
  });

  it("never says merged, and counts only issues that are open", () => {
    const issue = { id: "i1", severity: "minor", file: "a.js", line: 1, description: "d", state: "open" } as const;
    const issues: Status["issues"] = [issue, { ...issue, id: "i2", state: "fixed" }];
    assert.equal(line({ status: { ...STATUS, outcome: "merged", issues } }), "$(check) Baton: approved, 1 issue");
    assert.equal(line({ status: { ...STATUS, outcome: "merged" } }), "$(check) Baton: approved");
  });

  it("has a word for every outcome", () => {
    const outcomes = ["done", "escalated", "rejected", "failed", "cancelled"] as const;
    const words = outcomes.map((outcome) => line({ status: { ...STATUS, outcome } }));
    assert.equal(new Set(words).size, outcomes.length);
    assert.equal(line({}), "$(run-all) Baton");
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
    const status = run("security", "running");
    assert.equal(present.statusLine({ ...present.nothing, status, run: "r1" }).text, "$(sync~spin) Baton: security");
    assert.equal(present.isAtWork({ ...present.nothing, status }), true);
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
    assert.deepEqual(present.below(status, "review"), { issues: [status.issues[1], status.issues[0]] });
  });

  it("goes by its events", () => {
    const state = after(event("security", "started"), event("security", "waiting"));
    assert.deepEqual([state.run, state.gate, state.lastMessage], ["r1", null, "security waiting"]);
  });

  it("has a title that people can read", () => {
    assert.equal(present.phaseTitle("code-style"), "Code style");
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
      "baton.fixIssue",
    ]);
  });
});

describe("what may be done", () => {
  const can = (state: Partial<present.State>): Record<string, boolean> =>
    present.contextKeys({ ...present.nothing, ...state });

  it("is nothing but to start where there was no workflow", () => {
    assert.ok(Object.values(can({})).every((value) => !value));
  });

  it("is to cancel while a run is at work here", () => {
    assert.equal(can({ run: "r1" })["baton.atWork"], true);
    assert.equal(can({ status: withPhase("context", "running") })["baton.atWork"], false);
  });

  it("is to undo once something may have been written", () => {
    assert.equal(can({ status: withPhase("plan", "done") })["baton.changes"], false);
    assert.equal(can({ status: withPhase("implement", "cancelled") })["baton.changes"], true);
  });
});

describe("costs", () => {
  it("are dollars where the model has a price, and tokens where it has none", () => {
    const usage = { ...NO_USAGE, input_tokens: 12_000, output_tokens: 345 };
    assert.equal(present.cost({ ...usage, cost_usd: 1.5 }), "$1.50");
    assert.equal(present.cost({ ...usage, cost_usd: null }), "12k tokens");
    assert.equal(present.cost({ ...usage, input_tokens: 1000, cost_usd: null }), "1.3k tokens");
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
