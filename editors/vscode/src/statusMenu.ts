import { commands, QuickPickItemKind, window } from "vscode";
import type { QuickPickItem } from "vscode";

import {
  checkState,
  costs,
  hasLogToRead,
  hasPlan,
  headline,
  oneLine,
  phaseState,
  phaseTitle,
  stateIcon,
  stateWords,
  summary,
} from "./present";
import type { CheckStatus } from "./protocol";
import { takeWay } from "./takeWay";
import { wayIcon, waysOn } from "./waysOn";
import type { Workflow } from "./workflows";

interface Item extends QuickPickItem {
  take?: () => Promise<unknown>;
}

/** Where the workflow stands, and what can be done now. */
export async function statusMenu(workflow: Workflow): Promise<void> {
  await workflow.refresh();
  const { state, title } = workflow;
  const { status } = state;
  const about = status?.task == null ? title : `${title}: ${oneLine(status.task, 100)}`;
  const told = status === null ? "No workflow here yet." : summary(state) || headline(status);
  const placeHolder = [told, costs(status ?? {})].filter((part) => part !== "").join(" · ");
  const items = [...actions(workflow), ...standing(workflow)];
  const item = await window.showQuickPick<Item>(items, { title: about, placeHolder });
  await item?.take?.();
}

/** What the server says can be done, and what always can. */
function actions(workflow: Workflow): Item[] {
  const ways = waysOn(workflow.state).map((way) => ({
    label: `$(${wayIcon(way)}) ${way.title}`,
    take: () => takeWay(workflow, way),
  }));
  const own = (icon: string, label: string, command: string): Item => ({
    label: `$(${icon}) ${label}`,
    take: () => Promise.resolve(commands.executeCommand(command, workflow)),
  });
  // A server that does not say what can be done still takes a task.
  const start = workflow.state.status?.ways_on === undefined ? [own("play", "Run Workflow…", RUN_WORKFLOW)] : [];
  const plan = hasPlan(workflow.state) ? [own("checklist", "Show Plan", SHOW_PLAN)] : [];
  return [...ways, ...start, ...plan, own("output", "Show Log", SHOW_LOG)];
}

const RUN_WORKFLOW = "batonClient.runWorkflow";
const SHOW_PLAN = "batonClient.showPlan";
const SHOW_LOG = "batonClient.showLog";

function standing(workflow: Workflow): Item[] {
  const { status } = workflow.state;
  if (status === null) {
    return [];
  }
  const row = (state: string, label: string, detail: string): Item => ({
    label: `$(${stateIcon(state)[0]}) ${label}`,
    description: [...new Set([stateWords(state), lowered(oneLine(detail))])].filter((part) => part !== "").join(" · "),
  });
  const phases = status.phases.map((phase) => row(phaseState(phase, status), phaseTitle(phase.phase), phase.message));
  const tasks = status.tasks.map((task) => row(task.status, `${task.id} ${task.title}`, task.activity ?? ""));
  const checks = (status.checks ?? []).map((check) => checkRow(workflow, check));
  const sandbox = status.sandbox == null ? "checks" : `checks, sandbox: ${status.sandbox}`;
  const part = (label: string, rows: Item[]): Item[] =>
    rows.length === 0 ? [] : [{ label, kind: QuickPickItemKind.Separator }, ...rows];
  return [...part("phases", phases), ...part("tasks", tasks), ...part(oneLine(sandbox), checks)];
}

/** One that does not pass opens its log. */
function checkRow(workflow: Workflow, check: CheckStatus): Item {
  const row: Item = { label: `$(${stateIcon(checkState(check))[0]}) ${check.name}`, description: check.words };
  const node = { kind: "check", check, workflow };
  const take = (): Promise<unknown> => Promise.resolve(commands.executeCommand("batonClient.openCheckLog", node));
  return hasLogToRead(check) ? { ...row, take } : row;
}

/** A message as it goes on after a word: "rejected" and "Rejected" are the same. */
function lowered(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
