import { commands, Uri, window } from "vscode";
import type { Disposable, QuickPickItem } from "vscode";

import { approve, askForChanges, editPlan } from "./answerPlan";
import { calledFrom } from "./calledFrom";
import type { Changes } from "./changes";
import type { GatePanel } from "./gatePanel";
import { showHistory } from "./history";
import { answerAtCursor, fileInSight, keepFile, keepTask } from "./hunks";
import type { Logs } from "./log";
import { comparePlans, sendNotes } from "./planNotes";
import { contextKeys, failedChecks, headline, oneLine, openGate, openIssues, phaseChoices, placeOf } from "./present";
import type { CheckAnswer, CheckStatus, Issue, PhaseName } from "./protocol";
import type { ReviewPage } from "./reviewPage";
import { reviewSince } from "./reviewSince";
import { runAbout } from "./runAbout";
import { statusMenu } from "./statusMenu";
import { showError } from "./server";
import { startWithTask } from "./taskInput";
import type { Node } from "./tree";
import { undo } from "./undo";
import { withWords, type Drafts } from "./words";
import type { Workflow, Workflows } from "./workflows";

export interface Parts {
  workflows: Workflows;
  gatePanel: GatePanel;
  changes: Changes;
  logs: Logs;
  reviewPage: ReviewPage;
  drafts: Drafts;
  /** Of this extension's package. */
  contributions: Contributions;
}

/**
 * `plan` is the hash of the plan on the page that was answered, `checks` what was said there of the checks, `tasks` those
 * that were picked there (undefined: all), `files` those in whose menu it was chosen.
 */
type Action = (
  workflow: Workflow,
  node: Node | undefined,
  plan: string | undefined,
  checks: CheckAnswer | undefined,
  files: Uri[],
  tasks: string[] | undefined,
) => Promise<unknown>;

/** The commands that are about a workflow; each is for one folder. */
export function workflowCommands(parts: Parts): Disposable[] {
  const { gatePanel, changes, logs, reviewPage, drafts } = parts;
  const actions: Record<string, Action> = {
    ...changeActions(changes),
    openLog: (workflow) => logs.open(workflow),
    history: (workflow) => showHistory(workflow, logs),
    showReview: (workflow) => reviewPage.show(workflow),
    runWorkflow: (workflow) =>
      startWithTask(drafts, workflow, {
        title: "Run Workflow",
        command: "baton.workflow",
        again: "batonClient.runWorkflow",
      }),
    runQuick: (workflow) =>
      startWithTask(drafts, workflow, {
        title: "Run Quick",
        command: "baton.workflow",
        again: "batonClient.runQuick",
        quick: true,
      }),
    runAbout: (workflow, _node, _plan, _checks, files) => runAbout(drafts, workflow, files),
    gatherContext: async (workflow) => {
      await workflow.refresh();
      if (workflow.state.status?.task == null) {
        const again = "batonClient.gatherContext";
        await startWithTask(drafts, workflow, { title: "Gather Context", command: "baton.context", again });
      } else {
        await workflow.call("baton.context");
      }
    },
    plan: (workflow) => workflow.call("baton.plan"),
    implement: (workflow) => workflow.call("baton.implement"),
    implementOnly: async (workflow, node) => {
      const only = node?.kind === "task" ? [node.task.id] : await pickTasks(workflow, "Implement which tasks?");
      if (only !== undefined) {
        await workflow.call("baton.implement", { only });
      }
    },
    review: (workflow) => workflow.call("baton.review"),
    reviewSince: (workflow) =>
      reviewSince(drafts, workflow, "batonClient.reviewSince", (base) => workflow.call("baton.review", { base })),
    runPhase: async (workflow, node) => {
      const phase = node?.kind === "phase" ? node.phase.phase : await pickPhase(workflow);
      if (phase !== undefined) {
        await workflow.runPhase(phase);
      }
    },
    showPlan: async (workflow) => {
      if (!gatePanel.show(workflow, false)) {
        await workflow.call("baton.openPlan");
      }
    },
    approvePlan: (workflow, _node, plan, checks, _files, tasks) =>
      approve(
        workflow,
        gatePanel,
        plan,
        plan === undefined ? gatePanel.picked(workflow) : tasks,
        checks ?? checkAnswer(gatePanel.ticked(workflow)),
      ),
    approveSome: async (workflow, _node, plan, checks) => {
      const shown = plan ?? openGate(workflow.state)?.plan_sha256;
      const tasks = await pickTasks(workflow, "Approve which tasks? What they depend on must be among them.");
      if (tasks !== undefined) {
        await approve(workflow, gatePanel, shown, tasks, checks ?? checkAnswer(gatePanel.ticked(workflow)));
      }
    },
    askForChanges: (workflow) => askForChanges(drafts, workflow),
    sendNotes: (workflow) => sendNotes(workflow, gatePanel),
    comparePlans: (workflow) => comparePlans(workflow),
    editPlan: (workflow) => editPlan(workflow),
    rejectPlan: async (workflow) => {
      if (await isSure(workflow, "Reject this plan? The workflow ends; nothing of it is written.", "Reject")) {
        await workflow.call("baton.reject");
        gatePanel.forget(workflow);
      }
    },
    status: (workflow) => statusMenu(workflow),
    tell: (workflow, node) => tell(drafts, workflow, node?.kind === "task" ? node.task.id : undefined),
    cancel,
    reset: async (workflow) => {
      if (
        await isSure(workflow, "Set this workflow aside? It goes to the history; your files stay as they are.", "Reset")
      ) {
        await workflow.call("baton.reset");
      }
    },
    fixIssue: async (workflow, node) => {
      const issue = node?.kind === "issue" ? node.issue : await pickIssue(workflow, "Fix which issue?");
      if (issue !== undefined) {
        await workflow.call("baton.fixIssue", { id: issue.id });
      }
    },
    dismissIssue: async (workflow, node) => {
      const issue = node?.kind === "issue" ? node.issue : await pickIssue(workflow, "Dismiss which issue?");
      if (issue !== undefined) {
        await dismiss(workflow, issue);
      }
    },
    openCheckLog: async (workflow, node) => {
      const check = node?.kind === "check" ? node.check : await pickCheck(workflow);
      if (check?.file != null) {
        await openCheckLog(workflow, check.file);
      }
    },
    openTask: async (workflow) => {
      await workflow.call("baton.openTask");
    },
  };
  return Object.entries(actions).map(([name, action]) =>
    commands.registerCommand(`batonClient.${name}`, (from: unknown, ...more: unknown[]) =>
      run(parts, name, action, from, more),
    ),
  );
}

