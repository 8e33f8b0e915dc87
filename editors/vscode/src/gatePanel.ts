import { randomBytes } from "node:crypto";

import { commands, Uri, ViewColumn, window } from "vscode";
import type { Disposable, WebviewPanel } from "vscode";

import { gateHtml } from "./gateHtml";
import { openGate } from "./present";
import type { Workflow, Workflows } from "./workflows";

const ANSWERS: Record<string, string> = {
  approve: "batonClient.approvePlan",
  approveSome: "batonClient.approveSome",
  askForChanges: "batonClient.askForChanges",
  edit: "batonClient.editPlan",
  reject: "batonClient.rejectPlan",
};

interface Shown {
  panel: WebviewPanel;
  plan: string;
}

/** The plan that waits for an answer, beside what is being edited and without taking the focus. */
export class GatePanel implements Disposable {
  private readonly shown = new Map<Workflow, Shown>();
  private readonly listening: Disposable;

  constructor(
    workflows: Workflows,
    private readonly icon: Uri,
  ) {
    this.listening = workflows.onChanged((workflow) => {
      this.follow(workflow);
    });
  }

  /** Show the plan that waits; false when none does. */
  show(workflow: Workflow, preserveFocus: boolean): boolean {
    const gate = openGate(workflow.state);
    if (gate === null) {
      return false;
    }
    const shown = this.shown.get(workflow) ?? this.open(workflow);
    if (shown.plan !== gate.plan_sha256) {
      shown.plan = gate.plan_sha256;
      const { status } = workflow.state;
      const tasks = "tasks" in gate ? gate.tasks : (status?.tasks ?? []);
      const nonce = randomBytes(16).toString("hex");
      shown.panel.webview.html = gateHtml({
        gate,
        usage: status?.usage,
        hasChoice: tasks.length > 1,
        nonce,
      });
    }
    if (!preserveFocus || !shown.panel.visible) {
      shown.panel.reveal(undefined, preserveFocus);
    }
    return true;
  }

  dispose(): void {
    this.listening.dispose();
    for (const { panel } of this.shown.values()) {
      panel.dispose();
    }
  }

  /** A gate that opens in a run is shown; one that was answered goes. */
  private follow(workflow: Workflow): void {
    const shown = this.shown.get(workflow);
    const gate = openGate(workflow.state);
    if (gate === null) {
      shown?.panel.dispose();
    } else if (workflow.state.gate !== null && shown?.plan !== gate.plan_sha256) {
      this.show(workflow, true);
    }
  }

  private open(workflow: Workflow): Shown {
    const panel = window.createWebviewPanel(
      "baton.gate",
      "Baton: Plan",
      { viewColumn: ViewColumn.Beside, preserveFocus: true },
      { enableScripts: true, localResourceRoots: [] },
    );
    panel.iconPath = this.icon;
    const shown = { panel, plan: "" };
    panel.onDidDispose(() => this.shown.delete(workflow));
    panel.webview.onDidReceiveMessage((answer: unknown) => {
      const command = typeof answer === "string" ? ANSWERS[answer] : undefined;
      if (command !== undefined) {
        void commands.executeCommand(command, workflow);
      }
    });
    this.shown.set(workflow, shown);
    return shown;
  }
}
