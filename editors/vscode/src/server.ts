import { commands, env, EventEmitter, languages, Range, Uri, window, workspace } from "vscode";
import type { Disposable, DocumentSymbol, Event, ExtensionContext, LogOutputChannel } from "vscode";
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  LanguageClient,
  type ProgressToken,
  RevealOutputChannelOn,
  State,
  TextDocumentContentRequest,
} from "vscode-languageclient/node";

import { findServer } from "./binary";
import type { Keys } from "./keys";
import type { LanguageModels } from "./languageModel";
import { openFile } from "./openFile";
import { startsWork } from "./serverCommands";
import type { ClientOptions, PhaseEvent } from "./protocol";
import type { TitledCommand } from "./serverCommands";
import type { RunProgress } from "./runProgress";
import { settingsThatAreSet } from "./settings";

/** A server that dies so often within so long is not started again by itself. */
const MOST_CRASHES = 4;
const CRASHES_WITHIN_MS = 3 * 60 * 1000;

/** Settles when a start that was put off was made after all; never where it was not. */
export interface Later {
  started: Promise<void>;
}

/** Who is asked before agents begin to work. */
export interface Gatekeeper {
  /** Undefined where they may; else the user knows what is missing, and `start` is called once it is there. */
  beforeStart: (start: () => Promise<unknown>) => Promise<Later | undefined>;
  /** The same after the server refused a start: undefined where it refused for another reason. */
  afterRefusal: (start: () => Promise<unknown>) => Promise<Later | undefined>;
}

/** The server's process, started when it is first needed and again when its keys change. */
export class Server implements Disposable {
  private client: LanguageClient | undefined;
  /** The parameters of the last start, as JSON. */
  private startedWith: string | undefined;
  /** One start or stop after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  private readonly phase = new EventEmitter<PhaseEvent>();
  private readonly changed = new EventEmitter<void>();
  private readonly restarted = new EventEmitter<void>();
  private readonly crashed = new EventEmitter<{ isStartedAgain: boolean }>();
  /** When it died lately. */
  private crashes: number[] = [];

  /** Everything that happens in a run. */
  readonly onPhase: Event<PhaseEvent> = this.phase.event;
  /** What the server shows may have changed without a run. */
  readonly onChanged: Event<void> = this.changed.event;
  /** It runs, for the first time or again; whatever was at work before is not any more. */
  readonly onStarted: Event<void> = this.restarted.event;

  /** It died, and with it whatever was at work. */
  readonly onCrashed: Event<{ isStartedAgain: boolean }> = this.crashed.event;

  /** Asked before work starts, which always follows from what a user did. */
  gatekeeper: Gatekeeper = {
    beforeStart: () => Promise.resolve(undefined),
    afterRefusal: () => Promise.resolve(undefined),
  };

  /** The server's commands, from its lenses and actions, that this client does in its own way; undefined where it does not. */
  ownWay: (command: string, args: unknown[]) => Promise<unknown> | undefined = () => undefined;

  constructor(
    private readonly context: ExtensionContext,
    private readonly log: LogOutputChannel,
    private readonly keys: Keys,
    private readonly models: LanguageModels,
    private readonly progress: RunProgress,
  ) {}

  /** The program; undefined where there is none, which the user is shown. */
  program(): string | undefined {
    const found = findServer(this.pathThatIsSet(), this.context.extensionPath, process.env["PATH"] ?? "");
    if ("path" in found) {
      return found.path;
    }
    this.log.error(`No server at ${found.tried.join(", nor ")}`);
    void this.showNotFound(found.tried);
    return undefined;
  }

  /** Start it unless it runs. */
  async start(): Promise<LanguageClient | undefined> {
    return this.inTurn(async () => {
      if (this.client?.state === State.Starting) {
        // After a crash the client starts it again by itself.
        await this.client.start().catch(() => undefined);
      }
      if (this.client?.state !== State.Running) {
        await this.stopNow();
        await this.startNow();
      }
      return this.client;
    });
  }

