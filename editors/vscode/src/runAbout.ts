import { window, workspace } from "vscode";
import type { Uri } from "vscode";

import { isUnfinished, oneLine } from "./present";
import { withWords, type Drafts } from "./words";
import type { Workflow } from "./workflows";

/** Most files that a task is begun with; the user can name more. */
const MOST = 5;

/** Ask for a task about these files, or about the one that is being edited: the box begins with their names. */
export async function runAbout(drafts: Drafts, workflow: Workflow, files: Uri[]): Promise<void> {
  const edited = window.activeTextEditor?.document.uri;
  const meant = files.length === 0 && edited !== undefined ? [edited] : files;
  const names = meant
    .filter((file) => workspace.getWorkspaceFolder(file)?.index === workflow.folder.index)
    .map((file) => workspace.asRelativePath(file, false));
  const about = names.length === 0 ? "" : `In ${names.slice(0, MOST).join(", ")}: `;
  await workflow.refresh().catch(() => undefined);
  const reset = await setsAside(workflow);
  if (reset === undefined) {
    return;
  }
  const question = {
    subject: `about ${names.join(" ")}`,
    title: "Run Workflow",
    prompt: "You see the plan before anything is written.",
    placeholder: "What should be done? For example: Add a --json flag to the list command",
    missing: "Say in a sentence what should be done.",
    start: about,
    isBegun: true,
    again: "batonClient.runAbout",
  } as const;
  await withWords(drafts, workflow, question, (task) =>
    workflow.call("baton.workflow", { task, ...(reset && { reset: true }) }),
  );
}

/** Whether a workflow that is not finished is set aside for the new task; undefined when the user would rather keep it. */
async function setsAside({ state, title }: Workflow): Promise<boolean | undefined> {
  const hasBegun = state.status?.phases.some(({ status }) => status !== "pending") ?? false;
  if (!isUnfinished(state) || !hasBegun) {
    return false;
  }
  const yes = "Set It Aside";
  const question = `${title}: a workflow is not finished: ${oneLine(state.status?.task ?? "")}. Set it aside for another task?`;
  const detail = "It goes to the history; your files stay as they are.";
  const answer = await window.showWarningMessage(question, { modal: true, detail }, yes);
  return answer === yes ? true : undefined;
}
