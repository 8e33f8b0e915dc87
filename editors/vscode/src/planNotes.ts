import { commands, Uri, window, workspace } from "vscode";

import type { GatePanel } from "./gatePanel";
import { count, openGate } from "./present";
import { planRefusal, type PlanRefusal } from "./protocol";
import type { Workflow } from "./workflows";

/** Have the plan made anew by the notes on its page and in plan.md. */
export async function sendNotes(workflow: Workflow, gatePanel: GatePanel): Promise<void> {
  const notes = gatePanel.notes(workflow);
  const send = (): Promise<unknown> => workflow.call("baton.sendNotes", notes.length === 0 ? {} : { notes });
  const refusal = await refused(send);
  // Who sends a note means the one that is in sight.
  if (refusal === undefined) {
    gatePanel.forget(workflow);
  } else if (await isSaved(refusal)) {
    await send();
    gatePanel.forget(workflow);
  } else {
    void window.showErrorMessage(`${workflow.title}: plan.md could not be saved, and no note was sent.`);
  }
}

async function refused(send: () => Promise<unknown>): Promise<PlanRefusal | undefined> {
  try {
    await send();
    return undefined;
  } catch (error) {
    const refusal = planRefusal(error);
    if (refusal === undefined) {
      throw error;
    }
    return refusal;
  }
}

async function isSaved({ uri }: PlanRefusal): Promise<boolean> {
  const path = Uri.parse(uri).fsPath;
  const document = workspace.textDocuments.find(({ isDirty, uri: of }) => isDirty && of.fsPath === path);
  return document === undefined || (await document.save());
}

/** Before a plan is approved: notes that were not sent would be left. False when it is not to be approved. */
export async function isApprovedWithoutNotes(workflow: Workflow, gatePanel: GatePanel): Promise<boolean> {
  const notes = gatePanel.notes(workflow).length + (workflow.state.status?.notes?.length ?? 0);
  if (notes === 0) {
    return true;
  }
  const [send, anyway] = [notes > 1 ? "Send Notes" : "Send Note", "Approve Without"];
  const were = notes > 1 ? "were" : "was";
  const question = `${workflow.title}: ${count(notes, "note")} on the plan ${were} not sent.`;
  const detail = "Sent, the plan is made anew by them and you are asked again.";
  const answer = await window.showWarningMessage(question, { modal: true, detail }, send, anyway);
  if (answer === send) {
    await sendNotes(workflow, gatePanel);
  }
  return answer === anyway;
}

/** What is different from the plan before. */
export async function comparePlans(workflow: Workflow): Promise<void> {
  const { folder, title } = workflow;
  const before = openGate(workflow.state)?.previous;
  if (before?.plan_md == null) {
    void window.showInformationMessage(`${title}: there is no earlier plan to compare with.`);
    return;
  }
  const then = Uri.joinPath(folder.uri, before.plan_md);
  const now = Uri.joinPath(folder.uri, before.plan_md.replace(/history\/[^/]+\/([^/]+)$/, "$1"));
  await commands.executeCommand(
    "vscode.diff",
    then,
    now,
    `${title}: Plan, version ${String(before.plan_version)} ↔ now`,
  );
}
