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
export function unsavedPlanned(workflow: Workflow): TextDocument[] {
  return unsavedAmong(workflow, workflow.state.status?.tasks.flatMap((task) => task.files) ?? []);
}

/** As it is called in the folder that has it. */
export function pathOf({ uri }: TextDocument): string {
  return workspace.asRelativePath(uri, false);
}

/** Save these; false when one could not be. */
export async function saveAll(documents: readonly TextDocument[]): Promise<boolean> {
  const saved = await Promise.all(documents.map((document) => document.save()));
  return saved.every((isSaved) => isSaved);
}

/** Ask to save these before something is done to their files; false when it must not be done. */
export async function areSavedFor(
  { title }: Workflow,
  documents: readonly TextDocument[],
  question: string,
  detail: string,
): Promise<boolean> {
  const save = "Save All";
  const list = documents.map(pathOf).join("\n");
  const options = { modal: true, detail: `${list}\n\n${detail}` };
  const answer = await window.showWarningMessage(`${title}: ${question}`, options, save);
  if (answer !== save) {
    return false;
  }
  if (await saveAll(documents)) {
    return true;
  }
  const left = documents.filter(({ isDirty }) => isDirty).map(pathOf);
  void window.showErrorMessage(`${title}: ${left.join(", ")} could not be saved, so nothing was done.`);
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
        progress.waits(run, waits);
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
    await saveAll(unsavedAmong(workflow, files));
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
