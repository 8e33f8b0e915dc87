import { commands, EventEmitter, Uri, window, workspace } from "vscode";
import type { Disposable, Event, WorkspaceFolder } from "vscode";

import { openFiles } from "./changeWords";
import * as present from "./present";
import { phaseCommand } from "./serverCommands";
import type { ChangedFile, Diff, PhaseEvent, PhaseName, Status } from "./protocol";
import type { ServerCommand } from "./serverCommands";
import type { Server } from "./server";

/** How long to wait for more news before the server is asked again. */
const QUIET_MS = 100;

/** How often the server is asked about a run of another process. */
const OTHERS_MS = 2000;

/** The workflow of one workspace folder, as the server tells it. */
export class Workflow {
  state: present.State = present.nothing;
  private asking: Promise<void> | undefined;
  private askAgain = false;
  /** How many events there were: a status that was asked for before the latest is an old one. */
  private events = 0;
  private following: NodeJS.Timeout | undefined;
  /** Where the workflow stood when its changes were asked for last. */
  private changesOf: string | undefined;

  constructor(
    readonly folder: WorkspaceFolder,
    private readonly server: Server,
    private readonly changed: (workflow: Workflow) => void,
    private readonly isTold: (workflow: Workflow) => void,
  ) {}

  /** Who speaks in a message: with several folders it names the folder. */
  get title(): string {
    return (workspace.workspaceFolders ?? []).length > 1 ? `Baton (${this.folder.name})` : "Baton";
  }

  /** Run a command of the server in this folder, as the server named it. */
  async execute(command: string, args: object): Promise<unknown> {
    return this.server.call(command, { ...args, folder: this.folder.uri.toString() });
  }

  /** Run a command of the server in this folder. */
  async call<T>(command: ServerCommand, args: object = {}): Promise<T> {
    return (await this.execute(command, args)) as T;
  }

  /** Run one phase, again where it has run; those after it are set aside. */
  async runPhase(phase: PhaseName): Promise<void> {
    await this.execute(phaseCommand(phase), {});
  }

  onPhase(event: PhaseEvent): void {
    this.events += 1;
    this.become(present.afterEvent(this.state, event));
    this.refreshSoon();
  }

  /** The server's process is a new one: nothing is at work in it. */
  forget(): void {
    this.events += 1;
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
    const before = this.events;
    const status = await this.call<Status | null>("baton.status");
    const changes = await this.changes(status);
    const isLatest = this.events === before;
    const openPaths = openFiles(changes).map((path) => Uri.joinPath(this.folder.uri, path).fsPath);
    const commands = this.server.commands();
    this.become({ ...present.afterStatus(this.state, status, isLatest), commands, changes, openPaths });
    if (isLatest) {
      this.isTold(this);
    }
    this.followOthers();
  }

  /** What is changed may be something else now, though the workflow stands where it stood. */
  changesSoon(): void {
    this.changesOf = undefined;
    this.refreshSoon();
  }

  /** What is changed, where the server knows it by hunks; it is asked again when the workflow stands elsewhere. */
  private async changes(status: Status | null): Promise<readonly ChangedFile[]> {
    if (status === null || !this.server.commands().includes("baton.keep")) {
      return [];
    }
    const { run, state, tasks, issues } = status;
    const of = JSON.stringify([run, state, tasks.map((task) => task.status), issues.length]);
    if (this.changesOf === of) {
      return this.state.changes;
    }
    this.changesOf = of;
    try {
      const { files } = await this.call<Diff>("baton.diff");
      // The texts are asked for again where they are shown.
      return files.map((file) => ({ ...file, before: null, after: null }));
    } catch {
      this.changesOf = undefined;
      return this.state.changes;
    }
  }

  /** A run of another process sends no events to this one. */
  private followOthers(): void {
    clearTimeout(this.following);
    const { run, status } = this.state;
    if (run === null && ["running", "waiting_for_save", "waiting_for_network"].includes(status?.state ?? "")) {
      this.following = setTimeout(() => {
        this.refreshSoon();
      }, OTHERS_MS);
    }
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
  private readonly told = new EventEmitter<Workflow>();
  private readonly ended = new EventEmitter<{ workflow: Workflow; event: PhaseEvent }>();
  private readonly disposables: Disposable[] = [];

  /** Something is to be shown differently. */
  readonly onChanged: Event<Workflow> = this.changed.event;
  /** The server said where a workflow stands, and no event came meanwhile. */
  readonly onStatus: Event<Workflow> = this.told.event;
  /** A run of this window ended. */
  readonly onEnded: Event<{ workflow: Workflow; event: PhaseEvent }> = this.ended.event;

  constructor(private readonly server: Server) {
    this.disposables.push(
      this.changed,
      this.told,
      this.ended,
      server.onPhase((event) => {
        const workflow = this.all().find(({ folder }) => sameFolder(folder, event.folder));
        workflow?.onPhase(event);
        if (workflow !== undefined && present.isEnd(event)) {
          this.ended.fire({ workflow, event });
        }
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
      ...this.followFiles(),
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
      all.find((workflow) => present.openGate(workflow.state) !== null) ??
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

  /** The one whose folder has this file, if any. */
  ofFile(file: Uri): Workflow | undefined {
    const folder = workspace.getWorkspaceFolder(file);
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

  /** A task may be written and a plan changed or answered while no run is at work that would send an event. */
  private followFiles(): Disposable[] {
    const watcher = workspace.createFileSystemWatcher("**/{task.md,plan.json,approval.json,review.json}");
    const follow = (uri: Uri): void => {
      const folder = workspace.getWorkspaceFolder(uri);
      if (folder !== undefined) {
        this.of(folder).refreshSoon();
      }
    };
    // What the checks saw may be another text now.
    const saved = workspace.onDidSaveTextDocument(({ uri }) => {
      const folder = workspace.getWorkspaceFolder(uri);
      const workflow = folder === undefined ? undefined : this.known.get(folder.uri.toString());
      if ((workflow?.state.changes ?? []).length > 0) {
        workflow?.changesSoon();
      } else if ((workflow?.state.status?.checks ?? []).length > 0) {
        workflow?.refreshSoon();
      }
    });
    return [watcher, saved, watcher.onDidChange(follow), watcher.onDidCreate(follow), watcher.onDidDelete(follow)];
  }

  private of(folder: WorkspaceFolder): Workflow {
    const key = folder.uri.toString();
    const known = this.known.get(key);
    if (known !== undefined) {
      return known;
    }
    const workflow = new Workflow(
      folder,
      this.server,
      (changed) => {
        this.changed.fire(changed);
      },
      (told) => {
        this.told.fire(told);
      },
    );
    this.known.set(key, workflow);
    return workflow;
  }

  private showCurrent(): void {
    const keys = present.contextKeys(...this.all().map(({ state }) => state));
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
