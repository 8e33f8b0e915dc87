import { commands, window } from "vscode";
import type { Disposable } from "vscode";

import type { GatePanel } from "./gatePanel";
import type { PhaseEvent } from "./protocol";
import { takeIfOpen } from "./takeWay";
import { noticeOfEnd, noticeOfWaiting, waitingKey, type Notice } from "./waysOn";
import type { Workflow, Workflows } from "./workflows";

/** Says how a run ended, and what waits when a folder is opened, each once, with the ways on as buttons. */
export class Outcomes implements Disposable {
  private readonly disposables: Disposable[];
  /** What was said to wait. */
  private readonly told = new WeakMap<Workflow, Set<string>>();
  /** Those whose end was said; what waits then is said with it. */
  private readonly ended = new Set<Workflow>();

  constructor(
    workflows: Workflows,
    private readonly gatePanel: GatePanel,
  ) {
    this.disposables = [
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
    const notice = noticeOfWaiting(workflow.state, this.gatePanel.isShown(workflow));
    const told = this.told.get(workflow) ?? new Set();
    this.told.set(workflow, told);
    const wasTold = told.has(key) || this.ended.delete(workflow);
    told.add(key);
    if (notice !== undefined && !wasTold) {
      tell(workflow, notice);
    }
  }
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
