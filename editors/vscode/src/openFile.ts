import { type Range, TabInputText, Uri, window, workspace } from "vscode";
import type { TextDocument, TextDocumentShowOptions } from "vscode";

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
