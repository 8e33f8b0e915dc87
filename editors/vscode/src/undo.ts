import { commands, Uri, window } from "vscode";

import { count, oneLine } from "./present";
import type { Rollback } from "./protocol";
import { showError } from "./server";
import { areSavedFor, unsavedAmong } from "./unsaved";
import type { Workflow } from "./workflows";

/** What is undone: a task, a file, an earlier workflow, or everything. */
export interface Extent {
  task?: string;
  file?: string;
  /** An earlier workflow, by its id. */
  workflow?: string;
  /** The undoing itself is undone. */
  undo?: true;
}

/** Undo what agents did to files, or bring it back, after the user has seen to which. What cannot be undone yet can be later. */
export async function undo(workflow: Workflow, extent: Extent, named?: string): Promise<void> {
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
  const question = `${workflow.title}: ${what(extent, named)} ${count(dry.files.length, "file")}?`;
  const detail = `${list(dry)}\n\nWhat you edited since is kept.`;
  const yes = extent.undo === true ? BACK : "Undo";
  if ((await window.showWarningMessage(question, { modal: true, detail }, yes)) === yes) {
    tell(workflow, extent, await workflow.call<Rollback>("baton.rollback", extent), named);
    workflow.changesSoon();
  }
}

const BACK = "Bring It Back";

function what({ task, workflow, undo }: Extent, named: string | undefined): string {
  const who = named ?? task ?? "the workflow";
  const of = workflow === undefined ? who : `"${oneLine(who, 60)}"`;
  return undo === true ? `bring back what was undone of ${of} in` : `undo what ${of} did to`;
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
function tell(workflow: Workflow, extent: Extent, done: Rollback, named: string | undefined): void {
  const left = done.files.filter(({ outcome }) => outcome === "left_alone");
  const [first] = left;
  const [open, again] = ["Open File", extent.undo === true ? "Try Again" : "Undo Again"];
  // Nothing was undone: there is nothing to bring back.
  const backs = left.length === done.files.length || extent.undo === true ? [] : [BACK];
  const shown =
    first === undefined
      ? window.showInformationMessage(`${workflow.title}: ${done.message}`, ...backs)
      : window.showWarningMessage(`${workflow.title}: ${leftAlone(left)} ${done.message}`, ...[open, again, ...backs]);
  const take = async (answer: string | undefined): Promise<void> => {
    if (answer === BACK) {
      const of = extent.workflow === undefined ? {} : { workflow: extent.workflow };
      const restored = await workflow.call<Rollback>("baton.rollback", { ...of, undo: true });
      void window.showInformationMessage(`${workflow.title}: ${restored.message}`);
      workflow.changesSoon();
    } else if (answer === again) {
      await undo(workflow, extent, named);
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
