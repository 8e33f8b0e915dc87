import { QuickPickItemKind, Range, ThemeIcon, Uri, window, workspace, WorkspaceEdit } from "vscode";
import type { QuickPickItem, TextDocument } from "vscode";

import { isUnfinished, oneLine } from "./present";
import { askForWords, handOver, inFolder, type Drafts } from "./words";
import type { Workflow } from "./workflows";

/** What a start is given: nothing goes on with the workflow at hand. */
interface TaskArguments {
  task?: string;
  reset?: boolean;
}

/** A start that asks for its task. */
export interface Start {
  title: string;
  command: "baton.workflow" | "baton.context";
  /** The command of this client. */
  again: string;
  /** Context and plan in one conversation, for a small task. */
  quick?: true;
}

interface Row extends QuickPickItem {
  choose?: () => Promise<TaskArguments | undefined>;
}

/** Ask what is to be done, and start it. Nothing happens when the user thinks better of it, and no typed word is lost. */
export async function startWithTask(drafts: Drafts, workflow: Workflow, start: Start): Promise<void> {
  const chosen = await askForTask(drafts, workflow, start);
  if (chosen === undefined) {
    return;
  }
  const take = (): Promise<unknown> => workflow.call(start.command, { ...chosen, ...(start.quick && { quick: true }) });
  await handOver(drafts, workflow, { subject: "task", words: chosen.task ?? "", again: start.again }, take);
}

async function askForTask(drafts: Drafts, workflow: Workflow, start: Start): Promise<TaskArguments | undefined> {
  // The file may have been written since anything was heard of it.
  await workflow.refresh().catch(() => undefined);
  const { status } = workflow.state;
  const typing = unsavedTask(workflow);
  const task = typing?.getText().trim() ?? status?.task?.trim() ?? "";
  const draft = drafts.get(workflow, "task").trim();
  const hasBegun = status?.phases.some((phase) => phase.status !== "pending") ?? false;
  const isAtHand = task !== "" && isUnfinished(workflow.state) && typing === undefined;
  const ask = (proposal: string, more: TaskArguments = {}): Promise<TaskArguments | undefined> =>
    askForNewTask(drafts, workflow, start, proposal, more);
  const isShort = typing === undefined && !task.includes("\n");
  if (task === "" || (!isAtHand && isShort && draft === "")) {
    return ask(task);
  }
  const reset: TaskArguments = isAtHand && hasBegun ? { reset: true } : {};
  const rows: Row[] = [fromFile(workflow, task, typing, isAtHand, hasBegun)];
  if (draft !== "" && draft !== task) {
    const detail = "What you typed last and did not start yet";
    const label = "$(edit) Go on writing…";
    rows.push({ label, description: oneLine(draft), detail, choose: () => ask("", reset) });
  }
  rows.push(
    { label: "", kind: QuickPickItemKind.Separator },
    {
      label: "$(add) Another task…",
      detail: reset.reset === true ? "The unfinished workflow is set aside; your files stay" : "",
      choose: () => ask("", reset),
    },
    {
      label: "$(note) Edit task.md",
      detail: "For a task of many lines",
      choose: async () => {
        await workflow.call("baton.openTask");
        return undefined;
      },
    },
  );
  const answer = await window.showQuickPick(rows, { title: inFolder(workflow, start.title) });
  return answer?.choose?.();
}

/** The row that goes on with the workflow at hand, or starts what task.md says. */
function fromFile(
  workflow: Workflow,
  task: string,
  typing: TextDocument | undefined,
  isAtHand: boolean,
  hasBegun: boolean,
): Row {
  const description = oneLine(task);
  if (isAtHand) {
    const label = hasBegun ? "$(debug-continue) Go on" : "$(play) Start";
    const detail = hasBegun ? "From where it stands" : "The task in task.md";
    return { label, description, detail, choose: () => Promise.resolve({}) };
  }
  const choose = async (): Promise<TaskArguments> => {
    await typing?.save();
    await workflow.refresh();
    // A workflow that has ended starts anew only when it is told its task, also the same.
    return isUnfinished(workflow.state) ? {} : { task };
  };
  const detail = typing === undefined ? "The task in task.md" : "The task in task.md, which is saved first";
  return { label: "$(play) Start", description, detail, choose };
}

async function askForNewTask(
  drafts: Drafts,
  workflow: Workflow,
  start: Start,
  proposal: string,
  more: TaskArguments,
): Promise<TaskArguments | undefined> {
  const task = await askForWords(drafts, workflow, {
    subject: "task",
    title: start.title,
    prompt: "You see the plan before anything is written. For a long task press the pencil above.",
    placeholder: "What should be done? For example: Add a --json flag to the list command",
    missing: "Say in a sentence what should be done.",
    start: proposal,
    button: {
      look: { iconPath: new ThemeIcon("edit"), tooltip: "Write a longer task in task.md" },
      press: (words) => writeInFile(drafts, workflow, words, more),
    },
  });
  return task === undefined ? undefined : { ...more, task };
}

/** Go on in task.md with what was typed. Words that are there already stay. */
async function writeInFile(drafts: Drafts, workflow: Workflow, words: string, more: TaskArguments): Promise<void> {
  if (more.reset === true) {
    // Its task is in this file: what is added to it would be added to that.
    const yes = "Set It Aside";
    const question = "Set the unfinished workflow aside and write another task in task.md?";
    const detail = "It goes to the history; your files stay as they are.";
    if ((await window.showWarningMessage(question, { modal: true, detail }, yes)) !== yes) {
      return;
    }
    await workflow.call("baton.reset");
  }
  const { uri } = await workflow.call<{ uri: string }>("baton.openTask");
  await workflow.refresh();
  const document = await workspace.openTextDocument(Uri.parse(uri));
  await window.showTextDocument(document, { preview: false });
  const text = document.getText();
  if (words === "" || text.includes(words)) {
    return;
  }
  const isTemplate = !document.isDirty && workflow.state.status?.task == null;
  const end = document.positionAt(text.length);
  const edit = new WorkspaceEdit();
  if (isTemplate) {
    edit.replace(document.uri, new Range(document.positionAt(0), end), `${words}\n`);
  } else {
    edit.insert(document.uri, end, `${text === "" || text.endsWith("\n") ? "" : "\n"}\n${words}\n`);
  }
  if ((await workspace.applyEdit(edit)) && (await document.save())) {
    await drafts.drop(workflow, "task", words);
  }
}

/** task.md, where it is being written and not saved. */
function unsavedTask(workflow: Workflow): TextDocument | undefined {
  const memory = workspace.getConfiguration("baton", workflow.folder.uri).get<string>("memory_dir", ".agent_memory");
  const path = Uri.joinPath(workflow.folder.uri, memory, "task.md").fsPath;
  const isIt = ({ uri, isDirty }: TextDocument): boolean => isDirty && uri.scheme === "file" && uri.fsPath === path;
  const document = workspace.textDocuments.find(isIt);
  return document?.getText().trim() === "" ? undefined : document;
}
