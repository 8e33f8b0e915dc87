/** How far somebody has come, for the walkthrough: it ticks what happened, not what was clicked. */

import { commands, languages, window } from "vscode";
import type { Diagnostic, Disposable, Memento, TextEditorSelectionChangeEvent, Uri } from "vscode";

import { milestonesOf, type Milestone } from "./present";
import type { Workflows } from "./workflows";

const REACHED = "reached";

export class Milestones implements Disposable {
  private readonly disposables: Disposable[];

  constructor(
    private readonly memory: Memento,
    workflows: Workflows,
    isDemo: (folder: Uri) => boolean,
  ) {
    this.disposables = [
      workflows.onStatus(({ state, folder }) => {
        this.reach(...milestonesOf(state.status, isDemo(folder.uri)));
      }),
      window.onDidChangeTextEditorSelection((event) => {
        if (isAtIssue(event)) {
          this.reach("review");
        }
      }),
      // Another window may have come further.
      window.onDidChangeWindowState(() => {
        this.tell();
      }),
    ];
    this.tell();
  }

  reach(...milestones: Milestone[]): void {
    const before = this.memory.get<Milestone[]>(REACHED, []);
    const all = [...new Set([...before, ...milestones])];
    if (all.length > before.length) {
      void this.memory.update(REACHED, all);
      this.tell(all);
    }
  }

  dispose(): void {
    for (const disposable of this.disposables) {
      disposable.dispose();
    }
  }

  private tell(reached = this.memory.get<Milestone[]>(REACHED, [])): void {
    for (const milestone of reached) {
      void commands.executeCommand("setContext", `baton.reached.${milestone}`, true);
    }
  }
}

/** Whether the cursor stands where the review found something. */
function isAtIssue({ textEditor, selections }: TextEditorSelectionChangeEvent): boolean {
  const isFound = ({ source, code, range }: Diagnostic): boolean =>
    source === "baton" &&
    typeof code === "string" &&
    code.startsWith("review.") &&
    selections.some((selection) => range.intersection(selection) !== undefined);
  return languages.getDiagnostics(textEditor.document.uri).some(isFound);
}
