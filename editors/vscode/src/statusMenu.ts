import { commands, QuickPickItemKind, window } from "vscode";
import type { QuickPickItem } from "vscode";

import { contextKeys, cost, oneLine, outcomeWords, stateIcon } from "./present";
import type { PhaseStatus } from "./protocol";
import type { Workflow } from "./workflows";

interface Item extends QuickPickItem {
  command?: string;
}

/** What the workflow is at, and what can be done now. */
export async function statusMenu(workflow: Workflow): Promise<void> {
  await workflow.refresh();
  const { state } = workflow;
  const { status } = state;
  const title = status?.task == null ? "Baton: no workflow here yet" : `Baton: ${oneLine(status.task, 100)}`;
  const placeHolder = [
    state.run === null ? outcomeWords(status?.outcome ?? null) : state.lastMessage,
    cost(status?.usage),
  ];
  const item = await window.showQuickPick<Item>([...actions(workflow), ...standing(workflow)], {
    title,
    placeHolder: placeHolder.filter((part) => part !== undefined && part !== "").join(" · "),
  });
  if (item?.command !== undefined) {
    await commands.executeCommand(item.command, workflow);
  }
}

function actions(workflow: Workflow): Item[] {
  const can = contextKeys(workflow.state);
  const all: [boolean | undefined, string, string][] = [
    [can["baton.gate"], "$(checklist) Show Plan", "batonClient.showPlan"],
    [can["baton.gate"], "$(check) Approve Plan", "batonClient.approvePlan"],
    [can["baton.atWork"], "$(debug-stop) Cancel", "batonClient.cancel"],
    [!can["baton.atWork"] && !can["baton.gate"], "$(play) Run Workflow…", "batonClient.runWorkflow"],
    [can["baton.workflow"] && !can["baton.atWork"], "$(play) Run Phase…", "batonClient.runPhase"],
    [can["baton.changes"], "$(diff-multiple) Show Changes", "batonClient.showChanges"],
    [can["baton.changes"] && !can["baton.atWork"], "$(discard) Undo Run…", "batonClient.undoRun"],
    [true, "$(output) Show Log", "batonClient.showLog"],
  ];
  return all.filter(([isPossible]) => isPossible).map(([, label, command]) => ({ label, command }));
}

function standing(workflow: Workflow): Item[] {
  const { status } = workflow.state;
  if (status === null) {
    return [];
  }
  const row = (state: string, label: string, detail: string): Item => ({
    label: `$(${stateIcon(state)[0]}) ${label}`,
    description: [state === "pending" ? "" : state, oneLine(detail)].filter((part) => part !== "").join(" · "),
  });
  // The plan's last word is that it waits, also once it was answered.
  const isAnswered = (phase: PhaseStatus): boolean => phase.phase === "plan" && phase.status === "done";
  const phases = status.phases.map((phase) => row(phase.status, phase.phase, isAnswered(phase) ? "" : phase.message));
  const tasks = status.tasks.map((task) => row(task.status, `${task.id} ${task.title}`, ""));
  const separator = (label: string): Item => ({ label, kind: QuickPickItemKind.Separator });
  return [separator("phases"), ...phases, ...(tasks.length === 0 ? [] : [separator("tasks"), ...tasks])];
}
