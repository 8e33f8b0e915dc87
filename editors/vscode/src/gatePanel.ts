import { randomBytes } from "node:crypto";

import { commands, Uri, ViewColumn, window } from "vscode";
import type { Disposable, WebviewPanel } from "vscode";

import { gateHtml, TICKED, waitingHtml, type NotesInFile } from "./gateHtml";
import { openGate } from "./present";
import type { PageNote } from "./protocol";
import type { Workflow, Workflows } from "./workflows";

const ANSWERS: Record<string, string> = {
  approve: "batonClient.approvePlan",
  approveSome: "batonClient.approveSome",
  askForChanges: "batonClient.askForChanges",
  edit: "batonClient.editPlan",
  reject: "batonClient.rejectPlan",
  sendNotes: "batonClient.sendNotes",
  comparePlans: "batonClient.comparePlans",
};

const VIEW = "baton.gate";

/** What the page says; it is a page, and may say anything. */
interface PageAnswer {
  answer?: unknown;
  plan?: unknown;
  checks?: unknown;
  notes?: unknown;
}

interface Shown {
  panel: WebviewPanel;
  plan: string;
  /** The checks that are ticked, in the words of the page. */
  ticked: unknown;
  /** The notes that were written on the page, in its words. */
  written: unknown;
  /** The notes in plan.md that the page was told of. */
  inFile: number;
}

/** The plan that waits for an answer, beside what is being edited and without taking the focus. */
export class GatePanel implements Disposable {
  private readonly shown = new Map<Workflow, Shown>();
  /** Where the page of a plan was closed since that plan was answered. */
  private readonly answered = new Set<Workflow>();
  /** The plan that was shown last, also when its page was closed since. */
  private readonly seen = new Map<Workflow, string>();
  private readonly disposables: Disposable[];

  constructor(
    private readonly workflows: Workflows,
    private readonly icon: Uri,
  ) {
    this.disposables = [
      workflows.onChanged((workflow) => {
        this.follow(workflow);
      }),
      // The page of before a reload: it shows what the files say now.
      window.registerWebviewPanelSerializer(VIEW, {
        deserializeWebviewPanel: (panel, state) => this.restore(panel, state),
      }),
    ];
  }

  /** The user was shown this very plan. */
  hasShown(workflow: Workflow, plan: string): boolean {
    return this.seen.get(workflow) === plan;
  }

  /** The checks that are ticked on the page of the plan that waits, as the page says. */
  ticked(workflow: Workflow): unknown {
    return this.shown.get(workflow)?.ticked;
  }

  /** The notes that were written on the page of the plan that waits and not sent. */
  notes(workflow: Workflow): PageNote[] {
    return pageNotes(this.shown.get(workflow)?.written);
  }

  /** The plan that waits is in sight, or a click away. */
  isShown(workflow: Workflow): boolean {
    return this.shown.has(workflow);
  }

  /** The page of the plan that waits is in front of the user, who is in this window. */
  isLookedAt(workflow: Workflow): boolean {
    return window.state.focused && this.shown.get(workflow)?.panel.visible === true;
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
      shown.ticked = undefined;
      shown.written = undefined;
      const { status } = workflow.state;
      shown.inFile = status?.notes?.length ?? 0;
      const tasks = "tasks" in gate ? gate.tasks : (status?.tasks ?? []);
      const nonce = randomBytes(16).toString("hex");
      this.seen.set(workflow, gate.plan_sha256);
      shown.panel.webview.html = gateHtml({
        gate,
        usage: status?.usage,
        hasChoice: tasks.length > 1,
        folder: workflow.folder.uri.toString(),
        notes: shown.inFile,
        nonce,
      });
    }
    if (!preserveFocus || !shown.panel.visible) {
      shown.panel.reveal(undefined, preserveFocus);
    }
    return true;
  }

  dispose(): void {
    for (const disposable of this.disposables) {
      disposable.dispose();
    }
    for (const { panel } of this.shown.values()) {
      panel.dispose();
    }
  }

  /** A gate that opens in a run is shown, and what is shown follows the plan; one that was answered goes. */
  private follow(workflow: Workflow): void {
    const shown = this.shown.get(workflow);
    const gate = openGate(workflow.state);
    if (gate === null) {
      // Before the server has said anything, the page of before a reload stays.
      if (workflow.state.isKnown && shown !== undefined) {
        this.answered.add(workflow);
        shown.panel.dispose();
      }
    } else if (this.opens(workflow) && shown?.plan !== gate.plan_sha256) {
      this.answered.delete(workflow);
      this.show(workflow, true);
    } else if (shown !== undefined) {
      const notes = workflow.state.status?.notes?.length ?? 0;
      if (notes !== shown.inFile) {
        shown.inFile = notes;
        void shown.panel.webview.postMessage({ notes } satisfies NotesInFile);
      }
    }
  }

  /** Whether the plan that waits is shown by itself: in a run, on a page that is there, or that went with the plan before. */
  private opens(workflow: Workflow): boolean {
    return workflow.state.gate !== null || this.shown.has(workflow) || this.answered.has(workflow);
  }

  private open(workflow: Workflow): Shown {
    const panel = window.createWebviewPanel(
      VIEW,
      `${workflow.title}: Plan`,
      { viewColumn: ViewColumn.Beside, preserveFocus: true },
      { enableScripts: true, localResourceRoots: [] },
    );
    return this.attach(workflow, panel);
  }

  private attach(workflow: Workflow, panel: WebviewPanel): Shown {
    panel.iconPath = this.icon;
    const shown: Shown = { panel, plan: "", ticked: undefined, written: undefined, inFile: 0 };
    panel.onDidDispose(() => this.shown.delete(workflow));
    panel.webview.onDidReceiveMessage(({ answer, plan, checks, notes }: PageAnswer) => {
      if (plan === shown.plan) {
        shown.written = notes;
      }
      if (answer === TICKED && plan === shown.plan) {
        shown.ticked = checks;
      }
      const command = typeof answer === "string" ? ANSWERS[answer] : undefined;
      if (command !== undefined) {
        // The answer is to the plan on the page, whatever there is by now.
        void commands.executeCommand(command, workflow, plan, checks);
      }
    });
    this.shown.set(workflow, shown);
    return shown;
  }

  private restore(panel: WebviewPanel, state: unknown): Promise<void> {
    const folder = (state as { folder?: unknown } | undefined)?.folder;
    const all = this.workflows.all();
    // A page that was never in sight has kept no state.
    const only = all.length === 1 ? all[0] : undefined;
    const workflow = all.find(({ folder: { uri } }) => uri.toString() === folder) ?? only;
    if (workflow === undefined || this.shown.has(workflow)) {
      panel.dispose();
      return Promise.resolve();
    }
    this.attach(workflow, panel);
    panel.webview.html = waitingHtml(workflow.folder.uri.toString(), randomBytes(16).toString("hex"));
    if (openGate(workflow.state) === null) {
      workflow.refreshSoon();
    } else {
      this.show(workflow, true);
    }
    this.follow(workflow);
    return Promise.resolve();
  }
}

/** The notes that a page says were written on it. */
export function pageNotes(said: unknown): PageNote[] {
  const notes = Array.isArray(said) ? (said as unknown[]) : [];
  return notes.flatMap((note) => {
    const { task, text } = (typeof note === "object" && note !== null ? note : {}) as Record<string, unknown>;
    return typeof text === "string" && text.trim() !== ""
      ? [{ text, ...(typeof task === "string" ? { task } : {}) }]
      : [];
  });
}
