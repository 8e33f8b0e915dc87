/** Start a run and follow it. Nothing here needs VS Code. */

import type { CancellationToken, Event } from "vscode";

import { isEnd } from "./present";
import type { PhaseEvent } from "./protocol";

export interface Followed {
  /** Starts a run, or lets one that waits go on: a command of the server, which answers with the run's id. */
  start: () => Promise<unknown>;
  /** Stops the run. */
  cancel: () => Promise<unknown>;
  /** Called for each event of the run, the last one included. */
  tell: (event: PhaseEvent) => void;
  /** An event after which the run is not followed any more, though it is not over. */
  isEnough?: (event: PhaseEvent) => boolean;
  /** When it is cancelled, so is the run. */
  token: CancellationToken;
}

/** Where news of runs comes from. */
export interface News {
  onPhase: Event<PhaseEvent>;
  onCrashed: Event<unknown>;
}

/**
 * The event with which following ended; undefined where nothing was started, since nothing is to be done or since it was
 * cancelled before.
 *
 * @throws what `start` or `cancel` throws, and where the server dies with the run
 */
export async function followRun(news: News, followed: Followed): Promise<PhaseEvent | undefined> {
  const { start, cancel, tell, isEnough = () => false, token } = followed;
  if (token.isCancellationRequested) {
    return undefined;
  }
  // Events may overtake the answer that says whose they are.
  const early: PhaseEvent[] = [];
  let run: string | undefined;
  let end!: (event: PhaseEvent | undefined) => void;
  let fail!: (error: unknown) => void;
  const ended = new Promise<PhaseEvent | undefined>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  const take = (event: PhaseEvent): void => {
    if (event.run !== run) {
      return;
    }
    tell(event);
    if (isEnd(event) || isEnough(event)) {
      end(event);
    }
  };
  const stopIfCancelled = (): void => {
    if (run !== undefined && token.isCancellationRequested) {
      cancel().catch(fail);
    }
  };
  const listening = [
    news.onPhase((event) => {
      if (run === undefined) {
        early.push(event);
      } else {
        take(event);
      }
    }),
    news.onCrashed(() => {
      fail(new Error("The server stopped unexpectedly, and the run with it. What was written stays."));
    }),
    token.onCancellationRequested(stopIfCancelled),
  ];
  // Nobody waits for it where `start` throws.
  ended.catch(() => undefined);
  try {
    run = runOf(await start());
    if (run === undefined) {
      return undefined;
    }
    early.forEach(take);
    stopIfCancelled();
    return await ended;
  } finally {
    for (const each of listening) {
      each.dispose();
    }
  }
}

function runOf(answer: unknown): string | undefined {
  const run = typeof answer === "object" && answer !== null && "run" in answer ? answer.run : undefined;
  return typeof run === "string" ? run : undefined;
}
