/** What the menus of editors go by: whether an issue stands at the cursor, and which files are the plan that waits. */

import { commands, languages, Uri, window, workspace } from "vscode";
import type { Disposable, TextEditor } from "vscode";

import { openGate, openIssues } from "./present";
import type { Issue } from "./protocol";
import type { Workflow, Workflows } from "./workflows";

/** Context keys beside those of `present.contextKeys`; a test compares them with the clauses of the package. */
export const editorContextKeys = ["baton.issue_here", "baton.plan_files"] as const;

export function entryPoints(workflows: Workflows): Disposable[] {
  const shown = new Map<string, string>();
  /** Told only what is new: the cursor moves often. */
  const set = (key: (typeof editorContextKeys)[number], value: unknown): void => {
    const text = JSON.stringify(value);
    if (shown.get(key) !== text) {
      shown.set(key, text);
      void commands.executeCommand("setContext", key, value);
    }
  };
  const showIssue = (): void => {
    const editor = window.activeTextEditor;
    const folder = editor === undefined ? undefined : workspace.getWorkspaceFolder(editor.document.uri);
    const workflow = workflows.all().find((each) => each.folder.index === folder?.index);
    const isHere = editor !== undefined && workflow !== undefined && issueAt(workflow, editor) !== undefined;
    set("baton.issue_here", isHere && workflow.state.run === null);
  };
  return [
    window.onDidChangeActiveTextEditor(showIssue),
    window.onDidChangeTextEditorSelection(({ textEditor }) => {
      if (textEditor === window.activeTextEditor) {
        showIssue();
      }
    }),
    languages.onDidChangeDiagnostics(showIssue),
    workflows.onChanged(() => {
      showIssue();
      set("baton.plan_files", workflows.all().flatMap(planFiles));
    }),
  ];
}

/** The issue of a workflow's folder at the cursor of an editor: its diagnostic moves with the lines. */
export function issueAt({ state }: Workflow, { document, selection }: TextEditor): Issue | undefined {
  const ids = languages
    .getDiagnostics(document.uri)
    .filter(({ source, range }) => source === "baton" && range.intersection(selection) !== undefined)
    .map(idOf);
  return openIssues(state).find(({ id }) => ids.includes(id));
}

/** What the server gave along with a diagnostic; the language client keeps it with its own kind of diagnostic. */
function idOf(diagnostic: object): unknown {
  const data = "data" in diagnostic ? diagnostic.data : undefined;
  return typeof data === "object" && data !== null && "id" in data ? data.id : undefined;
}

/** plan.json and plan.md, where they wait for an answer. */
function planFiles({ folder, state }: Workflow): string[] {
  const gate = openGate(state);
  if (gate === null) {
    return [];
  }
  const memory = workspace.getConfiguration("baton", folder.uri).get<string>("memory_dir", ".agent_memory");
  const usual = Uri.joinPath(folder.uri, memory, "plan.json");
  const plan = "plan_json" in gate ? Uri.parse(gate.plan_json) : usual;
  return [plan, Uri.joinPath(plan, "..", "plan.md")].map(({ fsPath }) => fsPath);
}
