import { commands, window } from "vscode";
import type { Disposable, Event } from "vscode";

import type { GatePanel } from "./gatePanel";
import type { PhaseEvent } from "./protocol";
import { takeIfOpen } from "./takeWay";
import { noticeOfEnd, noticeOfWaiting, waitingKey, type Button, type Notice } from "./waysOn";
import type { Workflow, Workflows } from "./workflows";

/** Says how a run ended, and what waits for the user out of sight, each once, with the ways on as buttons. */
export class Outcomes implements Disposable {
  private readonly disposables: Disposable[];
  /** What was said to wait. */
  private readonly told = new WeakMap<Workflow, Set<string>>();
  /** Those whose end was said; what waits then is said with it. */
  private readonly ended = new Set<Workflow>();
  /** Those whose run was lost with the server's process. */
  private readonly lost = new Set<Workflow>();

  constructor(
    workflows: Workflows,
    private readonly gatePanel: GatePanel,
    onCrashed: Event<unknown>,
  ) {
    this.disposables = [
      onCrashed(() => {
        for (const workflow of workflows.all().filter(({ state }) => state.run !== null)) {
          this.lost.add(workflow);
        }
      }),
      workflows.onEnded(({ workflow, event }) => {
        void this.tellEnd(workflow, event);
      }),
      workflows.onStatus((workflow) => {
        this.tellWhatWaits(workflow);
      }),
    ];
  }

  dispose(): void {
    for (const disposable of this.disposables) {
      disposable.dispose();
    }
  }

  private async tellEnd(workflow: Workflow, { outcome, ways_on: ways, message }: PhaseEvent): Promise<void> {
    // An older server says it by itself.
    if (outcome === undefined || ways === undefined) {
      return;
    }
    this.ended.add(workflow);
    // What was found is in the status alone. Without one, the end is said all the same.
    await workflow.refresh().catch(() => undefined);
    tell(workflow, noticeOfEnd(workflow.state, outcome, message, ways));
  }

  private tellWhatWaits(workflow: Workflow): void {
    const key = waitingKey(workflow.state);
    const { gatePanel } = this;
    const waiting = noticeOfWaiting(workflow.state, gatePanel.isShown(workflow), gatePanel.isLookedAt(workflow));
    const isLost = this.lost.delete(workflow);
    const notice = isLost ? afterCrash(workflow, waiting) : waiting;
    const told = this.told.get(workflow) ?? new Set();
    this.told.set(workflow, told);
    const wasTold = this.ended.delete(workflow) || (told.has(key) && !isLost);
    told.add(key);
    if (notice !== undefined && !wasTold) {
      tell(workflow, notice);
    }
  }
}

/** The server is a new process: what became of the run is said with it. */
function afterCrash({ state }: Workflow, waiting: Notice | undefined): Notice {
  const now = waiting?.message ?? state.status?.summary ?? "";
  const message = `the server stopped unexpectedly, and the run with it. It was started again. ${now}`.trim();
  const log: Button = { title: "Show Log", client: "batonClient.showLog" };
  return { severity: "warning", message, buttons: [...(waiting?.buttons ?? []), log] };
}

/** Not waited for: it stands until the user answers or closes it. */
function tell(workflow: Workflow, { severity, message, buttons }: Notice): void {
  const show = {
    information: window.showInformationMessage,
    warning: window.showWarningMessage,
    error: window.showErrorMessage,
  }[severity];
  const titles = buttons.map(({ title }) => title);
  void show(`${workflow.title}: ${message}`, ...titles).then(async (answer) => {
    const button = buttons.find(({ title }) => title === answer);
    if (button === undefined) {
      return;
    }
    if ("way" in button) {
      await takeIfOpen(workflow, button.way);
    } else if (button.client.startsWith("batonClient.")) {
      await commands.executeCommand(button.client, workflow);
    } else {
      await commands.executeCommand(button.client);
    }
  });
}
