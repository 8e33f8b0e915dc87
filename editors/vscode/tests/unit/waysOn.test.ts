import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { nothing, type State } from "../../src/present";
import type { Status, WayOn } from "../../src/protocol";
import { clientCommand, noticeOfEnd, noticeOfWaiting, waitingKey, waysOn, wayIcon } from "../../src/waysOn";

const way = (id: string, title: string, command: string | null = `baton.${id}`): WayOn => ({
  id,
  title,
  command,
  arguments: null,
});

const CHANGES = way("show_changes", "Show Changes", "baton.diff");
const UNDO = way("undo", "Undo", "baton.rollback");
const GATE_WAYS = [
  way("approve", "Approve"),
  way("revise", "Ask for Changes", "baton.plan"),
  way("edit", "Edit Plan", "baton.openPlan"),
  way("reject", "Reject"),
];

const state = (status: Partial<Status>): State => ({
  ...nothing,
  isKnown: true,
  status: {
    run: "r1",
    task: "Greet",
    outcome: null,
    phases: [],
    tasks: [],
    issues: [],
    gate: null,
    usage: { input_tokens: 0, cache_write_tokens: 0, cache_read_tokens: 0, output_tokens: 0, cost_usd: 0 },
    next: "none",
    ...status,
  },
});

const ISSUE = { id: "i1", severity: "minor", file: "a.js", line: 1, description: "d", state: "new" } as const;
const titles = (notice: { buttons: { title: string }[] } | undefined): string[] =>
  notice?.buttons.map(({ title }) => title) ?? [];

describe("the ways on", () => {
  it("are the server's, in its order, without those that nobody here can do", () => {
    const ways = [way("save", "Save", null), way("trust", "Trust", null), CHANGES, way("dance", "Dance"), UNDO];
    assert.deepEqual(
      waysOn(state({ ways_on: ways })).map(({ id }) => id),
      ["save", "show_changes", "dance", "undo"],
    );
    assert.deepEqual(waysOn(state({})), []);
    assert.deepEqual(waysOn(nothing), []);
  });

  it("are done by this client where it asks or shows more, else by the server's command", () => {
    assert.equal(clientCommand(UNDO), "batonClient.undoRun");
    assert.equal(clientCommand(way("start", "Start")), "batonClient.runWorkflow");
    assert.equal(clientCommand(way("retry", "Try Again")), undefined);
    assert.equal(clientCommand(way("dance", "Dance")), undefined);
    assert.equal(wayIcon(way("dance", "Dance")), "arrow-right");
  });
});

describe("the notice of an end", () => {
  it("offers to look at the changes and the problems after a success, and to undo it", () => {
    const notice = noticeOfEnd(state({ issues: [ISSUE] }), "merged", "Approved.", [CHANGES, UNDO]);
    assert.deepEqual(titles(notice), ["Show Changes", "Open Problems", "Undo"]);
    assert.deepEqual([notice.severity, notice.message], ["information", "Approved."]);
    assert.deepEqual(titles(noticeOfEnd(state({}), "merged", "Approved.", [CHANGES, UNDO])), ["Show Changes", "Undo"]);
  });

  it("offers no undo where the server has none, and a key where the key was refused", () => {
    const ways = [way("set_key", "Set API Key", null), way("retry", "Try Again", "baton.workflow")];
    const notice = noticeOfEnd(state({ issues: [ISSUE] }), "failed", "The key was refused.", ways);
    assert.deepEqual([notice.severity, titles(notice)], ["error", ["Set API Key", "Try Again"]]);
  });

  it("shows the problems before it offers to accept them", () => {
    const ways = [way("accept", "Accept as Is"), way("fix", "Fix the Issue"), CHANGES, UNDO];
    const expected = ["Open Problems", "Accept as Is", "Fix the Issue", "More…"];
    assert.deepEqual(titles(noticeOfEnd(state({ issues: [ISSUE] }), "escalated", "m", ways)), expected);
  });

  it("warns where the user is needed", () => {
    for (const outcome of ["escalated", "cancelled", "rejected"] as const) {
      assert.equal(noticeOfEnd(state({}), outcome, "m", []).severity, "warning");
    }
  });

  it("has at most four buttons, the last of which leads to the others", () => {
    const ways = [CHANGES, way("accept", "Accept as Is"), way("fix", "Fix Issues"), way("re_plan", "Plan Again"), UNDO];
    assert.deepEqual(titles(noticeOfEnd(state({}), "escalated", "m", ways)), [
      "Show Changes",
      "Accept as Is",
      "Fix Issues",
      "More…",
    ]);
    const withTrust = [CHANGES, UNDO, way("trust", "Trust the Check…", "baton.trust")];
    assert.deepEqual(titles(noticeOfEnd(state({}), "merged", "m", withTrust)), [
      "Show Changes",
      "Undo",
      "Trust the Check…",
    ]);
    const withStart = [CHANGES, UNDO, way("reset", "Start Over"), way("start", "Start")];
    assert.deepEqual(titles(noticeOfEnd(state({}), "merged", "m", withStart)), ["Show Changes", "Undo"]);
  });
});