/** What was changed: looked at, kept, undone and brought back. */
function changeActions(changes: Changes): Record<string, Action> {
  return {
    showChanges: (workflow, node) => changes.show(workflow, node?.kind === "task" ? node.task.id : undefined),
    showChange: async (workflow, node) => {
      const file = node?.kind === "file" ? node.file : fileInSight(workflow);
      if (file !== undefined) {
        await changes.showFile(workflow, file);
      }
    },
    keepChange: (workflow) => answerAtCursor(workflow, "keep"),
    undoChange: (workflow) => answerAtCursor(workflow, "undo"),
    keepFile: (workflow, node) =>
      node?.kind === "task"
        ? keepTask(workflow, node.task.id)
        : keepFile(workflow, node?.kind === "file" ? node.file : undefined),
    undoFile: async (workflow, node) => {
      const file = node?.kind === "file" ? node.file : fileInSight(workflow);
      if (file !== undefined) {
        await undo(workflow, { file });
      }
    },
    undoRun: (workflow, node) => undo(workflow, node?.kind === "task" ? { task: node.task.id } : {}),
    bringBack: (workflow) => undo(workflow, { undo: true }),
  };
}

/** What the page of the gate said of the checks. */
function checkAnswer(said: unknown): CheckAnswer | undefined {
  if (typeof said !== "object" || said === null) {
    return undefined;
  }
  const { trustChecks, rememberChecks } = said as Record<keyof CheckAnswer, unknown>;
  const [trust, remember] = [idsOf(trustChecks), idsOf(rememberChecks)];
  return {
    ...(trust === undefined ? {} : { trustChecks: trust }),
    ...(remember === undefined ? {} : { rememberChecks: remember }),
  };
}

function idsOf(said: unknown): string[] | undefined {
  return Array.isArray(said) ? said.filter((id) => typeof id === "string") : undefined;
}

/** What the package says of when its commands make sense. */
export interface Contributions {
  commands: { command: string; enablement?: string }[];
  menus: { commandPalette: { command: string; when: string }[] };
}

/** Whether a command makes sense in a folder, by the clause that the package has for it: keys, some of them denied. */
function fits({ commands, menus }: Contributions, name: string, { state }: Workflow): boolean {
  const isIt = ({ command }: { command: string }): boolean => command === `batonClient.${name}`;
  const clause = commands.find(isIt)?.enablement ?? menus.commandPalette.find(isIt)?.when ?? "";
  const keys = contextKeys(state);
  const parts = clause.split("&&").map((part) => part.trim());
  return parts.every((part) => part === "" || (part.startsWith("!") ? keys[part.slice(1)] !== true : keys[part]));
}

/** The folder that a command is for: the only one where it makes sense, else the one that the user chooses. */
async function choose({ workflows, contributions }: Parts, name: string): Promise<Workflow | undefined> {
  const all = workflows.all();
  if (all.length < 2 || name === "status") {
    return workflows.current() ?? workflows.pick();
  }
  const fitting = all.filter((workflow) => fits(contributions, name, workflow));
  const [only] = fitting;
  if (fitting.length === 1) {
    return only;
  }
  const rows = (fitting.length === 0 ? all : fitting).map((workflow) => {
    const { status } = workflow.state;
    return { label: workflow.folder.name, description: status === null ? "" : headline(status), workflow };
  });
  return (await window.showQuickPick(rows, { title: "Baton", placeHolder: "In which folder?" }))?.workflow;
}

