import { commands, Uri, window } from "vscode";

import { count } from "./present";
import type { Rollback } from "./protocol";
import { showError } from "./server";
import { areSavedFor, unsavedAmong } from "./unsaved";
import type { Workflow } from "./workflows";

/** What is undone: a task, or everything. */
export interface Extent {
  task?: string;
}

/** Undo what agents did to files, after the user has seen to which. What cannot be undone yet can be undone later. */
export async function undo(workflow: Workflow, extent: Extent): Promise<void> {
  let dry = await preview(workflow, extent);
  const unsaved = unsavedAmong(workflow, pathsOf(dry));
  if (unsaved.length > 0) {
    const question = `save ${count(unsaved.length, "file")} before the undo?`;
    const detail = "What you edited is kept; only what the agents did is undone.";
    if (!(await areSavedFor(workflow, unsaved, question, detail))) {
      return;
    }
    dry = await preview(workflow, extent);
  }
  if (dry.files.length === 0) {
    void window.showInformationMessage(`${workflow.title}: ${dry.message}`);
    return;
  }
  const question = `${workflow.title}: undo what ${extent.task ?? "the workflow"} did to ${count(dry.files.length, "file")}?`;
  const detail = `${list(dry)}\n\nWhat you edited since is kept.`;
  if ((await window.showWarningMessage(question, { modal: true, detail }, "Undo")) === "Undo") {
    tell(workflow, extent, await workflow.call<Rollback>("baton.rollback", extent));
  }
}

async function preview(workflow: Workflow, extent: Extent): Promise<Rollback> {
  return workflow.call<Rollback>("baton.rollback", { ...extent, dryRun: true });
}

function pathsOf({ files }: Rollback): string[] {
  return files.map(({ path }) => path);
}

function list({ files }: Rollback): string {
  return files.map((file) => `${file.path}: ${file.message}`).join("\n");
}

/** The files that were left alone and why, as far as a message has room. */
function leftAlone(left: Rollback["files"]): string {
  const named = left.slice(0, MOST_NAMED).map((file) => `${file.path} was left alone: ${file.message}.`);
  const more = left.length - named.length;
  return [...named, ...(more === 0 ? [] : [`So were ${String(more)} more.`])].join(" ");
}

const MOST_NAMED = 3;

/** Not waited for: it stands until the user answers or closes it. */
function tell(workflow: Workflow, extent: Extent, done: Rollback): void {
  const left = done.files.filter(({ outcome }) => outcome === "left_alone");
  const [first] = left;
  const [open, again, back] = ["Open File", "Undo Again", "Bring It Back"];
  // Nothing was undone: there is nothing to bring back.
  const backs = left.length === done.files.length ? [] : [back];
  const shown =
    first === undefined
      ? window.showInformationMessage(`${workflow.title}: ${done.message}`, ...backs)
      : window.showWarningMessage(`${workflow.title}: ${leftAlone(left)} ${done.message}`, ...[open, again, ...backs]);
  const take = async (answer: string | undefined): Promise<void> => {
    if (answer === back) {
      const restored = await workflow.call<Rollback>("baton.rollback", { undo: true });
      void window.showInformationMessage(`${workflow.title}: ${restored.message}`);
    } else if (answer === again) {
      await undo(workflow, extent);
    } else if (answer === open && first !== undefined) {
      await commands.executeCommand("vscode.open", Uri.joinPath(workflow.folder.uri, first.path));
    }
  };
  void shown
    .then(take)
    .then(undefined, showError)
    .then(() => {
      workflow.refreshSoon();
    });
}