  /** Start it anew if it was started with other keys, models or addresses than there are now. A run is stopped by it. */
  async catchUp(): Promise<void> {
    await this.inTurn(async () => {
      if (this.startedWith !== undefined && this.startedWith !== JSON.stringify(await this.startParameters())) {
        await this.stopNow();
        await this.startNow();
      }
    });
  }

  /** The commands that it has; none before it runs. */
  commands(): readonly string[] {
    return this.client?.initializeResult?.capabilities.executeCommandProvider?.commands ?? [];
  }

  /** Whether it has documents of its own: before-images and logs. */
  servesTexts(): boolean {
    return this.textProviders().length > 0;
  }

  /** Such a document is another one now. */
  textChanged(uri: Uri): void {
    for (const { onDidChangeEmitter } of this.textProviders()) {
      onDidChangeEmitter.fire(uri);
    }
  }

  /** Run a command of the server and give its answer. */
  async call(command: string, args: object): Promise<unknown> {
    return this.execute(command, [args]);
  }

  dispose(): void {
    void this.inTurn(() => this.stopNow());
    this.phase.dispose();
    this.changed.dispose();
    this.restarted.dispose();
    this.crashed.dispose();
  }

  private textProviders(): readonly { scheme: string; onDidChangeEmitter: EventEmitter<Uri> }[] {
    const all = this.client?.getFeature(TextDocumentContentRequest.method)?.getProviders() ?? [];
    return all.filter(({ scheme }) => scheme === "baton");
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work, work);
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  private async startNow(): Promise<void> {
    const start = await this.startParameters();
    this.startedWith = JSON.stringify(start);
    const command = this.program();
    if (command === undefined) {
      return;
    }
    const { languageModel, hunkLenses } = start;
    const services = { editorDiagnostics: true, documentSymbols: true };
    const wanted = { phase: true, gate: true, outcome: true, statusDiagnostics: false, ...services };
    const commandTitles = titles(this.context.extension.packageJSON as Package);
    const options: ClientOptions = { baton: { ...wanted, languageModel, hunkLenses, commandTitles } };
    const client: LanguageClient = new LanguageClient(
      "baton",
      "Baton",
      { command, args: ["lsp"], options: { env: { ...process.env, ...start.environment } } },
      {
        documentSelector: [{ scheme: "file" }],
        diagnosticCollectionName: "baton",
        outputChannel: this.log,
        revealOutputChannelOn: RevealOutputChannelOn.Never,
        initializationOptions: options,
        errorHandler: {
          // A connection that broke is closed, which is told then.
          error: () => ({ action: ErrorAction.Continue, handled: true }),
          closed: () => this.afterCrash(client),
        },
        middleware: {
          // Runs show themselves; the client's own progress has no cancel button.
          handleWorkDoneProgress: (token: ProgressToken, value) => {
            this.progress.show(token, value);
          },
          // The server's own commands, from its quick fixes and lenses.
          executeCommand: (id: string, args: unknown[]) => this.executeForEditor(id, args),
          handleDiagnostics: (uri, diagnostics, next) => {
            next(uri, diagnostics);
            this.changed.fire();
          },
          window: {
            showDocument: async (params, token, next) => {
              const uri = Uri.parse(params.uri);
              if (uri.path.endsWith("/plan.md")) {
                // For reading: as Markdown it reads better than as text.
                await commands.executeCommand("markdown.showPreview", uri);
              } else if (uri.path.endsWith("/plan.json")) {
                const { start, end } = params.selection ?? {};
                await openFile(uri, start && end && new Range(start.line, start.character, end.line, end.character));
              } else {
                return next(params, token);
              }
              return { success: true };
            },
          },
          workspace: {
            configuration: (params, token, next) =>
              params.items.every((item) => item.section === "baton")
                ? params.items.map((item) => settingsThatAreSet(scope(item.scopeUri)))
                : next(params, token),
          },
        },
      },
    );
    client.onNotification("baton/phase", (event: PhaseEvent) => {
      this.phase.fire(event);
    });
    client.onRequest("baton/languageModel", this.models.turn.bind(this.models));
    client.onRequest("baton/editorDiagnostics", ({ uris }: { uris: string[] }) => diagnosticsOf(client, uris));
    client.onRequest("baton/documentSymbols", ({ uri }: { uri: string }) => symbolsOf(client, uri));
    client.onDidChangeState(({ newState }) => {
      if (newState !== State.Running) {
        // However it came to stop: nothing of it moves any more.
        this.progress.endAll();
      }
      // Also after a crash, from which the client starts it again by itself.
      if (newState === State.Running && this.client === client) {
        this.restarted.fire();
      }
    });
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.client = undefined;
      this.log.error(String(error));
      void this.showStartFailure(command);
    }
  }

  /** It died by itself. A start that fails is told where it was asked for. */
  private afterCrash(client: LanguageClient): CloseHandlerResult {
    if (this.client !== client || client.state !== State.Running) {
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    const now = Date.now();
    this.crashes = [...this.crashes.filter((at) => now - at < CRASHES_WITHIN_MS), now];
    const isStartedAgain = this.crashes.length <= MOST_CRASHES;
    this.progress.endAll();
    this.crashed.fire({ isStartedAgain });
    return { action: isStartedAgain ? CloseAction.Restart : CloseAction.DoNotRestart, handled: true };
  }

  /** What the server is given only when it starts. */
  private async startParameters(): Promise<{
    path: string;
    environment: Record<string, string>;
    languageModel: boolean;
    hunkLenses: boolean;
  }> {
    return {
      path: this.pathThatIsSet(),
      environment: { ...endpoints(), ...(await this.keys.environment()) },
      languageModel: await this.models.areThere(),
      hunkLenses: workspace.getConfiguration("baton").get<boolean>("hunkLenses", true),
    };
  }

  private pathThatIsSet(): string {
    return workspace.getConfiguration("baton").get<string>("server.path", "");
  }

  private async stopNow(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.progress.endAll();
    // It may stop a run, for which the server takes its time.
    await client?.dispose(5000).catch((error: unknown) => {
      this.log.warn(String(error));
    });
  }

  private async execute(command: string, args: unknown[]): Promise<unknown> {
    const client = await this.start();
    if (client === undefined) {
      throw new AlreadyReported();
    }
    const isStart = startsWork(command);
    const again = (): Promise<unknown> => this.execute(command, args);
    if (isStart) {
      orLater(await this.gatekeeper.beforeStart(again));
    }
    try {
      return await client.sendRequest("workspace/executeCommand", { command, arguments: args });
    } catch (error) {
      if (client.state !== State.Running) {
        throw new Error("the server stopped before it answered", { cause: error });
      }
      if (isStart && !isAboutPlan(error)) {
        orLater(await this.gatekeeper.afterRefusal(again));
      }
      throw error;
    }
  }

  private async executeForEditor(command: string, args: unknown[]): Promise<unknown> {
    try {
      return await (this.ownWay(command, args) ?? this.execute(command, args));
    } catch (error) {
      showError(error);
      return undefined;
    } finally {
      this.changed.fire();
    }
  }

  private async showNotFound(tried: string[]): Promise<void> {
    const settings = "Open Setting";
    const again = "Try Again";
    const message = `Baton's server was not found (${tried.join(", ")}). Set where it is, or install this extension's package for your platform.`;
    const answer = await window.showErrorMessage(message, settings, again);
    if (answer === settings) {
      await openServerSetting();
    } else if (answer === again) {
      await this.start();
    }
  }

  private async showStartFailure(command: string): Promise<void> {
    const answer = await window.showErrorMessage(
      `Baton's server did not start: ${command}`,
      "Show Log",
      "Open Setting",
    );
    if (answer === "Show Log") {
      this.log.show();
    } else if (answer === "Open Setting") {
      await openServerSetting();
    }
  }
}

