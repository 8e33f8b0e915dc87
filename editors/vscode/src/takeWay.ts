import { commands, Uri, window, workspace } from "vscode";

import { showError } from "./server";
import { clientCommand, waysOn } from "./waysOn";
import type { WayOn } from "./protocol";
import type { Workflow } from "./workflows";

/** Do what can be done now: by this client's own command where it has one, else by the server's. */
export async function takeWay(workflow: Workflow, way: WayOn): Promise<void> {
  try {
    await doIt(workflow, way);
  } catch (error) {
    showError(error);
  } finally {
    workflow.refreshSoon();
  }
}

/** The same from a notification, which may be old: what cannot be done any more is not tried. */
export async function takeIfOpen(workflow: Workflow, { id, title }: WayOn): Promise<void> {
  await workflow.refresh().catch(showError);
  const way = waysOn(workflow.state).find((way) => way.id === id);
  if (way === undefined) {
    const now = workflow.state.status?.summary ?? "";
    void window.showWarningMessage(`${workflow.title}: "${title}" cannot be done any more. ${now}`.trim());
    return;
  }
  await takeWay(workflow, way);
}

async function doIt(workflow: Workflow, way: WayOn): Promise<void> {
  const client = clientCommand(way);
  if (way.id === "save") {
    await saveFiles(workflow, way.arguments?.["files"]);
  } else if (way.id === "set_key") {
    await setKey(workflow);
  } else if (client !== undefined) {
    await commands.executeCommand(client, workflow);
  } else if (way.command !== null) {
    const answer = await workflow.execute(way.command, way.arguments ?? {});
    const message = (answer as { message?: unknown } | null)?.message;
    if (typeof message === "string" && message !== "") {
      void window.showInformationMessage(`${workflow.title}: ${message}`);
    }
  }
}

/** The run goes on with the new key. */
async function setKey(workflow: Workflow): Promise<void> {
  const isSet = await commands.executeCommand<boolean | undefined>("batonClient.setApiKey");
  if (isSet !== true) {
    return;
  }
  await workflow.refresh();
  const on = waysOn(workflow.state).find(({ id }) => id === "resume" || id === "retry");
  if (on !== undefined) {
    await doIt(workflow, on);
  }
}

/** Save these files where they are open with changes. */
async function saveFiles(workflow: Workflow, files: unknown): Promise<void> {
  const names = Array.isArray(files) ? files.filter((file) => typeof file === "string") : [];
  const paths = new Set(names.map((file) => Uri.joinPath(workflow.folder.uri, file).fsPath));
  const open = workspace.textDocuments.filter((document) => document.isDirty && paths.has(document.uri.fsPath));
  for (const document of open) {
    if (!(await document.save())) {
      void window.showWarningMessage(`${workflow.title}: ${workspace.asRelativePath(document.uri)} was not saved.`);
    }
  }
}
