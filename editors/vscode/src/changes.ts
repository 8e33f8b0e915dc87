import { commands, Uri, window } from "vscode";

import type { ChangedFile, Diff } from "./protocol";
import type { Server } from "./server";
import type { Texts } from "./texts";
import type { Workflow } from "./workflows";

/** What a workflow changed, in VS Code's own diffs. */
export class Changes {
  constructor(
    private readonly server: Server,
    private readonly texts: Texts,
  ) {}

  /** All files that the workflow, or a task of it, changed. */
  async show(workflow: Workflow, task?: string): Promise<void> {
    const diff = await workflow.call<Diff>("baton.diff", task === undefined ? {} : { task });
    if (diff.files.length === 0) {
      const who = task ?? "the workflow";
      void window.showInformationMessage(`${workflow.title}: ${who} has changed no file.`);
      return;
    }
    const rows = diff.files.map((file) => {
      const now = Uri.parse(file.uri);
      const then = file.change_type === "created" ? undefined : this.before(workflow, file);
      return [now, then, file.change_type === "deleted" ? undefined : now];
    });
    await commands.executeCommand("vscode.changes", `${workflow.title}: ${task ?? "changes"}`, rows);
  }

  /** One file as it was before the workflow beside what it is now; the file alone where nothing of it is changed. */
  async showFile(workflow: Workflow, path: string): Promise<void> {
    const { files } = await workflow.call<Diff>("baton.diff");
    const file = files.find((changed) => changed.path === path);
    if (file === undefined) {
      await commands.executeCommand("vscode.open", Uri.joinPath(workflow.folder.uri, path));
      return;
    }
    const then = this.before(workflow, file) ?? this.nothing(workflow, path);
    const now = file.change_type === "deleted" ? this.nothing(workflow, path) : Uri.parse(file.uri);
    await commands.executeCommand("vscode.diff", then, now, `${path.split("/").at(-1) ?? path} (before ↔ now)`);
  }

  /** The text before the workflow: the server's own document where it has one, else what it answered. */
  private before(workflow: Workflow, { path, before, before_uri: uri }: ChangedFile): Uri | undefined {
    if (uri != null && this.server.servesTexts()) {
      return Uri.parse(uri);
    }
    return before === null ? undefined : this.texts.keep(`${workflow.folder.uri.path}/before/${path}`, before);
  }

  private nothing({ folder }: Workflow, path: string): Uri {
    return this.texts.keep(`${folder.uri.path}/none/${path}`, "");
  }
}
