import { commands, window, workspace } from "vscode";
import type { Memento, QuickInputButton } from "vscode";

import { AlreadyReported, Postponed } from "./server";
import type { Workflow } from "./workflows";

/** What words are about; a draft is kept for each in each folder. */
export type Subject = "task" | "changes" | "base" | "tell" | `about ${string}`;

/** Words that were typed and that nothing has taken yet. They outlive Escape, a start that is refused, and a reload. */
export class Drafts {
  constructor(private readonly memory: Memento) {}

  get(workflow: Workflow, subject: Subject): string {
    return this.memory.get<string>(key(workflow, subject), "");
  }

  async keep(workflow: Workflow, subject: Subject, words: string): Promise<void> {
    await this.memory.update(key(workflow, subject), words.trim() === "" ? undefined : words);
  }

  /** Forget these words, unless others were typed since. */
  async drop(workflow: Workflow, subject: Subject, words: string): Promise<void> {
    if (this.get(workflow, subject).trim() === words.trim()) {
      await this.memory.update(key(workflow, subject), undefined);
    }
  }
}

function key(workflow: Workflow, subject: Subject): string {
  return `draft.${subject}.${workflow.folder.uri.toString()}`;
}

/** An input box whose words are not lost. */
export interface Question {
  subject: Subject;
  title: string;
  prompt: string;
  placeholder?: string;
  /** Shown when nothing was typed. */
  missing: string;
  /** What the box starts with where there is no draft. */
  start?: string;
  /** What it starts with is gone on with, not typed over. */
  isBegun?: boolean;
  /** A button of the box, which is given what was typed. */
  button?: { look: QuickInputButton; press: (words: string) => Promise<void> };
}

/** Ask for words; undefined when the user leaves the box. What was typed is kept until {@link handOver} was successful. */
export async function askForWords(drafts: Drafts, workflow: Workflow, question: Question): Promise<string | undefined> {
  const { subject, button } = question;
  const draft = drafts.get(workflow, subject);
  const input = window.createInputBox();
  input.title = inFolder(workflow, question.title);
  input.prompt = question.prompt;
  input.placeholder = question.placeholder;
  input.value = draft === "" ? (question.start ?? "") : draft;
  // What was typed before is gone on with; what was proposed is typed over.
  const isBegun = draft !== "" || question.isBegun === true;
  input.valueSelection = [isBegun ? input.value.length : 0, input.value.length];
  input.buttons = button === undefined ? [] : [button.look];
  input.ignoreFocusOut = true;
  const answer = await new Promise<string | undefined>((resolve, reject) => {
    input.onDidAccept(() => {
      if (input.value.trim() === "") {
        input.validationMessage = question.missing;
      } else {
        resolve(input.value.trim());
      }
    });
    input.onDidChangeValue((value) => {
      input.validationMessage = undefined;
      void drafts.keep(workflow, subject, value);
    });
    input.onDidTriggerButton(() => {
      button?.press(input.value.trim()).then(() => {
        resolve(undefined);
      }, reject);
    });
    input.onDidHide(() => {
      resolve(undefined);
    });
    input.show();
  }).finally(() => {
    input.dispose();
  });
  if (answer !== undefined) {
    await drafts.keep(workflow, subject, answer);
  }
  return answer;
}

/**
 * Give the words to what takes them. Refused, they stay a draft, which the next question starts with; `again` is the command
 * that asks it.
 */
export async function handOver(
  drafts: Drafts,
  workflow: Workflow,
  { subject, words, again }: { subject: Subject; words: string; again: string },
  take: () => Promise<unknown>,
): Promise<void> {
  const isTaken = (): Promise<void> => drafts.drop(workflow, subject, words);
  try {
    await take();
  } catch (error) {
    if (error instanceof Postponed) {
      void error.started.then(isTaken);
    }
    if (error instanceof AlreadyReported) {
      throw error;
    }
    void showRefusal(workflow, error, again);
    throw new AlreadyReported();
  }
  await isTaken();
}

/** Ask for words and hand them over. */
export async function withWords(
  drafts: Drafts,
  workflow: Workflow,
  question: Question & { again: string },
  take: (words: string) => Promise<unknown>,
): Promise<void> {
  const words = await askForWords(drafts, workflow, question);
  if (words !== undefined) {
    const { subject, again } = question;
    await handOver(drafts, workflow, { subject, words, again }, () => take(words));
  }
}

async function showRefusal(workflow: Workflow, error: unknown, again: string): Promise<void> {
  const tryAgain = "Try Again…";
  const why = error instanceof Error ? error.message : String(error);
  const message = `${workflow.title}: ${why.replace(/[.\s]*$/, "")}. What you typed is kept.`;
  if ((await window.showErrorMessage(message, tryAgain)) === tryAgain) {
    await commands.executeCommand(again, workflow);
  }
}

/** The title of a question; with several folders it names the folder. */
export function inFolder({ folder }: Workflow, title: string): string {
  return (workspace.workspaceFolders ?? []).length > 1 ? `${title}: ${folder.name}` : title;
}
