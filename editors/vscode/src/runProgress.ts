import { ProgressLocation, window } from "vscode";
import type { Progress } from "vscode";
import type {
  ProgressToken,
  WorkDoneProgressBegin,
  WorkDoneProgressEnd,
  WorkDoneProgressReport,
} from "vscode-languageclient/node";

interface Shown {
  report: (value: WorkDoneProgressReport) => void;
  end: () => void;
}

/** A notification with a cancel button for each run. */
export class RunProgress {
  private readonly shown = new Map<ProgressToken, Shown>();

  constructor(private readonly cancel: (run: ProgressToken) => void) {}

  show(token: ProgressToken, value: WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd): void {
    switch (value.kind) {
      case "begin":
        this.shown.set(token, this.begin(token, value));
        break;
      case "report":
        this.shown.get(token)?.report(value);
        break;
      case "end":
        this.end(token);
    }
  }

  /** The server is gone, and with it its runs. */
  endAll(): void {
    for (const token of [...this.shown.keys()]) {
      this.end(token);
    }
  }

  private end(token: ProgressToken): void {
    this.shown.get(token)?.end();
    this.shown.delete(token);
  }

  private begin(token: ProgressToken, value: WorkDoneProgressBegin): Shown {
    let percentage = 0;
    let progress: Progress<{ message?: string; increment?: number }> | undefined;
    const { promise, resolve } = withResolvers();
    const report = (news: { message?: string; percentage?: number }): void => {
      const increment = Math.max(0, (news.percentage ?? percentage) - percentage);
      percentage += increment;
      progress?.report({ increment, ...(news.message === undefined ? {} : { message: news.message }) });
    };
    const options = { location: ProgressLocation.Notification, title: value.title, cancellable: true };
    void window.withProgress(options, (shown, cancelled) => {
      cancelled.onCancellationRequested(() => {
        this.cancel(token);
      });
      progress = shown;
      report(value);
      return promise;
    });
    return { report, end: resolve };
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((resolved) => {
    resolve = resolved;
  });
  return { promise, resolve };
}
