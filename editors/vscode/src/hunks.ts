import { Uri, window } from "vscode";
import type { TextDocument } from "vscode";

import { hunkAt, hunksOf } from "./changeWords";
import type { Diff, Kept, Rollback } from "./protocol";
import { showError } from "./server";
import { areSavedFor, pathOf, unsavedAmong } from "./unsaved";
import type { Workflow, Workflows } from "./workflows";

/** How long the status bar says what was kept or undone. */
const SAID_MS = 6000;

/** What a lens or an action of the server's names: a hunk, or all of a file. */
interface Named {
  folder?: string;
  file?: string;
  hunk?: string;
}

/** Keep and Undo of the server's lenses and actions: a file that is not saved is asked about, and what was done is said. */
export function ownWay(workflows: Workflows): (command: string, args: unknown[]) => Promise<unknown> | undefined {
  return (command, [first]) => {
    const named = (typeof first === "object" && first !== null ? first : {}) as Named;
    const workflow = workflows.all().find(({ folder }) => folder.uri.toString() === named.folder);
    const of = workflow ?? (named.file === undefined ? undefined : workflows.ofFile(uriOf(named.file)));
    const at = of ?? workflows.current();
    if (at === undefined) {
      return undefined;
    }
    if (command === "baton.keep") {
      return keep(at, named);
    }
    return command === "baton.rollback" && named.hunk !== undefined ? undoHunk(at, named) : undefined;
  };
}

/** A file as the server names it, or the editor. */
function uriOf(file: string): Uri {
  return file.startsWith("file:") ? Uri.parse(file) : Uri.file(file);
}

/** Keep a hunk, or all of a file: an undo of the workflow passes it over. */
async function keep(workflow: Workflow, named: Named): Promise<void> {
  const { message } = await workflow.call<Kept>("baton.keep", named);
  said(workflow, message);
}

async function undoHunk(workflow: Workflow, named: Named): Promise<void> {
  const { file } = named;
  const unsaved = file === undefined ? [] : unsavedAmong(workflow, [file]);
  const question = "save the file before the undo?";
  const detail = "What you edited is kept; only this change of the agents is undone.";
  if (unsaved.length > 0 && !(await areSavedFor(workflow, unsaved, question, detail))) {
    return;
  }
  const { files, message } = await workflow.call<Rollback>("baton.rollback", named);
  const left = files.find(({ outcome }) => outcome === "left_alone");
  if (left === undefined) {
    said(workflow, message);
  } else {
    const why = `${left.path} was left alone: ${left.message}.`;
    void window.showWarningMessage(`${workflow.title}: ${why}`);
    workflow.changesSoon();
  }
}

function said(workflow: Workflow, message: string): void {
  window.setStatusBarMessage(`$(check) ${workflow.title}: ${message}`, SAID_MS);
  workflow.changesSoon();
}

/** Keep all that a task did. */
export async function keepTask(workflow: Workflow, task: string): Promise<void> {
  const { files } = await workflow.call<Diff>("baton.diff", { task });
  const open = files.flatMap(({ path, hunks = [] }) =>
    hunks.filter((hunk) => hunk.task === task && !hunk.kept).map(({ id }) => ({ file: path, hunk: id })),
  );
  for (const named of open) {
    await workflow.call<Kept>("baton.keep", named);
  }
  said(workflow, open.length === 0 ? `nothing of ${task} is left to keep` : `${task} is kept`);
}

/** Keep all that agents did to a file: to the one of a row, or to the one that is being looked at. */
export async function keepFile(workflow: Workflow, path: string | undefined): Promise<void> {
  const file = path ?? fileInSight(workflow);
  if (file !== undefined) {
    await keep(workflow, { file });
  }
}

/** Keep or undo the change at the cursor. */
export async function answerAtCursor(workflow: Workflow, answer: "keep" | "undo"): Promise<void> {
  const file = fileInSight(workflow);
  const line = window.activeTextEditor?.selection.active.line;
  if (file === undefined || line === undefined) {
    return;
  }
  const { files } = await workflow.call<Diff>("baton.diff");
  const hunk = hunkAt(hunksOf(files, { path: file }), line + 1);
  if (hunk === undefined) {
    void window.showInformationMessage(`${workflow.title}: no change of the agents at the cursor in ${file}.`);
    return;
  }
  await (answer === "keep" ? keep(workflow, { file, hunk: hunk.id }) : undoHunk(workflow, { file, hunk: hunk.id }));
}

/** The file that is being looked at, below the folder. */
export function fileInSight(workflow: Workflow): string | undefined {
  const document = window.activeTextEditor?.document;
  const path = document === undefined ? undefined : below(workflow, document);
  if (path === undefined) {
    showError(new Error(`open a file of ${workflow.folder.name} first`));
  }
  return path;
}

function below({ folder }: Workflow, document: TextDocument): string | undefined {
  const isThere = document.uri.scheme === "file" && document.uri.path.startsWith(`${folder.uri.path}/`);
  return isThere ? pathOf(document) : undefined;
}
