import { Uri, window, workspace } from "vscode";
import type { Disposable, TextDocument } from "vscode";

import { count } from "./present";
import type { RunProgress } from "./runProgress";
import type { Workflow, Workflows } from "./workflows";

/** Of these files of a folder, those that are open with changes that are not saved. */
export function unsavedAmong(workflow: Workflow, paths: readonly string[]): TextDocument[] {
  const wanted = new Set(paths.map((path) => fileOf(workflow, path).fsPath));
  return workspace.textDocuments.filter(
    ({ isDirty, uri }) => isDirty && uri.scheme === "file" && wanted.has(uri.fsPath),
  );
}

/** The files that the plan's tasks will touch and that have changes that are not saved. */
export function unsavedPlanned(workflow: Workflow, tasks?: readonly string[]): TextDocument[] {
  const planned = workflow.state.status?.tasks.filter(({ id }) => tasks?.includes(id) ?? true) ?? [];
  return unsavedAmong(
    workflow,
    planned.flatMap(({ files }) => files),
  );
}

/** Before a plan is approved: its tasks would wait for files that are not saved. False when it is not to be approved. */
export async function isApprovedUnsaved(workflow: Workflow, tasks?: readonly string[]): Promise<boolean> {
  const unsaved = unsavedPlanned(workflow, tasks);
  if (unsaved.length === 0) {
    return true;
  }
  const save = "Save and Approve";
  const anyway = "Approve Without Saving";
  const question = `${workflow.title}: the plan changes ${count(unsaved.length, "file")} that you have not saved.`;
  const detail = `${unsaved.map(pathOf).join("\n")}\n\nTasks that change them wait until they are saved.`;
  const answer = await window.showWarningMessage(question, { modal: true, detail }, save, anyway);
  return answer === anyway || (answer === save && (await areSaved(workflow, unsaved, "the plan is not approved")));
}

/** As it is called in the folder that has it. */
export function pathOf({ uri }: TextDocument): string {
  return workspace.asRelativePath(uri, false);
}

/** Ask to save these before something is done to their files; false when it must not be done. */
export async function areSavedFor(
  workflow: Workflow,
  documents: readonly TextDocument[],
  question: string,
  detail: string,
): Promise<boolean> {
  const save = "Save All";
  const options = { modal: true, detail: `${documents.map(pathOf).join("\n")}\n\n${detail}` };
  const answer = await window.showWarningMessage(`${workflow.title}: ${question}`, options, save);
  return answer === save && (await areSaved(workflow, documents, "nothing was done"));
}

/** Save these; where one cannot be, say so, and what follows from it. */
async function areSaved({ title }: Workflow, documents: readonly TextDocument[], so: string): Promise<boolean> {
  const saved = await Promise.all(documents.map((document) => document.save()));
  if (saved.every((isSaved) => isSaved)) {
    return true;
  }
  const left = documents.filter(({ isDirty }) => isDirty).map(pathOf);
  void window.showErrorMessage(`${title}: ${left.join(", ")} could not be saved, so ${so}.`);
  return false;
}

/** While tasks wait for files to be saved, that is asked for, and nothing pretends to move. */
export class SaveQuestions implements Disposable {
  /** By folder: the files that were asked for. */
  private readonly asked = new Map<Workflow, string>();
  private readonly subscription: Disposable;

  constructor(workflows: Workflows, progress: RunProgress) {
    this.subscription = workflows.onChanged((workflow) => {
      const { run, status } = workflow.state;
      const waits = run !== null && status?.state === "waiting_for_save";
      if (run !== null) {
        // While one task waits, another may be at work. A plan that waits is shown, and nothing is to lie over it.
        const isIdle = waits && !status.tasks.some((task) => task.status === "running");
        progress.waits(run, isIdle || status?.state === "gate");
      }
      if (!waits) {
        this.asked.delete(workflow);
        return;
      }
      const files = filesToSave(workflow);
      if (this.asked.get(workflow) !== files.join("\n")) {
        this.asked.set(workflow, files.join("\n"));
        void ask(workflow, files);
      }
    });
  }

  dispose(): void {
    this.subscription.dispose();
  }
}

async function ask(workflow: Workflow, files: string[]): Promise<void> {
  const save = files.length > 1 ? "Save All" : "Save";
  const cancel = "Cancel Run";
  const what = files.length > 3 ? count(files.length, "file") : files.join(", ");
  const message = `${workflow.title}: the run waits for you to save ${what}.`;
  const answer = await window.showWarningMessage(message, save, cancel);
  if (answer === save) {
    await areSaved(workflow, unsavedAmong(workflow, files), "the run still waits");
  } else if (answer === cancel) {
    await workflow.call("baton.cancel");
  }
}

/** The files that the server says are waited for, else what the tasks at work will touch. */
function filesToSave(workflow: Workflow): string[] {
  const { status } = workflow.state;
  const files = status?.ways_on?.find(({ id }) => id === "save")?.arguments?.["files"];
  if (Array.isArray(files)) {
    return files.filter((file): file is string => typeof file === "string");
  }
  const waiting = status?.tasks.filter((task) => task.status === "waiting") ?? [];
  return unsavedAmong(
    workflow,
    waiting.flatMap((task) => task.files),
  ).map(pathOf);
}

function fileOf(workflow: Workflow, path: string): Uri {
  return path.startsWith("file:") ? Uri.parse(path) : Uri.joinPath(workflow.folder.uri, path);
}
