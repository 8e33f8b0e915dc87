import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Command, Uri } from "vscode";

import { answer, followups, type Asked, type Stream, type Surroundings } from "../../src/chatAnswer";
import { afterStatus, nothing, type State } from "../../src/present";
import type { GateStatus, Issue, PhaseEvent, Status, WayOn } from "../../src/protocol";

const NO_USAGE = { input_tokens: 0, cache_write_tokens: 0, cache_read_tokens: 0, output_tokens: 0, cost_usd: 0 };
const SOME = { usd: 1, tokens: 1000 };

const GATE: GateStatus = {
  plan_sha256: "cafe",
  markdown: "# Plan, version 1\n\nGive greet a name.\n",
  protected: [],
  flagged: [],
  questions: [],
  estimate: { low: SOME, high: SOME, ceiling: SOME },
  models: [],
  checks: [{ name: "test", command: "npm test", trusted: false }],
  warnings: [],
};

const way = (id: string, title: string, command: string | null): WayOn => ({ id, title, command, arguments: null });
const ANSWERS = [
  way("approve", "Approve", "baton.approve"),
  way("revise", "Ask for Changes", "baton.plan"),
  way("reject", "Reject", "baton.reject"),
];

const FRESH: Status = {
  run: null,
  task: null,
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
  next: "task",
  state: "fresh",
  summary: "No workflow here yet.",
  ways_on: [],
};
const AT_GATE: Status = {
  ...FRESH,
  run: "r1",
  task: "Greet by name",
  state: "gate",
  summary: "Plan, version 1, waits for you.",
  phases: FRESH.phases.map((row) => (row.phase === "context" ? { ...row, status: "done" } : row)),
  gate: GATE,
  ways_on: ANSWERS,
};
const ISSUE: Issue = {
  id: "i1",
  severity: "major",
  file: "greet.py",
  line: 2,
  description: "An *empty* name greets nobody.",
  state: "new",
};
const MERGED: Status = {
  ...FRESH,
  run: "r1",
  task: "Greet by name",
  state: "merged",
  outcome: "merged",
  issues: [ISSUE],
  ways_on: [
    way("show_changes", "Show Changes", "baton.diff"),
    { id: "fix", title: "Fix 1 Issue", command: "baton.fixIssue", arguments: { ids: ["i1"] } },
    way("save", "Save Files", null),
  ],
};

const event = (
  phase: PhaseEvent["phase"],
  status: PhaseEvent["status"],
  message: string,
  more: Partial<PhaseEvent> = {},
): PhaseEvent => ({ folder: "file:///w", run: "r1", phase, status, message, ...more });

/** The user was asked for a model. */
class Postponed extends Error {}

/** A chat with a workflow that goes from one status to another by a run of these events. */
class Chat implements Stream {
  markdowns: string[] = [];
  progresses: string[] = [];
  buttons: Command[] = [];
  anchors: string[] = [];
  /** What the server was told to do. */
  calls: [string, object][] = [];
  private state: State;

  constructor(
    before: Status | null,
    private readonly events: PhaseEvent[] = [],
    private readonly after: Status | null = before,
    private readonly refuses?: Error,
  ) {
    this.state = afterStatus(nothing, before);
  }

  async ask(asked: Partial<Asked>): Promise<ReturnType<typeof followups>> {
    return followups(await answer({ command: undefined, prompt: "", files: [], ...asked }, this.surroundings(), this));
  }

  /** All that was said, in one line. */
  get said(): string {
    return this.markdowns.join("").split(/\s+/).join(" ").trim();
  }

  get titles(): string[] {
    return this.buttons.map(({ title }) => title);
  }

  markdown(value: unknown): void {
    assert.ok(typeof value === "string");
    this.markdowns.push(value);
  }
  progress(value: string): void {
    this.progresses.push(value);
  }
  button(command: Command): void {
    this.buttons.push(command);
  }
  anchor(_value: unknown, title?: string): void {
    this.anchors.push(title ?? "");
    this.markdowns.push(title ?? "");
  }

  private surroundings(): Surroundings {
    const now = (): State => this.state;
    return {
      workflow: {
        get state() {
          return now();
        },
        refresh: () => Promise.resolve(),
        execute: (command, args) => {
          this.calls.push([command, args]);
          if (this.refuses !== undefined) {
            throw this.refuses;
          }
          return Promise.resolve({ run: "r1" });
        },
        folder: { uri: { toString: () => "file:///w" } },
      },
      follow: async (start, tell, isEnough) => {
        await start();
        for (const each of this.events) {
          tell(each);
          if (isEnough(each)) {
            break;
          }
        }
        this.state = afterStatus(this.state, this.after);
        return this.events.at(-1);
      },
      defaultBase: () => Promise.resolve("main"),
      place: ({ file }) => file as unknown as Uri,
      refusal: (error) => (error instanceof Postponed || !(error instanceof Error) ? undefined : error.message),
    };
  }
}

const TO_THE_GATE = [
  event("workflow", "started", "Started"),
  event("context", "started", "Gathering context"),
  event("context", "progress", "reads greet.py", { task: "T1" }),
  event("context", "progress", "waiting for the model, 10 s"),
  event("plan", "waiting", "The plan waits"),
];

