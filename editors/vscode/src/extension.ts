import { commands, Uri, window, workspace } from "vscode";
import type { Disposable, ExtensionContext, LogOutputChannel } from "vscode";
import type { ProgressToken } from "vscode-languageclient/node";

import { Changes } from "./changes";
import { chatParticipant } from "./chat";
import { type Contributions, workflowCommands } from "./commands";
import { Demo } from "./demo";
import { entryPoints } from "./entryPoints";
import { GatePanel } from "./gatePanel";
import { ownWay } from "./hunks";
import { Keys } from "./keys";
import { LanguageModels } from "./languageModel";
import { Logs } from "./log";
import { Milestones } from "./milestones";
import { ModelChoice } from "./modelChoice";
import { Outcomes } from "./outcome";
import { ReviewPage } from "./reviewPage";
import { reviewTool } from "./reviewTool";
import { RunProgress } from "./runProgress";
import { Server, showError } from "./server";
import { statusBar } from "./statusBar";
import { Texts } from "./texts";
import { Tree } from "./tree";
import { SaveQuestions } from "./unsaved";
import { Drafts } from "./words";
import { type Workflow, Workflows } from "./workflows";

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel("Baton", { log: true });
  const keys = new Keys(context);
  const models = new LanguageModels(context, log);
  const of = (run: ProgressToken): Workflow | undefined => workflows.all().find(({ state }) => state.run === run);
  const progress = new RunProgress(
    (run) => {
      (of(run)?.call("baton.cancel") ?? Promise.resolve()).catch(showError);
    },
    (run) => of(run)?.title ?? "Baton",
  );
  const server = new Server(context, log, keys, models, progress);
  const workflows = new Workflows(server);
  const icon = Uri.joinPath(context.extensionUri, "media", "baton.svg");
  const gatePanel = new GatePanel(workflows, icon);
  const texts = new Texts();
  const changes = new Changes(server, texts);
  const logs = new Logs(server, texts);
  const reviewPage = new ReviewPage(workflows, texts);
  const demo = new Demo(context, server, workflows);
  const milestones = new Milestones(context.globalState, workflows, (folder) => demo.isAt(folder));
  const modelChoice = new ModelChoice(server, keys, models, {
    isAtWork: () => workflows.anyAtWork(),
    isDemo: () => demo.isAt(workspace.workspaceFolders?.[0]?.uri),
    onUsable: () => {
      milestones.reach("model");
    },
  });
  const { contributes: contributions } = context.extension.packageJSON as { contributes: Contributions };
  const drafts = new Drafts(context.workspaceState);
  server.gatekeeper = modelChoice;
  server.ownWay = ownWay(workflows);

  const command = (name: string, action: () => unknown): void => {
    context.subscriptions.push(commands.registerCommand(`batonClient.${name}`, action));
  };
  command("setApiKey", () => modelChoice.setApiKey().catch(showError));
  command("chooseModel", () => modelChoice.chooseModel().catch(showError));
  command("tryDemo", () => demo.open().catch(showError));
  command("showLog", () => {
    log.show();
  });
  context.subscriptions.push(
    log,
    server,
    workflows,
    gatePanel,
    texts,
    logs,
    reviewPage,
    demo,
    milestones,
    new Outcomes(workflows, gatePanel, server.onCrashed),
    new SaveQuestions(workflows, progress),
    server.onCrashed(({ isStartedAgain }) => {
      if (!isStartedAgain) {
        void tellOfCrashes(server, log);
      }
    }),
    new Tree(workflows),
    ...statusBar(workflows),
    ...entryPoints(workflows),
    chatParticipant(workflows, server, Uri.joinPath(context.extensionUri, "media", "icon.png")),
    reviewTool(workflows, server),
    ...workflowCommands({ workflows, gatePanel, changes, logs, reviewPage, drafts, contributions }),
    ...catchUps(context, server, workflows, models, modelChoice),
  );
  if ((workspace.workspaceFolders ?? []).length > 0) {
    server.start().catch(showError);
    demo.goOn().catch(showError);
  }
}

/** The settings that a server is told of when it starts. */
const AT_START = ["baton.server", "baton.endpoints", "baton.hunkLenses"];

/** A server learns of keys, models and addresses when it starts: it starts anew when they change and nothing runs. */
function catchUps(
  context: ExtensionContext,
  server: Server,
  workflows: Workflows,
  models: LanguageModels,
  modelChoice: ModelChoice,
): Disposable[] {
  let isDue = false;
  const whenIdle = (): void => {
    if (isDue && !workflows.anyAtWork()) {
      isDue = false;
      server
        .catchUp()
        .then(() => modelChoice.onServerCaughtUp())
        .catch(showError);
    }
  };
  const soon = (): void => {
    isDue = true;
    whenIdle();
  };
  return [
    context.secrets.onDidChange(soon),
    models.onChanged(soon),
    workspace.onDidChangeConfiguration((event) => {
      if (AT_START.some((section) => event.affectsConfiguration(section))) {
        soon();
      }
    }),
    workflows.onChanged(whenIdle),
  ];
}

/** It is not started again by itself: it would only die once more. */
async function tellOfCrashes(server: Server, log: LogOutputChannel): Promise<void> {
  const again = "Start It Again";
  const show = "Show Log";
  const message = "Baton's server stopped several times in a row. What was written stays, and a run can be resumed.";
  const answer = await window.showErrorMessage(message, again, show);
  if (answer === again) {
    await server.start();
  } else if (answer === show) {
    log.show();
  }
}