interface Package {
  /** A title that VS Code has translated stands beside the one that it was. */
  contributes: { commands: { command: string; title: string | { value: string } }[] };
}

/** The commands of this client that do what those of the server do. */
const OWN: Partial<Record<TitledCommand, string>> = {
  "baton.workflow": "runWorkflow",
  "baton.workflow.quick": "runQuick",
  "baton.context": "gatherContext",
  "baton.plan": "plan",
  "baton.implement": "implement",
  "baton.review": "review",
  "baton.approve": "approvePlan",
  "baton.reject": "rejectPlan",
  "baton.status": "status",
  "baton.cancel": "cancel",
  "baton.reset": "reset",
  "baton.rollback": "undoRun",
  "baton.keep": "keepFile",
  "baton.log": "openLog",
  "baton.history": "history",
  "baton.diff": "showChanges",
  "baton.fixIssue": "fixIssue",
  "baton.dismissIssue": "dismissIssue",
  "baton.tell": "tell",
  "baton.openTask": "openTask",
  "baton.openPlan": "showPlan",
};

/** What the palette calls the server's commands. */
function titles({ contributes }: Package): ClientOptions["baton"]["commandTitles"] {
  const titleOf = (own: string): string | undefined => {
    const title = contributes.commands.find(({ command }) => command === `batonClient.${own}`)?.title;
    return (typeof title === "object" ? title.value : title)?.replace("…", "");
  };
  return Object.fromEntries(
    Object.entries(OWN).map(([command, own]) => [command, `"Baton: ${titleOf(own) ?? command}"`]),
  );
}