/** The commands that are about the file that is being looked at. */
const IN_SIGHT: ReadonlySet<string> = new Set(["showChange", "keepChange", "undoChange", "keepFile", "undoFile"]);

function workflowInSight(workflows: Workflows): Workflow | undefined {
  const uri = window.activeTextEditor?.document.uri;
  return uri === undefined ? undefined : workflows.ofFile(uri);
}

/** `more` is what came after where it was called from. */
async function run(parts: Parts, name: string, action: Action, from: unknown, more: unknown[]): Promise<void> {
  const [plan, checks, tasks] = more;
  const called = calledFrom(parts.workflows, from, plan);
  const ofFile = IN_SIGHT.has(name) ? workflowInSight(parts.workflows) : undefined;
  const workflow = called.workflow ?? ofFile ?? (await choose(parts, name));
  if (workflow === undefined) {
    return;
  }
  try {
    const shown = typeof plan === "string" ? plan : undefined;
    await action(workflow, called.node, shown, checkAnswer(checks), called.files, idsOf(tasks));
  } catch (error) {
    showError(error);
  } finally {
    workflow.refreshSoon();
  }
}

/** Tell the agents at work something, or the agent of one task: they take it with their next request. */
async function tell(drafts: Drafts, workflow: Workflow, task: string | undefined): Promise<void> {
  await withWords(
    drafts,
    workflow,
    {
      subject: "tell",
      title: task === undefined ? "Tell the Agents" : `Tell the Agent of ${task}`,
      prompt: "They take it with their next request. Where none follows, the end of the run says so.",
      placeholder: "For example: keep the old flag working",
      missing: "Say in a sentence what they should know.",
      again: "batonClient.tell",
    },
    async (text) => {
      const { told } = await workflow.call<{ told: string[] }>("baton.tell", { text, ...(task && { task }) });
      void window.showInformationMessage(`${workflow.title}: told ${told.join(", ")}`);
    },
  );
}

/** Stop the run, also one that another window or a terminal has; the server says what came of it. */
async function cancel(workflow: Workflow): Promise<void> {
  const answer = await workflow.call<{ message?: unknown } | null>("baton.cancel");
  if (typeof answer?.message === "string" && answer.message !== "") {
    void window.showInformationMessage(`${workflow.title}: ${answer.message}`);
  }
}

async function dismiss(workflow: Workflow, issue: Issue): Promise<void> {
  await workflow.call("baton.dismissIssue", { id: issue.id });
  const restore = "Restore";
  // Not waited for: the issue is gone at once, whatever becomes of the message.
  void window
    .showInformationMessage(`${workflow.title}: dismissed "${oneLine(issue.description, 60)}"`, restore)
    .then((answer) => {
      if (answer === restore) {
        workflow.call("baton.restoreIssue", { id: issue.id }).then(() => {
          workflow.refreshSoon();
        }, showError);
      }
    });
}

async function pickTasks(workflow: Workflow, title: string): Promise<string[] | undefined> {
  const tasks = workflow.state.status?.tasks ?? [];
  const items = tasks.map((task) => ({
    label: `${task.id} ${task.title}`,
    description: task.status,
    picked: task.status !== "completed",
    id: task.id,
  }));
  const picked = await window.showQuickPick(items, { title, canPickMany: true });
  return picked === undefined || picked.length === 0 ? undefined : picked.map((item) => item.id);
}

async function pickPhase(workflow: Workflow): Promise<PhaseName | undefined> {
  const title = "Run which phase? Those after it are set aside.";
  return (await window.showQuickPick(phaseChoices(workflow.state.status), { title }))?.phase;
}

async function pickIssue(workflow: Workflow, title: string): Promise<Issue | undefined> {
  const items = openIssues(workflow.state).map((issue) => ({
    label: oneLine(issue.description),
    description: issue.severity,
    detail: placeOf(issue),
    issue,
  })) satisfies QuickPickItem[];
  return (await window.showQuickPick(items, { title, matchOnDetail: true }))?.issue;
}

async function pickCheck(workflow: Workflow): Promise<CheckStatus | undefined> {
  const failed = failedChecks(workflow.state);
  if (failed.length < 2) {
    return failed[0];
  }
  const items = failed.map((check) => ({ label: check.name, description: check.words, check }));
  return (await window.showQuickPick(items, { title: "Open the log of which check?" }))?.check;
}

/** What a check printed. */
async function openCheckLog(workflow: Workflow, file: string): Promise<void> {
  await window.showTextDocument(Uri.joinPath(workflow.folder.uri, file));
}

async function isSure({ title }: Workflow, question: string, yes: string): Promise<boolean> {
  return (await window.showWarningMessage(`${title}: ${question}`, { modal: true }, yes)) === yes;
}
