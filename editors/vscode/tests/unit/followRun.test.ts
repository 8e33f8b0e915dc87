import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { CancellationToken, Event } from "vscode";

import { followRun, type Followed, type News } from "../../src/followRun";
import type { PhaseEvent } from "../../src/protocol";

class Emitter<T> {
  listeners = new Set<(value: T) => unknown>();
  readonly event: Event<T> = (listener) => {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  };
  fire(value: T): void {
    for (const listener of this.listeners) {
      listener(value);
    }
  }
}

class Token implements CancellationToken {
  isCancellationRequested = false;
  private readonly emitter = new Emitter<unknown>();
  readonly onCancellationRequested = this.emitter.event;
  cancel(): void {
    this.isCancellationRequested = true;
    this.emitter.fire(undefined);
  }
}

const event = (run: string, phase: string, status: PhaseEvent["status"]): PhaseEvent => ({
  folder: "file:///w",
  run,
  phase,
  status,
  message: `${phase} ${status}`,
});
const END = event("r1", "workflow", "done");

interface Run {
  phase: Emitter<PhaseEvent>;
  crashed: Emitter<unknown>;
  token: Token;
  told: string[];
  cancels: number;
  following: Promise<PhaseEvent | undefined>;
}

function follow(start: () => Promise<unknown>, more: Partial<Followed> = {}): Run {
  const [phase, crashed, token] = [new Emitter<PhaseEvent>(), new Emitter<unknown>(), new Token()];
  const news: News = { onPhase: phase.event, onCrashed: crashed.event };
  const run: Run = { phase, crashed, token, told: [], cancels: 0, following: Promise.resolve(undefined) };
  run.following = followRun(news, {
    start,
    cancel: () => {
      run.cancels += 1;
      return Promise.resolve();
    },
    tell: ({ message }) => run.told.push(message),
    token,
    ...more,
  });
  return run;
}

const started = (): Promise<unknown> => Promise.resolve({ run: "r1" });
/** Lets what was answered arrive. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("following a run", () => {
  it("tells its events to its end, also those that overtake the answer, and no others", async () => {
    let answer!: (value: unknown) => void;
    const run = follow(() => new Promise((resolve) => (answer = resolve)));
    run.phase.fire(event("r1", "context", "started"));
    run.phase.fire(event("r2", "plan", "started"));
    answer({ run: "r1" });
    await turn();
    run.phase.fire(event("r2", "workflow", "done"));
    run.phase.fire(END);
    assert.equal(await run.following, END);
    assert.deepEqual(run.told, ["context started", "workflow done"]);
    assert.equal(run.phase.listeners.size + run.crashed.listeners.size, 0, "nothing listens any more");
  });

  it("ends early where that is enough, and leaves the run alone", async () => {
    const run = follow(started, { isEnough: ({ status }) => status === "waiting" });
    await turn();
    run.phase.fire(event("r1", "plan", "waiting"));
    assert.equal((await run.following)?.status, "waiting");
    run.token.cancel();
    assert.equal(run.cancels, 0);
  });

  it("cancels the run with the question, once", async () => {
    const run = follow(started);
    await turn();
    run.token.cancel();
    assert.equal(run.cancels, 1);
    run.phase.fire(event("r1", "workflow", "cancelled"));
    assert.equal((await run.following)?.status, "cancelled");
  });

  it("cancels a run whose start was not answered yet", async () => {
    let answer!: (value: unknown) => void;
    const run = follow(() => new Promise((resolve) => (answer = resolve)));
    run.token.cancel();
    assert.equal(run.cancels, 0, "it is not known yet which");
    answer({ run: "r1" });
    await turn();
    assert.equal(run.cancels, 1);
    run.phase.fire(event("r1", "workflow", "cancelled"));
    await run.following;
  });

  it("starts nothing that was cancelled before, and follows nothing that was not started", async () => {
    const token = new Token();
    token.cancel();
    const none = follow(() => assert.fail("it is not started"), { token });
    assert.equal(await none.following, undefined);
    assert.equal(await follow(() => Promise.resolve({ message: "nothing to do" })).following, undefined);
    await assert.rejects(follow(() => Promise.reject(new Error("run r0 is at work"))).following, /r0 is at work/);
  });

  it("ends with the server", async () => {
    const run = follow(started);
    await turn();
    run.crashed.fire(undefined);
    await assert.rejects(run.following, /stopped unexpectedly/);
  });
});
