import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";

import { commands, Uri, ViewColumn, window } from "vscode";
import type { Disposable, WebviewPanel } from "vscode";

import { gateHtml, waitingHtml, type PageNews } from "./gateHtml";
import type { PlannedTask } from "./gatePlan";
import { KEPT } from "./gateScript";
import { openBeside } from "./openFile";
import { discardNote, openNote } from "./planFile";
import { openGate } from "./present";
import type { Gate, GateStatus, PageNote } from "./protocol";
import { showError } from "./server";
import type { Workflow, Workflows } from "./workflows";

const ANSWERS: Record<string, string> = {
  approve: "batonClient.approvePlan",
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
  tasks?: unknown;
  notes?: unknown;
  kept?: unknown;
  file?: unknown;
  line?: unknown;
}

interface Shown {
  panel: WebviewPanel;
  plan: string;
  /** The checks that are ticked, in the words of the page. */
  ticked: unknown;
  /** The tasks that are picked, in its words, where it is not all of them. */
  picked: unknown;
  /** The notes in plan.md that the page was told of, as JSON. */
  inFile: string;
}

/** What was written on the page of a plan and not sent; it outlives the page. */
interface Written {
  notes: PageNote[];
  /** All that the page keeps, in its own words. */
  kept: unknown;
}

/** The plan that waits for an answer, beside what is being edited and without taking the focus. */
export class GatePanel implements Disposable {
  private readonly shown = new Map<Workflow, Shown>();
  /** Where the page of a plan was closed since that plan was answered. */
  private readonly answered = new Set<Workflow>();
  private readonly written = new Map<Workflow, Written>();
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
    return this.written.get(workflow)?.notes ?? [];
  }

  /** The tasks that are picked on the page of the plan that waits; undefined where all are. */
  picked(workflow: Workflow): string[] | undefined {
    return ids(this.shown.get(workflow)?.picked);
  }

  /** What was written on the page was sent, or is not wanted any more. */
  forget(workflow: Workflow): void {
    this.written.delete(workflow);
    void this.shown.get(workflow)?.panel.webview.postMessage({ isSent: true } satisfies PageNews);
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
      shown.picked = undefined;
      const { status } = workflow.state;
      const notes = status?.notes ?? [];
      shown.inFile = JSON.stringify(notes);
      this.seen.set(workflow, gate.plan_sha256);
      shown.panel.webview.html = gateHtml({
        gate,
        usage: status?.usage,
        tasks: plannedTasks(workflow, gate),
        exists: (path) => existsSync(Uri.joinPath(workflow.folder.uri, path).fsPath),
        folder: workflow.folder.uri.toString(),
        notes,
        kept: this.written.get(workflow)?.kept,
        page: randomBytes(8).toString("hex"),
        nonce: randomBytes(16).toString("hex"),
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
      const notes = workflow.state.status?.notes ?? [];
      if (JSON.stringify(notes) !== shown.inFile) {
        shown.inFile = JSON.stringify(notes);
        void shown.panel.webview.postMessage({ notes } satisfies PageNews);
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
    const shown: Shown = { panel, plan: "", ticked: undefined, picked: undefined, inFile: "[]" };
    panel.onDidDispose(() => this.shown.delete(workflow));
    panel.webview.onDidReceiveMessage((said: PageAnswer) => {
      this.hear(workflow, shown, said);
    });
    this.shown.set(workflow, shown);
    return shown;
  }

  private hear(workflow: Workflow, shown: Shown, said: PageAnswer): void {
    const { answer, plan, checks, tasks } = said;
    if (plan === shown.plan) {
      this.written.set(workflow, { notes: pageNotes(said.notes), kept: said.kept });
    }
    if (answer === KEPT && plan === shown.plan) {
      shown.ticked = checks;
      shown.picked = tasks;
    } else if (answer === "openFile" && typeof said.file === "string") {
      openBeside(workflow, shown.panel, said.file).then(undefined, showError);
    } else if (answer === "openNote" && typeof said.line === "number") {
      openNote(workflow, said.line).then(undefined, showError);
    } else if (answer === "discardNote" && typeof said.line === "number") {
      discardNote(workflow, said.line).then(undefined, showError);
    } else if (typeof answer === "string" && ANSWERS[answer] !== undefined) {
      // The answer is to the plan on the page, whatever there is by now.
      void commands.executeCommand(ANSWERS[answer], workflow, plan, checks, ids(tasks));
    }
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
    if (state !== undefined && !this.written.has(workflow)) {
      this.written.set(workflow, { notes: [], kept: state });
    }
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

/** The ids that a page says. */
function ids(said: unknown): string[] | undefined {
  return Array.isArray(said) ? said.filter((id) => typeof id === "string") : undefined;
}

/** The tasks of the plan that waits, as the page shows them. */
function plannedTasks({ state }: Workflow, gate: Gate | GateStatus): PlannedTask[] {
  const known = state.status?.tasks ?? [];
  const tasks: Partial<Gate["tasks"][number]>[] = "tasks" in gate ? gate.tasks : known;
  return tasks.map(({ id = "", title = "", depends_on = [] }) => {
    const isDone = known.some((task) => task.id === id && task.status === "completed");
    return { id, title, dependsOn: depends_on, isDone };
  });
}
