import { commands, EventEmitter, Uri, window, workspace } from "vscode";
import type { Disposable, TextDocumentContentProvider } from "vscode";

import type { Diff } from "./protocol";
import type { Workflow } from "./workflows";

const SCHEME = "baton-before";

/** What a workflow changed, as VS Code's own diff of many files. */
export class Changes implements TextDocumentContentProvider, Disposable {
  private readonly before = new Map<string, string>();
  private readonly changed = new EventEmitter<Uri>();
  private readonly registration: Disposable;
  readonly onDidChange = this.changed.event;

  constructor() {
    this.registration = workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  provideTextDocumentContent(uri: Uri): string {
    return this.before.get(uri.toString()) ?? "";
  }

  async show(workflow: Workflow, task?: string): Promise<void> {
    const diff = await workflow.call<Diff>("baton.diff", task === undefined ? {} : { task });
    if (diff.files.length === 0) {
      void window.showInformationMessage(`${workflow.title}: the workflow has changed no file.`);
      return;
    }
    const rows = diff.files.map((file) => {
      const now = Uri.parse(file.uri);
      const then = file.before === null ? undefined : this.keep(now, file.before);
      return [now, then, file.change_type === "deleted" ? undefined : now];
    });
    await commands.executeCommand("vscode.changes", `${workflow.title}: ${task ?? "changes"}`, rows);
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }

  private keep(now: Uri, text: string): Uri {
    const uri = now.with({ scheme: SCHEME, query: "" });
    if (this.before.get(uri.toString()) !== text) {
      this.before.set(uri.toString(), text);
      this.changed.fire(uri);
    }
    return uri;
  }
}