/** The error was shown to the user where it happened. */
export class AlreadyReported extends Error {}

/** A start that waits for a model to be named; the user was told so. */
export class Postponed extends AlreadyReported {
  constructor(readonly started: Promise<void>) {
    super();
  }
}

function orLater(later: Later | undefined): void {
  if (later !== undefined) {
    throw new Postponed(later.started);
  }
}

/** Refused because of the plan that was answered, which has an answer of its own. */
function isAboutPlan(error: unknown): boolean {
  const data = error instanceof Error && "data" in error ? error.data : undefined;
  return typeof data === "object" && data !== null && "kind" in data;
}

/** Show an error in the server's words, unless it was shown before. */
export function showError(error: unknown): void {
  if (!(error instanceof AlreadyReported)) {
    void window.showErrorMessage(`Baton: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A setting of the machine stands with the machine that the server runs on. */
async function openServerSetting(): Promise<void> {
  const where = env.remoteName === undefined ? "openSettings" : "openRemoteSettings";
  await commands.executeCommand(`workbench.action.${where}`, { query: "baton.server.path" });
}

/** Addresses of models' interfaces, which only the machine's own settings name. */
function endpoints(): Record<string, string> {
  const configuration = workspace.getConfiguration("baton.endpoints");
  const set = (name: string, variable: string): Record<string, string> => {
    const address = configuration.get<string>(name, "").trim();
    return address === "" ? {} : { [variable]: address };
  };
  return { ...set("anthropic", "ANTHROPIC_BASE_URL"), ...set("openai", "OPENAI_BASE_URL") };
}

function scope(uri: string | undefined): Uri | undefined {
  return uri === undefined ? undefined : Uri.parse(uri);
}

/** What the other language servers say of these files. */
function diagnosticsOf(client: LanguageClient, uris: string[]): object[] {
  return uris.map((uri) => {
    const all = languages.getDiagnostics(client.protocol2CodeConverter.asUri(uri));
    const others = all.filter((diagnostic) => diagnostic.source !== "baton");
    return { uri, diagnostics: others.map((diagnostic) => client.code2ProtocolConverter.asDiagnostic(diagnostic)) };
  });
}

/** What the other language servers know of a file's definitions. */
async function symbolsOf(client: LanguageClient, uri: string): Promise<object[] | null> {
  const { protocol2CodeConverter: fromServer, code2ProtocolConverter: toServer } = client;
  const asSymbol = ({ name, kind, range, selectionRange, children }: DocumentSymbol): object => ({
    name,
    // The protocol counts kinds from one.
    kind: kind + 1,
    range: toServer.asRange(range),
    selectionRange: toServer.asRange(selectionRange),
    children: children.map(asSymbol),
  });
  const command = "vscode.executeDocumentSymbolProvider";
  const symbols = await commands.executeCommand<DocumentSymbol[] | undefined>(command, fromServer.asUri(uri));
  return symbols?.map(asSymbol) ?? null;
}
