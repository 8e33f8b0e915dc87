import { QuickPickItemKind, ThemeIcon, window } from "vscode";
import type { QuickInputButton, QuickPickItem } from "vscode";

import { isUnfinished, oneLine } from "./present";
import type { Workflow } from "./workflows";

/** What `baton.workflow` is given: nothing goes on with the workflow at hand. */
export type TaskArguments = { task?: string; reset?: boolean };

/** Ask what is to be done; undefined when the user thinks better of it. */
export async function askForTask(workflow: Workflow): Promise<TaskArguments | undefined> {
  const task = workflow.state.status?.task ?? undefined;
  if (task === undefined || !isUnfinished(workflow.state)) {
    return askForWords(workflow, task, {});
  }
  const begun = workflow.state.status?.phases.some((phase) => phase.status !== "pending") ?? false;
  const goOn = {
    label: begun ? "$(debug-continue) Go on" : "$(play) Start",
    description: oneLine(task),
    detail: begun ? "From where it stands" : "The task in task.md",
  };
  const another = {
    label: "$(add) Another task…",
    detail: begun ? "The unfinished workflow is set aside; your files stay" : "",
  };
  const edit = { label: "$(edit) Edit task.md", detail: "For a task of many lines" };
  const separator: QuickPickItem = { label: "", kind: QuickPickItemKind.Separator };
  const answer = await window.showQuickPick([goOn, separator, another, edit], { title: "Run Workflow" });
  switch (answer) {
    case goOn:
      return {};
    case another:
      return askForWords(workflow, undefined, begun ? { reset: true } : {});
    case edit:
      await workflow.call("baton.openTask");
      return undefined;
    default:
      return undefined;
  }
}

async function askForWords(
  workflow: Workflow,
  last: string | undefined,
  more: TaskArguments,
): Promise<TaskArguments | undefined> {
  const inFile: QuickInputButton = { iconPath: new ThemeIcon("edit"), tooltip: "Write a longer task in task.md" };
  const input = window.createInputBox();
  input.title = "Run Workflow";
  input.prompt = "You see the plan before anything is written. For a long task press the pencil above.";
  input.placeholder = "What should be done? For example: Add a --json flag to the list command";
  // A task of many lines would lose its lines here; it stands in task.md.
  input.value = last?.includes("\n") === true ? "" : (last ?? "");
  input.valueSelection = [0, input.value.length];
  input.buttons = [inFile];
  input.ignoreFocusOut = true;
  const answer = await new Promise<string | undefined>((resolve) => {
    input.onDidAccept(() => {
      if (input.value.trim() === "") {
        input.validationMessage = "Say in a sentence what should be done.";
      } else {
        resolve(input.value.trim());
      }
    });
    input.onDidChangeValue(() => {
      input.validationMessage = undefined;
    });
    input.onDidTriggerButton(() => {
      resolve(undefined);
      void workflow.call("baton.openTask");
    });
    input.onDidHide(() => {
      resolve(undefined);
    });
    input.show();
  });
  input.dispose();
  return answer === undefined ? undefined : { ...more, task: answer };
}
