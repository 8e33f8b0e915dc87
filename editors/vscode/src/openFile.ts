import { type Range, TabInputText, Uri, ViewColumn, window, workspace } from "vscode";
import type { TextDocument, TextDocumentShowOptions, WebviewPanel } from "vscode";

/** Show a file where it is open already, and else in the active group: never a second time beside itself. */
export async function openFile(file: Uri | TextDocument, selection?: Range): Promise<void> {
  const document = file instanceof Uri ? await workspace.openTextDocument(file) : file;
  await window.showTextDocument(document, { ...columnOf(document.uri), ...(selection && { selection }) });
}

function columnOf(file: Uri): TextDocumentShowOptions {
  const shows = (input: unknown): boolean => input instanceof TabInputText && input.uri.toString() === file.toString();
  // Its own group first: the active one is not left without need.
  const groups = [window.tabGroups.activeTabGroup, ...window.tabGroups.all];
  const group = groups.find(({ tabs }) => tabs.some(({ input }) => shows(input)));
  return group === undefined ? {} : { viewColumn: group.viewColumn };
}

/** Show a file of a folder, relative to it, in another group than a page's, which stays in sight. */
export async function openBeside(workflow: { folder: { uri: Uri } }, page: WebviewPanel, path: string): Promise<void> {
  const { uri } = workflow.folder;
  const file = Uri.joinPath(uri, path);
  if (!file.path.startsWith(`${uri.path}/`)) {
    return;
  }
  const document = await workspace.openTextDocument(file);
  const other = window.tabGroups.all.find(({ viewColumn }) => viewColumn !== page.viewColumn)?.viewColumn;
  const viewColumn = columnOf(file).viewColumn ?? other ?? ViewColumn.Beside;
  await window.showTextDocument(document, { viewColumn });
}
