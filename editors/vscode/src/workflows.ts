import { commands, EventEmitter, window, workspace } from "vscode";
import type { Disposable, Event, Uri, WorkspaceFolder } from "vscode";

import * as present from "./present";
import { phaseCommand } from "./protocol";
import type { PhaseEvent, PhaseName, ServerCommand, Status } from "./protocol";
import type { Server } from "./server";

/** How long to wait for more news before the server is asked again. */
const QUIET_MS = 100;

/** The workflow of one workspace folder, as the server tells it. */
export class Workflow {
  state: present.State = present.nothing;
  private asking: Promise<void> | undefined;
  private askAgain = false;

  constructor(
    readonly folder: WorkspaceFolder,
    private readonly server: Server,
    private readonly changed: (workflow: Workflow) => void,
  ) {}

  /** Run a command of the server in this folder. */
  async call<T>(command: ServerCommand, args: object = {}): Promise<T> {
    return (await this.server.call(command, { ...args, folder: this.folder.uri.toString() })) as T;
  }

  /** Run one phase, again where it has run; those after it are set aside. */
  async runPhase(phase: PhaseName): Promise<void> {
    await this.server.call(phaseCommand(phase), { folder: this.folder.uri.toString() });
  }

  onPhase(event: PhaseEvent): void {
    this.become(present.afterEvent(this.state, event));
    this.refreshSoon();
  }

  /** The server's process is a new one: nothing is at work in it. */
  forget(): void {
    this.become({ ...this.state, run: null, gate: null });
    this.refreshSoon();
  }

  refreshSoon(): void {
    if (this.asking !== undefined) {
      this.askAgain = true;
      return;
    }
    this.asking = new Promise((resolve) => setTimeout(resolve, QUIET_MS))
      .then(() => this.refresh())
      .catch(() => undefined)
      .finally(() => {
        this.asking = undefined;
        if (this.askAgain) {
          this.askAgain = false;
          this.refreshSoon();
        }
      });
  }

  /** Ask the server where the workflow stands. */
  async refresh(): Promise<void> {
    const status = await this.call<Status | null>("baton.status");
    // Events may have come meanwhile.
    this.become(present.afterStatus(this.state, status));
  }

  private become(state: present.State): void {
    this.state = state;
    this.changed(this);
  }
}

/** One workflow for each folder of the window. */
export class Workflows implements Disposable {
  private readonly known = new Map<string, Workflow>();
  private readonly changed = new EventEmitter<Workflow>();
  private readonly disposables: Disposable[] = [];

  /** Something is to be shown differently. */
  readonly onChanged: Event<Workflow> = this.changed.event;

  constructor(private readonly server: Server) {
    this.disposables.push(
      this.changed,
      server.onPhase((event) => {
        this.all()
          .find((workflow) => sameFolder(workflow.folder, event.folder))
          ?.onPhase(event);
      }),
      server.onChanged(() => {
        this.refreshAll();
      }),
      server.onStarted(() => {
        for (const workflow of this.all()) {
          workflow.forget();
        }
      }),
      workspace.onDidChangeWorkspaceFolders(() => {
        this.refreshAll();
      }),
      ...this.followPlans(),
      window.onDidChangeActiveTextEditor(() => {
        this.showCurrent();
      }),
      this.onChanged(() => {
        this.showCurrent();
      }),
    );
  }

  all(): Workflow[] {
    const folders = workspace.workspaceFolders ?? [];
    for (const key of this.known.keys()) {
      if (!folders.some((folder) => folder.uri.toString() === key)) {
        this.known.delete(key);
      }
    }
    return folders.map((folder) => this.of(folder));
  }

  /** The one whose plan waits or that is at work, else the one of the file that is being edited, else the first. */
  current(): Workflow | undefined {
    const all = this.all();
    const uri = window.activeTextEditor?.document.uri;
    const edited = uri === undefined ? undefined : workspace.getWorkspaceFolder(uri);
    return (
      all.find((workflow) => workflow.state.gate !== null) ??
      all.find((workflow) => workflow.state.run !== null) ??
      all.find((workflow) => workflow.folder.index === edited?.index) ??
      all[0]
    );
  }

  /** The one a command is for: the user is asked where it could be another. */
  async pick(): Promise<Workflow | undefined> {
    const all = this.all();
    if (all.length === 0) {
      const answer = await window.showInformationMessage("Baton works in a folder: open one first.", "Open Folder…");
      if (answer !== undefined) {
        await commands.executeCommand("workbench.action.files.openFolder");
      }
      return undefined;
    }
    if (all.length === 1) {
      return all[0];
    }
    const folder = await window.showWorkspaceFolderPick({ placeHolder: "In which folder?" });
    return folder === undefined ? undefined : this.of(folder);
  }

  anyAtWork(): boolean {
    return this.all().some((workflow) => workflow.state.run !== null);
  }

  refreshAll(): void {
    for (const workflow of this.all()) {
      workflow.refreshSoon();
    }
  }

  dispose(): void {
    for (const disposable of this.disposables) {
      disposable.dispose();
    }
  }

  /** A plan that waits may change while no run is at work that would send an event. */
  private followPlans(): Disposable[] {
    const watcher = workspace.createFileSystemWatcher("**/plan.json");
    const follow = (uri: Uri): void => {
      const folder = workspace.getWorkspaceFolder(uri);
      if (folder !== undefined) {
        this.of(folder).refreshSoon();
      }
    };
    return [watcher, watcher.onDidChange(follow), watcher.onDidCreate(follow), watcher.onDidDelete(follow)];
  }

  private of(folder: WorkspaceFolder): Workflow {
    const key = folder.uri.toString();
    const known = this.known.get(key);
    if (known !== undefined) {
      return known;
    }
    const workflow = new Workflow(folder, this.server, (changed) => {
      this.changed.fire(changed);
    });
    this.known.set(key, workflow);
    return workflow;
  }

  private showCurrent(): void {
    const keys = present.contextKeys(this.current()?.state ?? present.nothing);
    for (const [key, value] of Object.entries(keys)) {
      void commands.executeCommand("setContext", key, value);
    }
  }
}

/** URIs of one folder may be written differently. */
function sameFolder(folder: WorkspaceFolder, uri: string): boolean {
  const plain = (text: string): string => decodeURIComponent(text).replace(/\/$/, "");
  return plain(folder.uri.toString()) === plain(uri);
}
