import { commands, ThemeIcon, window } from "vscode";
import type { QuickInputButton, QuickPickItem } from "vscode";

import { pastActions, pastRow, type PastAction } from "./historyRows";
import type { Logs } from "./log";
import { contextKeys } from "./present";
import type { History, PastWorkflow } from "./protocol";
import { undo, type Extent } from "./undo";
import { inFolder } from "./words";
import type { Workflow } from "./workflows";

interface Item extends QuickPickItem {
  past: PastWorkflow;
  buttons: Button[];
}

interface Button extends QuickInputButton {
  action: PastAction;
}

const LOOKS: Record<PastAction, [icon: string, title: string]> = {
  changes: ["diff-multiple", "Show Changes"],
  log: ["comment-discussion", "Show Conversation Log"],
  undo: ["discard", "Undo…"],
  bring_back: ["redo", "Bring It Back…"],
};

/** The workflows that ran in a folder; one that is chosen is asked about, and its buttons do the same at once. */
export async function showHistory(workflow: Workflow, logs: Logs): Promise<void> {
  const { workflows } = await workflow.call<History>("baton.history");
  if (workflows.length === 0) {
    void window.showInformationMessage(`${workflow.title}: nothing has been run here yet.`);
    return;
  }
  const chosen = await choose(workflow, workflows);
  if (chosen === undefined) {
    return;
  }
  const action = chosen.action ?? (await chooseAction(workflow, chosen.past));
  if (action !== undefined) {
    await does(workflow, logs, chosen.past, action);
  }
}

async function choose(
  workflow: Workflow,
  workflows: PastWorkflow[],
): Promise<{ past: PastWorkflow; action?: PastAction } | undefined> {
  const pick = window.createQuickPick<Item>();
  pick.title = inFolder(workflow, "History");
  pick.placeholder = "Which workflow?";
  pick.matchOnDescription = true;
  pick.matchOnDetail = true;
  pick.items = workflows.map((past) => ({
    ...pastRow(past, when),
    past,
    buttons: actionsOf(workflow, past).map(button),
  }));
  return new Promise<{ past: PastWorkflow; action?: PastAction } | undefined>((resolve) => {
    pick.onDidAccept(() => {
      const [item] = pick.selectedItems;
      resolve(item && { past: item.past });
    });
    pick.onDidTriggerItemButton(({ item, button }) => {
      resolve({ past: item.past, action: (button as Button).action });
    });
    pick.onDidHide(() => {
      resolve(undefined);
    });
    pick.show();
  }).finally(() => {
    pick.dispose();
  });
}

async function chooseAction(workflow: Workflow, past: PastWorkflow): Promise<PastAction | undefined> {
  const { label, description, detail } = pastRow(past, when);
  const items = actionsOf(workflow, past).map((action) => {
    const [icon, title] = LOOKS[action];
    return { label: `$(${icon}) ${title}`, action };
  });
  const title = label.replace(/^\$\([^)]*\) /, "");
  const picked = await window.showQuickPick(items, { title, placeHolder: `${description} · ${detail}` });
  return picked?.action;
}

async function does(workflow: Workflow, logs: Logs, past: PastWorkflow, action: PastAction): Promise<void> {
  const of: Extent = past.current ? {} : { workflow: past.workflow };
  const named = past.current || past.task === "" ? undefined : past.task;
  switch (action) {
    case "changes":
      await commands.executeCommand("batonClient.showChanges", workflow);
      break;
    case "undo":
      await undo(workflow, of, named);
      break;
    case "bring_back":
      await undo(workflow, { ...of, undo: true }, named);
      break;
    case "log": {
      const run = await chooseRun(past);
      if (run !== undefined) {
        await logs.open(workflow, run);
      }
    }
  }
}

/** Most workflows are one run. */
async function chooseRun({ runs }: PastWorkflow): Promise<string | undefined> {
  return runs.length < 2 ? runs[0] : window.showQuickPick(runs.toReversed(), { title: "The log of which run?" });
}

function actionsOf({ state }: Workflow, past: PastWorkflow): PastAction[] {
  return pastActions(past, contextKeys(state)["baton.can_show_changes"] === true);
}

function button(action: PastAction): Button {
  const [icon, tooltip] = LOOKS[action];
  return { iconPath: new ThemeIcon(icon), tooltip, action };
}

/** In the words of the user's own place. */
function when(at: string): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime())
    ? at
    : time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