describe("the notice of what waits", () => {
  const gate = { state: "gate", summary: "The plan waits for your answer.", ways_on: GATE_WAYS } as const;

  it("has the answers to a plan that is in sight", () => {
    const notice = noticeOfWaiting(state({ ...gate, ways_on: GATE_WAYS }), true);
    assert.deepEqual(titles(notice), ["Approve", "Ask for Changes", "Edit Plan", "Reject"]);
    assert.equal(notice?.message, "The plan waits for your answer.");
  });

  it("shows first a plan that is not", () => {
    const notice = noticeOfWaiting(state({ ...gate, ways_on: GATE_WAYS }), false);
    assert.deepEqual(titles(notice), ["Show Plan", "Approve", "Ask for Changes", "More…"]);
  });

  it("offers to go on with what was interrupted or stopped", () => {
    const ways_on = [way("resume", "Resume", "baton.workflow"), CHANGES, UNDO];
    for (const stopped of ["interrupted", "cancelled"] as const) {
      const notice = noticeOfWaiting(state({ state: stopped, summary: "It was stopped.", ways_on }), false);
      assert.deepEqual([notice?.severity, titles(notice)], ["warning", ["Resume", "Show Changes", "Undo"]]);
    }
  });

  it("offers to fix a plan that has a fault, and no other file", () => {
    const ways_on = [way("edit", "Edit Plan", null), way("reject", "Reject")];
    const faulty = { state: "faulty", summary: "plan.json has a fault.", ways_on } as const;
    const notice = noticeOfWaiting(state({ ...faulty, next: "gate" }), false);
    assert.deepEqual([notice?.severity, titles(notice)], ["warning", ["Edit Plan", "Reject"]]);
    assert.equal(noticeOfWaiting(state({ ...faulty, next: "none" }), false), undefined);
  });

  it("is none while a run of this window waits or works, and none for what needs nobody", () => {
    const waiting = { ...state({ ...gate, ways_on: GATE_WAYS }), run: "r1" };
    assert.equal(noticeOfWaiting(waiting, true), undefined);
    const working = { ...state({ state: "running", summary: "It works.", ways_on: [] }), run: "r1" };
    assert.equal(noticeOfWaiting(working, false, false), undefined);
    assert.equal(noticeOfWaiting(state({ state: "merged", summary: "m", ways_on: [UNDO] }), true), undefined);
    assert.equal(noticeOfWaiting(state({ gate: null }), true), undefined, "from an older server");
  });

  it("is told of the plan of a run of this window only to who does not look at it", () => {
    const waiting = { ...state({ ...gate, ways_on: GATE_WAYS }), run: "r1" };
    assert.equal(noticeOfWaiting(waiting, true, true), undefined);
    assert.deepEqual(titles(noticeOfWaiting(waiting, true, false)), [
      "Approve",
      "Ask for Changes",
      "Edit Plan",
      "Reject",
    ]);
    assert.deepEqual(titles(noticeOfWaiting(waiting, false, false))[0], "Show Plan");
  });

  it("is another one for another plan", () => {
    const sha = (plan_sha256: string): string =>
      waitingKey(state({ state: "gate", gate: { plan_sha256 } as Status["gate"] }));
    assert.equal(sha("aa"), sha("aa"));
    assert.notEqual(sha("aa"), sha("bb"));
  });
});
