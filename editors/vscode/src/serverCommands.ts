/** The commands of the server. Nothing here needs VS Code. */

import type { PhaseName } from "./protocol";

/**
 * The commands of the server that this client calls by name. A test compares them with what the server advertises;
 * phases that a user added to the server come on top, and are run by {@link phaseCommand}.
 */
export const serverCommands = [
  "baton.workflow",
  "baton.context",
  "baton.plan",
  "baton.implement",
  "baton.review",
  "baton.approve",
  "baton.sendNotes",
  "baton.discardNotes",
  "baton.reject",
  "baton.status",
  "baton.cancel",
  "baton.reset",
  "baton.keep",
  "baton.rollback",
  "baton.diff",
  "baton.history",
  "baton.log",
  "baton.trust",
  "baton.accept",
  "baton.tell",
  "baton.fixIssue",
  "baton.dismissIssue",
  "baton.restoreIssue",
  "baton.openTask",
  "baton.openPlan",
  "baton.doctor",
  "baton.demo",
] as const;

export type ServerCommand = (typeof serverCommands)[number];

/** What messages may name: a command, or one with an argument that has a command of its own here. */
export type TitledCommand = ServerCommand | "baton.workflow.quick";

/** The server's command that runs one phase. The status says which phases there are. */
export function phaseCommand(phase: PhaseName): string {
  return `baton.${phase}`;
}

/** The commands for which agents are not at work. */
const quick: ReadonlySet<string> = new Set<ServerCommand>([
  "baton.discardNotes",
  "baton.reject",
  "baton.status",
  "baton.cancel",
  "baton.reset",
  "baton.keep",
  "baton.rollback",
  "baton.diff",
  "baton.history",
  "baton.log",
  "baton.trust",
  "baton.accept",
  "baton.tell",
  "baton.dismissIssue",
  "baton.restoreIssue",
  "baton.openTask",
  "baton.openPlan",
  "baton.doctor",
  "baton.demo",
]);

/** A command for which agents may be at work: also one that is not known here, which runs a phase of the user's. */
export function startsWork(command: string): boolean {
  return !quick.has(command);
}
