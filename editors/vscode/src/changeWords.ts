/** From what a workflow changed, by hunks, to what is shown of it. Nothing here needs VS Code. */

import type { ChangedFile, Hunk, TaskStatus } from "./protocol";

/** The hunks of agents: of one task, of one file, or all. What the user changed is none. */
export function hunksOf(changes: readonly ChangedFile[], of: { task?: string; path?: string } = {}): Hunk[] {
  return changes
    .filter(({ path }) => of.path === undefined || path === of.path)
    .flatMap(({ hunks }) => hunks ?? [])
    .filter(({ task }) => task !== null && (of.task === undefined || task === of.task));
}

/** The files with hunks of agents that the user has not kept. */
export function openFiles(changes: readonly ChangedFile[]): string[] {
  return changes.map(({ path }) => path).filter((path) => isOpen(hunksOf(changes, { path })));
}

/** Something is there that can still be kept. */
export function isOpen(hunks: readonly Hunk[]): boolean {
  return hunks.some(({ kept }) => !kept);
}

/** How much of it the user keeps; nothing before there is anything to say. */
export function keptWords(hunks: readonly Hunk[]): string {
  const kept = hunks.filter((hunk) => hunk.kept).length;
  if (kept === 0) {
    return "";
  }
  return kept === hunks.length ? "kept" : `${String(kept)} of ${String(hunks.length)} changes kept`;
}

/** What became of a file that a task was to change. */
export function fileWords(changes: readonly ChangedFile[], path: string, task: TaskStatus): string {
  const file = changes.find((changed) => changed.path === path);
  if (file === undefined) {
    // Undone, or never changed. Where nothing is known of any file, nothing is said of this one.
    return changes.length > 0 && wasDone(task) ? "as before the workflow" : "";
  }
  return [file.change_type === "modified" ? "" : file.change_type, keptWords(hunksOf(changes, { path }))]
    .filter((part) => part !== "")
    .join(" · ");
}

/** A task that wrote what it was to write, or a part of it. */
export function wasDone({ status }: TaskStatus): boolean {
  return status === "completed" || status === "partial";
}

/** The hunk at a line, from 1: of agents, and one that is not kept before one that is. */
export function hunkAt(hunks: readonly Hunk[], line: number): Hunk | undefined {
  const there = hunks.filter(({ task, first, last }) => task !== null && first <= line && line <= last);
  return there.find(({ kept }) => !kept) ?? there[0];
}
