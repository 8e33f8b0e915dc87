import { chat, Location, Position, Uri, workspace } from "vscode";
import type {
  CancellationToken,
  ChatPromptReference,
  ChatRequest,
  ChatResponseStream,
  ChatResult,
  Disposable,
} from "vscode";

import { defaultBase } from "./baseChoices";
import { repositoryFacts } from "./branchPicker";
import { answer, followups, type Surroundings } from "./chatAnswer";
import { followRun, type News } from "./followRun";
import { escaped } from "./markdownText";
import { AlreadyReported } from "./server";
import type { Workflow, Workflows } from "./workflows";

/** The id in the package. */
export const PARTICIPANT = "baton.chat";

/** `@baton` in the chat: the workflow itself answers, and no model is asked for words. */
export function chatParticipant(workflows: Workflows, news: News, icon: Uri): Disposable {
  const handle = async (
    request: ChatRequest,
    _context: unknown,
    stream: ChatResponseStream,
    token: CancellationToken,
  ): Promise<ChatResult> => {
    const files = request.references.flatMap(fileOf);
    const workflow = workflowFor(workflows, files);
    if (workflow === undefined) {
      stream.markdown("Baton works in a folder: open one first.");
      stream.button({ title: "Open Folder…", command: "workbench.action.files.openFolder" });
      return {};
    }
    if (workflows.all().length > 1) {
      stream.markdown(`In ${escaped(workflow.folder.name)}:\n\n`);
    }
    const { prompt, command } = request;
    const within = files.filter((file) => workspace.getWorkspaceFolder(file)?.index === workflow.folder.index);
    const names = within.map((file) => workspace.asRelativePath(file, false));
    try {
      return await answer({ prompt, command, files: names }, surroundings(workflow, news, token), stream);
    } finally {
      workflow.refreshSoon();
    }
  };
  const participant = chat.createChatParticipant(PARTICIPANT, handle);
  participant.iconPath = icon;
  participant.followupProvider = { provideFollowups: followups };
  return participant;
}

function surroundings(workflow: Workflow, news: News, token: CancellationToken): Surroundings {
  const { uri } = workflow.folder;
  return {
    workflow,
    follow: (start, tell, isEnough) =>
      followRun(news, { start, cancel: () => workflow.call("baton.cancel"), tell, isEnough, token }),
    defaultBase: async () => defaultBase(await repositoryFacts(uri)),
    place: ({ file, line, placed }) => {
      const at = Uri.joinPath(uri, file);
      return placed === false ? at : new Location(at, new Position(Math.max(0, line - 1), 0));
    },
    refusal: (error) => {
      if (error instanceof AlreadyReported) {
        return undefined;
      }
      return error instanceof Error ? error.message : String(error);
    },
  };
}

/** The folder of the first file that was put beside the question, else the one that commands are for. */
function workflowFor(workflows: Workflows, files: Uri[]): Workflow | undefined {
  const folders = files.map((file) => workspace.getWorkspaceFolder(file)?.index);
  const named = workflows.all().find(({ folder }) => folders.includes(folder.index));
  return named ?? workflows.current();
}

function fileOf({ value }: ChatPromptReference): Uri[] {
  if (value instanceof Uri) {
    return [value];
  }
  return value instanceof Location ? [value.uri] : [];
}
