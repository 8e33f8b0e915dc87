import { CancellationError, LanguageModelTextPart, LanguageModelToolResult, lm, MarkdownString } from "vscode";
import type {
  CancellationToken,
  Disposable,
  LanguageModelToolInvocationOptions,
  LanguageModelToolInvocationPrepareOptions,
  PreparedToolInvocation,
} from "vscode";

import { defaultBase } from "./baseChoices";
import { repositoryFacts } from "./branchPicker";
import { followRun, type News } from "./followRun";
import type { Doctor } from "./protocol";
import { escaped, inCode } from "./markdownText";
import { reviewMeans, reviewReport, whyNot } from "./reviewReport";
import { AlreadyReported } from "./server";
import type { Workflow, Workflows } from "./workflows";

/** The name in the package. */
export const REVIEW_TOOL = "baton_review";

/** What the tool is called with; the package has its schema. */
interface Input {
  base?: string;
  folder?: string;
}

/** The review of the working tree against a commit, for the agents of others: what is found comes from Baton's reviewer. */
export function reviewTool(workflows: Workflows, news: News): Disposable {
  const target = async ({ base, folder }: Input): Promise<{ workflow: Workflow; base: string }> => {
    const workflow = workflowNamed(workflows, folder);
    await workflow.refresh();
    const { status, run } = workflow.state;
    const why = whyNot(status, run);
    if (why !== undefined) {
      throw new Error(why);
    }
    const named = base?.trim() ?? "";
    return { workflow, base: named === "" ? defaultBase(await repositoryFacts(workflow.folder.uri)) : named };
  };
  return lm.registerTool<Input>(REVIEW_TOOL, {
    async prepareInvocation({
      input,
    }: LanguageModelToolInvocationPrepareOptions<Input>): Promise<PreparedToolInvocation> {
      const { workflow, base } = await target(input);
      const means = reviewMeans(await workflow.call<Doctor>("baton.doctor"));
      const what = `What differs from ${inCode(base)} in ${escaped(workflow.folder.name)} is reviewed. Nothing is edited.`;
      return {
        invocationMessage: `Reviewing what differs from ${base}`,
        confirmationMessages: {
          title: "Review the changes with Baton?",
          message: new MarkdownString(`${what}\n\n${escaped(means)}`),
        },
      };
    },
    async invoke({ input }: LanguageModelToolInvocationOptions<Input>, token: CancellationToken) {
      const { workflow, base } = await target(input);
      const report = await review(workflow, base, news, token);
      return new LanguageModelToolResult([new LanguageModelTextPart(JSON.stringify(report, null, 1))]);
    },
  });
}

async function review(workflow: Workflow, base: string, news: News, token: CancellationToken): Promise<object> {
  const followed = {
    start: () => workflow.call("baton.review", { base }),
    cancel: () => workflow.call("baton.cancel"),
    tell: () => undefined,
    token,
  };
  const end = await followRun(news, followed).catch((error: unknown) => {
    // What the user was shown is told to the one who called, too.
    throw error instanceof AlreadyReported ? new Error(NOT_STARTED, { cause: error }) : error;
  });
  if (token.isCancellationRequested || end === undefined) {
    throw new CancellationError();
  }
  if (end.status !== "done") {
    throw new Error(`The review did not come to its end: ${end.message}`);
  }
  await workflow.refresh();
  return reviewReport(base, workflow.state.status, end);
}

const NOT_STARTED =
  "The review was not started, and the user was told what is missing. Once that is there it starts by itself, and its issues stand in Problems; do not ask for it again.";

function workflowNamed(workflows: Workflows, name: string | undefined): Workflow {
  const all = workflows.all();
  const found = name === undefined ? workflows.current() : all.find(({ folder }) => folder.name === name);
  if (found === undefined) {
    const names = all.map(({ folder }) => folder.name).join(", ");
    throw new Error(
      all.length === 0 ? "No folder is open." : `No folder is called ${name ?? ""}. The open ones are: ${names}.`,
    );
  }
  return found;
}
