import { commands, Uri } from "vscode";
import type { Disposable } from "vscode";

import type { RunLog } from "./protocol";
import type { Server } from "./server";
import type { Texts } from "./texts";
import type { Workflow } from "./workflows";

/** How long news of a run are gathered before its log is read again. */
const QUIET_MS = 1000;

/** The conversations of runs, as Markdown; that of a run at work goes on as it does. */
export class Logs implements Disposable {
  /** By the run: its log, which was shown. */
  private readonly shown = new Map<string, { workflow: Workflow; uri: Uri }>();
  private readonly due = new Map<string, NodeJS.Timeout>();
  private readonly subscription: Disposable;

  constructor(
    private readonly server: Server,
    private readonly texts: Texts,
  ) {
    this.subscription = server.onPhase(({ run }) => {
      if (this.shown.has(run) && !this.due.has(run)) {
        const timer = setTimeout(() => {
          this.due.delete(run);
          void this.readAgain(run).catch(() => undefined);
        }, QUIET_MS);
        this.due.set(run, timer);
      }
    });
  }

  /** The log of a run; without one of the run at work, or the last one. */
  async open(workflow: Workflow, run?: string): Promise<void> {
    const log = await workflow.call<RunLog>("baton.log", run === undefined ? {} : { run });
    const uri = this.uriOf(log);
    this.shown.set(log.run, { workflow, uri });
    this.server.textChanged(uri);
    await commands.executeCommand("markdown.showPreview", uri);
  }

  dispose(): void {
    this.subscription.dispose();
    for (const timer of this.due.values()) {
      clearTimeout(timer);
    }
  }

  /** The server's own document where it has one, else what it answered. */
  private uriOf({ run, uri, markdown }: RunLog): Uri {
    return this.server.servesTexts() ? Uri.parse(uri) : this.texts.keep(`/log/${run}.md`, markdown);
  }

  private async readAgain(run: string): Promise<void> {
    const shown = this.shown.get(run);
    if (shown === undefined) {
      return;
    }
    if (this.server.servesTexts()) {
      this.server.textChanged(shown.uri);
    } else {
      this.uriOf(await shown.workflow.call<RunLog>("baton.log", { run }));
    }
  }
}
