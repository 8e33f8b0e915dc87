/** The notes that stand in plan.md, from the page of the gate. */

import { Position, Range, Uri } from "vscode";

import { openFile } from "./openFile";
import type { Workflow } from "./workflows";

const PLAN = ".agent_memory/plan.md";

/** Have plan.md in an editor, at the note that begins at this line, from 1. */
export async function openNote(workflow: Workflow, line: number): Promise<void> {
  const place = new Position(line - 1, 0);
  await openFile(Uri.joinPath(workflow.folder.uri, PLAN), new Range(place, place));
}

/** Take the note that begins at this line out of plan.md. */
export async function discardNote(workflow: Workflow, line: number): Promise<void> {
  await workflow.call("baton.discardNotes", { lines: [line] });
  workflow.refreshSoon();
}
