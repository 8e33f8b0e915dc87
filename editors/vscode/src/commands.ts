import { commands, window } from "vscode";
import type { Disposable, QuickPickItem } from "vscode";

import { approve, askForChanges, editPlan } from "./answerPlan";
import type { Changes } from "./changes";
import type { GatePanel } from "./gatePanel";
import { count, oneLine, openGate, openIssues, phaseChoices } from "./present";
import type { Issue, PhaseName, Rollback } from "./protocol";
import { statusMenu } from "./statusMenu";
import { showError } from "./server";
import { askForTask } from "./taskInput";
import type { Node } from "./tree";
import { Workflow, type Workflows } from "./workflows";

export interface Parts {
  workflows: Workflows;
  gatePanel: GatePanel;
  changes: Changes;
}

/** Where a command was called from: a row of the tree, the page of the gate, or the palette. */
type From = Node | Workflow | undefined;
/** `plan` is the hash of the plan on the page that was answered. */
type Action = (workflow: Workflow, node: Node | undefined, plan: string | undefined) => Promise<unknown>;

/** The commands that are about a workflow; each is for one folder. */
export function workflowCommands(parts: Parts): Disposable[] {
  const { workflows, gatePanel, changes } = parts;
  const actions: Record<string, Action> = {
    runWorkflow: async (workflow) => {
      const task = await askForTask(workflow);
      if (task !== undefined) {
        await workflow.call("baton.workflow", task);
      }
    },
    gatherContext: async (workflow) => {
      const task = workflow.state.status?.task == null ? await askForTask(workflow) : {};
      if (task !== undefined) {
        await workflow.call("baton.context", task);
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
    reviewSince: async (workflow) => {
      const base = await window.showInputBox({
        title: "Review Changes Since…",
        prompt: "The working tree is reviewed against this commit. Nothing is edited.",
        placeHolder: "main, HEAD~3, a tag or a commit",
        validateInput: (text) => (text.trim() === "" ? "Name a commit." : undefined),
      });
      if (base !== undefined) {
        await workflow.call("baton.review", { base: base.trim() });
      }
    },
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
    approvePlan: (workflow, _node, plan) => approve(workflow, gatePanel, plan),
    approveSome: async (workflow, _node, plan) => {
      const shown = plan ?? openGate(workflow.state)?.plan_sha256;
      const tasks = await pickTasks(workflow, "Approve which tasks? What they depend on must be among them.");
      if (tasks !== undefined) {
        await approve(workflow, gatePanel, shown, tasks);
      }
    },
    askForChanges: (workflow) => askForChanges(workflow),
    editPlan: (workflow) => editPlan(workflow),
    rejectPlan: async (workflow) => {
      if (await isSure("Reject this plan? The workflow ends; nothing of it is written.", "Reject")) {
        await workflow.call("baton.reject");
      }
    },
    status: (workflow) => statusMenu(workflow),
    cancel: async (workflow) => {
      await workflow.call("baton.cancel");
    },
    showChanges: (workflow, node) => changes.show(workflow, node?.kind === "task" ? node.task.id : undefined),
    undoRun: (workflow, node) => undo(workflow, node?.kind === "task" ? { task: node.task.id } : {}),
    reset: async (workflow) => {
      if (await isSure("Set this workflow aside? It goes to the history; your files stay as they are.", "Reset")) {
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
    openTask: async (workflow) => {
      await workflow.call("baton.openTask");
    },
  };
  return Object.entries(actions).map(([name, action]) =>
    commands.registerCommand(`batonClient.${name}`, (from: From, plan: unknown) =>
      run(workflows, name, action, from, typeof plan === "string" ? plan : undefined),
    ),
  );
}

/** What is answered where the workflow waits or runs concerns that one; for the rest the user may choose a folder. */
const ABOUT_THE_CURRENT = new Set([
  "status",
  "cancel",
  "approvePlan",
  "approveSome",
  "askForChanges",
  "editPlan",
  "rejectPlan",
  "showPlan",
]);

async function run(
  workflows: Workflows,
  name: string,
  action: Action,
  from: From,
  plan: string | undefined,
): Promise<void> {
  const node = from instanceof Workflow || from?.workflow === undefined ? undefined : from;
  const named = from instanceof Workflow ? from : node?.workflow;
  const current = ABOUT_THE_CURRENT.has(name) ? workflows.current() : undefined;
  const workflow = named ?? current ?? (await workflows.pick());
  if (workflow === undefined) {
    return;
  }
  try {
    await action(workflow, node, plan);
  } catch (error) {
    showError(error);
  } finally {
    workflow.refreshSoon();
  }
}

async function undo(workflow: Workflow, what: { task?: string }): Promise<void> {
  const dry = await workflow.call<Rollback>("baton.rollback", { ...what, dryRun: true });
  if (dry.files.length === 0) {
    void window.showInformationMessage(`Baton: ${dry.message}`);
    return;
  }
  const question = `Undo what ${what.task ?? "the workflow"} did to ${count(dry.files.length, "file")}?`;
  const detail = dry.files.map((file) => `${file.path}: ${file.message}`).join("\n");
  if (!(await isSure(question, "Undo", `${detail}\n\nWhat you edited since is kept.`))) {
    return;
  }
  const done = await workflow.call<Rollback>("baton.rollback", what);
  const back = "Bring It Back";
  if ((await window.showInformationMessage(`Baton: ${done.message}`, back)) === back) {
    const again = await workflow.call<Rollback>("baton.rollback", { undo: true });
    void window.showInformationMessage(`Baton: ${again.message}`);
  }
}

async function dismiss(workflow: Workflow, issue: Issue): Promise<void> {
  await workflow.call("baton.dismissIssue", { id: issue.id });
  const restore = "Restore";
  // Not waited for: the issue is gone at once, whatever becomes of the message.
  void window.showInformationMessage(`Baton: dismissed "${oneLine(issue.description, 60)}"`, restore).then((answer) => {
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
    detail: `${issue.file}:${String(issue.line)}`,
    issue,
  })) satisfies QuickPickItem[];
  return (await window.showQuickPick(items, { title, matchOnDetail: true }))?.issue;
}

async function isSure(question: string, yes: string, detail?: string): Promise<boolean> {
  return (
    (await window.showWarningMessage(question, { modal: true, ...(detail === undefined ? {} : { detail }) }, yes)) ===
    yes
  );
}
