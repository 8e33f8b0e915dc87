/** The demo: a sample project of its own, whose answers are recorded, in a window of its own. */

import { commands, Uri, window, workspace } from "vscode";
import type { Disposable, ExtensionContext } from "vscode";

import { showError, type Server } from "./server";
import type { Workflows } from "./workflows";

/** A sample that was made, and whose workflow is to be started where it is opened. */
interface Asked {
  folder: string;
  /** Milliseconds since 1970. */
  at: number;
}

const ASKED = "demo.asked";
/** Whoever opens the sample later did not just ask for it. */
const ASKED_LATELY_MS = 60 * 60 * 1000;

export class Demo implements Disposable {
  private readonly ended: Disposable;

  constructor(
    private readonly context: ExtensionContext,
    private readonly server: Server,
    private readonly workflows: Workflows,
  ) {
    this.ended = workflows.onEnded(({ workflow, event }) => {
      if (event.outcome === "merged" && this.isAt(workflow.folder.uri)) {
        void commands.executeCommand("workbench.panel.markers.view.focus");
      }
    });
  }

  /** Whether a folder is a sample that was made here. */
  isAt(folder: Uri | undefined): boolean {
    return folder?.toString().startsWith(`${this.home.toString()}/`) === true;
  }

  /** Make a sample and open it: in a new window, or in this one where nothing is open. */
  async open(): Promise<void> {
    const isInUse = (workspace.workspaceFolders ?? []).length > 0;
    const yes = "Open the Demo";
    const detail = `It opens in ${isInUse ? "a new" : "this"} window, and the workflow starts there by itself. VS Code may ask first whether you trust its folder: Baton has just made it, so say yes. The answers are recorded: no key, no network, no cost.`;
    const question = "See Baton at work on a small sample project?";
    if ((await window.showInformationMessage(question, { modal: true, detail }, yes)) !== yes) {
      return;
    }
    const folder = Uri.joinPath(this.home, `links-${Date.now().toString(36)}`);
    await this.server.call("baton.demo", { dir: folder.fsPath });
    const asked: Asked = { folder: folder.toString(), at: Date.now() };
    await this.context.globalState.update(ASKED, asked);
    const where = isInUse ? { forceNewWindow: true } : { forceReuseWindow: true };
    await commands.executeCommand("vscode.openFolder", folder, where);
  }

  /** In the window of a sample that was just asked for: show its task and start. */
  async goOn(): Promise<void> {
    const asked = this.context.globalState.get<Asked>(ASKED);
    const [workflow] = this.workflows.all();
    if (workflow === undefined || asked?.folder !== workflow.folder.uri.toString()) {
      return;
    }
    await this.context.globalState.update(ASKED, undefined);
    if (Date.now() - asked.at > ASKED_LATELY_MS) {
      return;
    }
    const task = Uri.joinPath(workflow.folder.uri, ".agent_memory", "task.md");
    await window.showTextDocument(task, { preview: false });
    await commands.executeCommand("baton.workflow.focus");
    await workflow.call("baton.workflow").catch(showError);
    workflow.refreshSoon();
  }

  dispose(): void {
    this.ended.dispose();
  }

  private get home(): Uri {
    return Uri.joinPath(this.context.globalStorageUri, "demo");
  }
}
