import { Uri, window, workspace } from "vscode";

import { issueAt } from "./entryPoints";
import type { Node } from "./tree";
import { Workflow, type Workflows } from "./workflows";

/** Where a command was called from: what the folder is that it is about, and what was meant in it. */
export interface CalledFrom {
  /** Undefined where it could be another: the user is asked. */
  workflow: Workflow | undefined;
  /** The row of Baton's view, or the issue at the cursor as one. */
  node: Node | undefined;
  /** The files of the editor's, the explorer's or a tab's menu. */
  files: Uri[];
}

/**
 * Commands are called with a workflow by this extension itself, with a row by Baton's view, with a file by menus of editors
 * and the explorer, with a source control by its menu, and with nothing by the palette. `more` are all files that are
 * selected in the explorer.
 */
export function calledFrom(workflows: Workflows, from: unknown, more: unknown): CalledFrom {
  if (from instanceof Workflow) {
    return { workflow: from, node: undefined, files: [] };
  }
  if (from instanceof Uri) {
    const files = Array.isArray(more) ? more.filter((each) => each instanceof Uri) : [];
    const workflow = workflowOf(workflows, from);
    return { workflow, node: workflow && issueNode(workflow, from), files: files.length === 0 ? [from] : files };
  }
  if (typeof from === "object" && from !== null) {
    if ("workflow" in from && from.workflow instanceof Workflow) {
      return { workflow: from.workflow, node: from as Node, files: [] };
    }
    if ("rootUri" in from && from.rootUri instanceof Uri) {
      return { workflow: ofRepository(workflows, from.rootUri), node: undefined, files: [] };
    }
  }
  return { workflow: undefined, node: undefined, files: [] };
}

/** In the editor of this file, the issue at the cursor. */
function issueNode(workflow: Workflow, uri: Uri): Node | undefined {
  const editor = window.activeTextEditor;
  const isIn = editor?.document.uri.toString() === uri.toString();
  const issue = editor !== undefined && isIn ? issueAt(workflow, editor) : undefined;
  return issue === undefined ? undefined : { kind: "issue", issue, workflow };
}

function workflowOf(workflows: Workflows, uri: Uri): Workflow | undefined {
  const folder = workspace.getWorkspaceFolder(uri);
  return workflows.all().find((workflow) => workflow.folder.uri.toString() === folder?.uri.toString());
}

/** A folder in the repository, where there is one such folder alone, or the one that the repository is in. */
function ofRepository(workflows: Workflows, root: Uri): Workflow | undefined {
  const inside = workflows.all().filter(({ folder }) => isWithin(folder.uri, root));
  return inside.length === 1 ? inside[0] : workflowOf(workflows, root);
}

function isWithin(uri: Uri, root: Uri): boolean {
  const withSlash = (path: string): string => (path.endsWith("/") ? path : `${path}/`);
  return uri.scheme === root.scheme && withSlash(uri.path).startsWith(withSlash(root.path));
}
