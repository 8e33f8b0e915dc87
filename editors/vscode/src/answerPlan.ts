import { createHash } from "node:crypto";

import { commands, Position, Range, Uri, window, workspace } from "vscode";
import type { TextDocument } from "vscode";

import type { GatePanel } from "./gatePanel";
import { openFile } from "./openFile";
import { openGate } from "./present";
import { isApprovedWithoutNotes } from "./planNotes";
import { planRefusal, type CheckAnswer, type PlanRefusal } from "./protocol";
import { isApprovedUnsaved } from "./unsaved";
import { withWords, type Drafts } from "./words";
import type { Workflow } from "./workflows";

/** Approve the plan that the user was shown, and no other; `tasks` alone, or all. */
export async function approve(
  workflow: Workflow,
  gatePanel: GatePanel,
  shown: string | undefined,
  tasks?: string[],
  checks: CheckAnswer = {},
): Promise<void> {
  await workflow.refresh();
  const planSha256 = shown ?? openGate(workflow.state)?.plan_sha256;
  if (planSha256 !== undefined && !gatePanel.hasShown(workflow, planSha256) && gatePanel.show(workflow, false)) {
    void window.showInformationMessage(`${workflow.title}: this is the plan as it is now. Read it, then approve it.`);
    return;
  }
  if (!(await isApprovedWithoutNotes(workflow, gatePanel)) || !(await isApprovedUnsaved(workflow, tasks))) {
    return;
  }
  const answer = { tasks, ...checks };
  const refusal = await tryToApprove(workflow, planSha256, answer);
  if (refusal === undefined) {
    gatePanel.forget(workflow);
  } else if (refusal.kind === "unsaved") {
    await approveUnsaved(workflow, gatePanel, Uri.parse(refusal.uri), planSha256, answer);
  } else {
    await showAgain(workflow, gatePanel, "the plan has changed since it was shown");
  }
}

/** What is approved, and what is said of the checks with it. */
interface Approval extends CheckAnswer {
  tasks: string[] | undefined;
}

/** Why it was not approved, where that can be helped. */
async function tryToApprove(
  workflow: Workflow,
  planSha256: string | undefined,
  answer: Approval,
): Promise<PlanRefusal | undefined> {
  try {
    await workflow.call("baton.approve", { planSha256, ...answer });
    return undefined;
  } catch (error) {
    const refusal = planRefusal(error);
    if (refusal === undefined) {
      throw error;
    }
    return refusal;
  }
}

const SAVE = "Save and Approve";
const DISCARD = "Discard and Approve";

/** The plan is being edited: the user says which of the two texts is approved. */
async function approveUnsaved(
  workflow: Workflow,
  gatePanel: GatePanel,
  plan: Uri,
  shown: string | undefined,
  approval: Approval,
): Promise<void> {
  const document = workspace.textDocuments.find(({ uri, isDirty }) => isDirty && uri.fsPath === plan.fsPath);
  if (document === undefined) {
    await showAgain(workflow, gatePanel, "the plan had changes that were not saved");
    return;
  }
  const detail =
    "Save and Approve takes the plan as you edited it. Discard and Approve undoes your changes and takes the saved plan.";
  const question = "plan.json has changes that are not saved. Which plan do you approve?";
  const answer = await window.showWarningMessage(question, { modal: true, detail }, SAVE, DISCARD);
  if (answer === SAVE) {
    await saveAndApprove(workflow, gatePanel, document, approval);
  } else if (answer === DISCARD) {
    await discard(document);
    if ((await tryToApprove(workflow, shown, approval)) !== undefined) {
      await showAgain(workflow, gatePanel, "the plan has changed since it was shown");
    }
  }
}

async function saveAndApprove(
  workflow: Workflow,
  gatePanel: GatePanel,
  document: TextDocument,
  approval: Approval,
): Promise<void> {
  const known = protectedFiles(workflow);
  if (!(await document.save())) {
    void window.showErrorMessage(`${workflow.title}: plan.json could not be saved, and nothing was approved.`);
    return;
  }
  const saved = createHash("sha256")
    .update(await workspace.fs.readFile(document.uri))
    .digest("hex");
  await workflow.refresh();
  const { faults = [] } = workflow.state.status ?? {};
  const fault = faults.find(({ file }) => Uri.joinPath(workflow.folder.uri, file).fsPath === document.uri.fsPath);
  if (fault !== undefined) {
    const place = new Position(fault.line - 1, fault.column - 1);
    await openFile(document, new Range(place, place));
    const what = `line ${String(fault.line)} of plan.json: ${fault.message.replace(/\.$/, "")}`;
    // A run that waits says it by itself.
    if (workflow.state.run === null) {
      void window.showErrorMessage(`${workflow.title}: ${what}. The plan is saved, and not approved.`);
    }
    return;
  }
  // What only a person can allow is allowed by one who was shown it.
  if (protectedFiles(workflow).some((path) => !known.includes(path))) {
    await showAgain(workflow, gatePanel, "the plan is saved, and writes protected files that it did not before");
  } else if ((await tryToApprove(workflow, saved, approval)) !== undefined) {
    await showAgain(workflow, gatePanel, "the plan has changed since it was saved");
  }
}

function protectedFiles({ state }: Workflow): string[] {
  return (state.status?.gate ?? state.gate)?.protected.map(({ path }) => path) ?? [];
}

/** Undo what was typed since the last save. */
async function discard(document: TextDocument): Promise<void> {
  await openFile(document);
  await commands.executeCommand("workbench.action.files.revert");
}

/** The plan is another one than the user saw: show it, and let the user answer again. */
async function showAgain(workflow: Workflow, gatePanel: GatePanel, what: string): Promise<void> {
  await workflow.refresh();
  gatePanel.show(workflow, false);
  void window.showWarningMessage(`${workflow.title}: ${what}. Read it as it is now, then answer again.`);
}

/** Ask what should be different, and have the plan made anew. */
export async function askForChanges(drafts: Drafts, workflow: Workflow): Promise<void> {
  const question = {
    subject: "changes",
    title: "Ask for Changes",
    prompt: "What should be different? The plan is made anew and you are asked again.",
    missing: "Say it in a few words.",
    again: "batonClient.askForChanges",
  } as const;
  await withWords(drafts, workflow, question, (feedback) => workflow.call("baton.plan", { feedback }));
}

/** Open the plan, or the file that has a fault, at its place. */
export async function editPlan(workflow: Workflow): Promise<void> {
  const { status, gate } = workflow.state;
  const way = status?.ways_on?.find(({ id }) => id === "edit");
  const fault = status?.faults?.[0];
  if (fault !== undefined) {
    const place = new Position(fault.line - 1, fault.column - 1);
    const file = Uri.joinPath(workflow.folder.uri, fault.file);
    await openFile(file, new Range(place, place));
  } else if (way !== undefined && way.command !== null) {
    await workflow.execute(way.command, way.arguments ?? {});
  } else {
    const plan = gate?.plan_json === undefined ? undefined : Uri.parse(gate.plan_json);
    const usual = Uri.joinPath(workflow.folder.uri, ".agent_memory/plan.json");
    await openFile(plan ?? usual);
  }
}
