import { ProgressLocation, window } from "vscode";
import type { Progress } from "vscode";
import type {
  ProgressToken,
  WorkDoneProgressBegin,
  WorkDoneProgressEnd,
  WorkDoneProgressReport,
} from "vscode-languageclient/node";

/** What the client is told of a run, and the notification that shows it. */
interface Followed {
  news: { message?: string; percentage?: number };
  /** Undefined while it waits for a person, who is asked otherwise. */
  notification: Notification | undefined;
}

interface Notification {
  report: (news: Followed["news"]) => void;
  end: () => void;
}

/** A notification with a cancel button for each run. */
export class RunProgress {
  private readonly followed = new Map<ProgressToken, Followed>();

  constructor(
    private readonly cancel: (run: ProgressToken) => void,
    /** What the notification of a run is called. */
    private readonly title: (run: ProgressToken) => string,
  ) {}

  show(token: ProgressToken, value: WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd): void {
    switch (value.kind) {
      case "begin":
        this.followed.set(token, { news: value, notification: this.begin(token, value) });
        break;
      case "report": {
        const followed = this.followed.get(token);
        if (followed !== undefined) {
          followed.news = value;
          followed.notification?.report(value);
        }
        break;
      }
      case "end":
        this.end(token);
    }
  }

  /** Nothing moves while a run waits for a person: no notification says that something does. */
  waits(token: ProgressToken, waits: boolean): void {
    const followed = this.followed.get(token);
    if (followed === undefined || waits === (followed.notification === undefined)) {
      return;
    }
    followed.notification?.end();
    followed.notification = waits ? undefined : this.begin(token, followed.news);
  }

  /** The server is gone, and with it its runs. */
  endAll(): void {
    for (const token of [...this.followed.keys()]) {
      this.end(token);
    }
  }

  private end(token: ProgressToken): void {
    this.followed.get(token)?.notification?.end();
    this.followed.delete(token);
  }

  private begin(token: ProgressToken, news: Followed["news"]): Notification {
    let percentage = 0;
    let progress: Progress<{ message?: string; increment?: number }> | undefined;
    const { promise, resolve } = withResolvers();
    const report = (news: Followed["news"]): void => {
      const increment = Math.max(0, (news.percentage ?? percentage) - percentage);
      percentage += increment;
      progress?.report({ increment, ...(news.message === undefined ? {} : { message: news.message }) });
    };
    const options = { location: ProgressLocation.Notification, title: this.title(token), cancellable: true };
    void window.withProgress(options, (shown, cancelled) => {
      cancelled.onCancellationRequested(() => {
        this.cancel(token);
      });
      progress = shown;
      report(news);
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