describe("@baton", () => {
  it("starts the workflow with what was written, and shows the plan with its answers", async () => {
    const chat = new Chat(FRESH, TO_THE_GATE, AT_GATE);
    const next = await chat.ask({ prompt: "Greet by name", files: ["greet.py"] });
    assert.deepEqual(chat.calls, [["baton.workflow", { task: "Greet by name\n\nIt is about: greet.py" }]]);
    assert.match(chat.progresses[0] ?? "", /Stopping this answer stops the run/);
    assert.ok(chat.progresses.includes("Gathering context"));
    const small = /reads greet\.py|waiting for the model/;
    assert.ok(!chat.progresses.some((line) => small.test(line)), "what agents are at is elsewhere");
    assert.match(
      chat.said,
      /# Plan, version 1 Give greet a name\..*Nothing of this plan is written before you approve/,
    );
    assert.match(chat.said, /Not run, since you have not trusted them: `test`/);
    assert.deepEqual(chat.titles, ["Approve", "Ask for Changes", "Reject"]);
    const [approve] = chat.buttons;
    assert.equal(approve?.command, "batonClient.approvePlan");
    assert.equal(approve.arguments?.[1], "cafe", "the approval names the plan that was shown");
    assert.deepEqual(
      next.map(({ command }) => command),
      ["status"],
    );
  });

  it("shows the plan that waits, and starts nothing for it", async () => {
    for (const command of ["plan", "run"]) {
      const chat = new Chat(AT_GATE);
      await chat.ask({ command });
      assert.deepEqual(chat.calls, []);
      assert.match(chat.said, /Give greet a name/);
      assert.ok(chat.titles.includes("Approve"));
    }
  });

  it("takes words after /plan as what should be different", async () => {
    const chat = new Chat(AT_GATE, [event("plan", "waiting", "The plan waits")]);
    await chat.ask({ command: "plan", prompt: "One task only" });
    assert.deepEqual(chat.calls, [["baton.plan", { feedback: "One task only" }]]);
    const first = new Chat(FRESH, TO_THE_GATE, AT_GATE);
    await first.ask({ command: "plan", prompt: "Greet by name" });
    assert.deepEqual(first.calls, [["baton.workflow", { task: "Greet by name" }]], "nothing is planned yet");
  });

  it("goes on where it stands, and tells how the run ended", async () => {
    const paused: Status = { ...AT_GATE, state: "interrupted", gate: null, ways_on: [] };
    const end = event("workflow", "done", "Approved; checks passed: test", { outcome: "merged" });
    const chat = new Chat(paused, [event("implement", "started", "Implementing"), end], MERGED);
    await chat.ask({ command: "run" });
    assert.deepEqual(chat.calls, [["baton.workflow", {}]]);
    assert.match(chat.said, /Approved; checks passed: test/);
    assert.deepEqual(chat.anchors, ["greet.py:2"]);
    assert.match(chat.said, /\*\*major\*\* greet\.py:2 An \\\*empty\\\* name greets nobody/);
    assert.deepEqual(chat.titles, ["Show Changes", "Fix 1 Issue"], "what is the client's own affair has no button");
    assert.deepEqual(chat.buttons[1]?.arguments, [{ ids: ["i1"], folder: "file:///w" }]);
  });

  it("says where it stands, without a run", async () => {
    const chat = new Chat(AT_GATE);
    await chat.ask({ command: "status", prompt: "Where does it stand?" });
    assert.deepEqual(chat.calls, []);
    assert.match(chat.said, /\*\*Task:\*\* Greet by name Plan, version 1, waits for you\. - Context: done/);
    assert.deepEqual(chat.titles, ["Approve", "Ask for Changes", "Reject"]);
    const empty = new Chat(null);
    await empty.ask({});
    assert.match(empty.said, /No workflow here yet/);
  });

  it("says what to do where there is no task", async () => {
    for (const command of ["run", "plan"]) {
      const chat = new Chat(FRESH);
      await chat.ask({ command });
      assert.deepEqual(chat.calls, []);
      assert.match(chat.said, /Say .*what should be done/);
    }
  });

  it("reviews against a commit, or against the main branch where none is named", async () => {
    const found: Status = {
      ...MERGED,
      base_review: { base: "1a2b", verdict: "changes_requested", summary: "One thing." },
      issues: [
        { ...ISSUE, base: "1a2b" },
        { ...ISSUE, id: "i2", line: 9 },
      ],
    };
    const chat = new Chat(FRESH, [event("workflow", "done", "changes requested, 1 issue")], found);
    await chat.ask({ command: "review", prompt: "HEAD~3" });
    assert.deepEqual(chat.calls, [["baton.review", { base: "HEAD~3" }]]);
    assert.match(chat.said, /\*\*Changes requested\.\*\* One thing\./);
    assert.deepEqual(chat.anchors, ["greet.py:2"], "issues of the workflow are not this review's");
    const failed = new Chat(FRESH, [event("workflow", "failed", "The network is down")], FRESH);
    await failed.ask({ command: "review" });
    assert.deepEqual(failed.calls, [["baton.review", { base: "main" }]]);
    assert.match(failed.said, /^The network is down$/);
  });

  it("tells a refusal in the server's words, with what can be done instead", async () => {
    const refused = new Chat(AT_GATE, [], AT_GATE, new Error("run r1 is at work here"));
    await refused.ask({ prompt: "Something else" });
    assert.match(refused.said, /^run r1 is at work here$/);
    assert.ok(refused.titles.includes("Approve"));
    // The user is asked in a notification.
    const postponed = new Chat(FRESH, [], FRESH, new Postponed());
    await postponed.ask({ prompt: "Greet by name" });
    assert.match(postponed.said, /a notification says what is missing/);
    assert.deepEqual(postponed.titles, ["Set API Key…", "Choose Model…"]);
  });

  it("shows no markup, command or image of what a model wrote", async () => {
    const hostile = { ...MERGED, issues: [{ ...ISSUE, description: "[x](command:evil) ![p](http://x/y) <b>$(bug)" }] };
    const chat = new Chat(hostile);
    await chat.ask({ command: "status" });
    assert.ok(!/[^\\]\]\(|<b>|[^\\]\$\(/.test(chat.said), chat.said);
  });
});
