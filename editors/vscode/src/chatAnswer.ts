/** What `@baton` answers: what the workflow says, and nothing of a model of its own. Nothing here needs VS Code. */

import type { ChatFollowup, ChatResponseStream, ChatResult, Command, Location, Uri } from "vscode";

import { costs as gateCosts } from "./gateHtml";
import { escaped, inCode } from "./markdownText";
import {
  costs,
  endedBadly,
  headline,
  isEnd,
  isUnfinished,
  openGate,
  openIssues,
  phaseTitle,
  phaseWords,
  placeOf,
  summary,
  taskWords,
} from "./present";
import type { Gate, GateStatus, Issue, PhaseEvent, Status } from "./protocol";
import { reviewed } from "./reviewReport";
import { clientCommand, waysOn } from "./waysOn";
import type { WayOn } from "./protocol";
import type { Workflow } from "./workflows";

/** What a person wrote to `@baton`. */
export interface Asked {
  /** Without the slash: `run`, `plan`, `status` or `review`. */
  command: string | undefined;
  prompt: string;
  /** The files that were put beside it, relative to the workspace folder. */
  files: string[];
}

/** The workflow that is spoken of, and what an answer needs beside it. */
export interface Surroundings {
  workflow: Pick<Workflow, "state" | "refresh" | "execute"> & { folder: { uri: { toString: () => string } } };
  /** Start a run and follow it, also when the chat is cancelled, which cancels it. */
  follow: (
    start: () => Promise<unknown>,
    tell: (event: PhaseEvent) => void,
    isEnough: (event: PhaseEvent) => boolean,
  ) => Promise<PhaseEvent | undefined>;
  /** What a review is made against where nobody says. */
  defaultBase: () => Promise<string>;
  /** Where an issue stands. */
  place: (issue: Issue) => Uri | Location;
  /** Why something was not done, in words; undefined where the user was told in a notification. */
  refusal: (error: unknown) => string | undefined;
}

/** Where the answer goes. */
export type Stream = Pick<ChatResponseStream, "markdown" | "progress" | "button" | "anchor">;

/** Most issues that are told one by one. */
const MOST_ISSUES = 20;

export async function answer(asked: Asked, around: Surroundings, stream: Stream): Promise<ChatResult> {
  const { workflow } = around;
  try {
    await workflow.refresh();
    switch (asked.command) {
      case "status":
        tellStatus(around, stream);
        break;
      case "plan":
        await plan(asked, around, stream);
        break;
      case "review":
        await review(asked, around, stream);
        break;
      case "run":
        await run(asked, around, stream);
        break;
      default:
        if (asked.prompt.trim() === "") {
          tellStatus(around, stream);
        } else {
          await run(asked, around, stream);
        }
    }
  } catch (error) {
    await refuse(error, around, stream);
  }
  return { metadata: { isAtGate: openGate(workflow.state) !== null, command: asked.command ?? "" } };
}

/** What can be asked next, by what the answer left. */
export function followups({ metadata }: ChatResult): ChatFollowup[] {
  const { isAtGate, command } = (metadata ?? {}) as { isAtGate?: boolean; command?: string };
  const status: ChatFollowup = { command: "status", prompt: "Where does it stand?" };
  const review: ChatFollowup = { command: "review", prompt: "HEAD", label: "Review what is not committed" };
  return [...(command === "status" ? [] : [status]), ...(command === "review" || isAtGate === true ? [] : [review])];
}

/** Start with the prompt as the task, or go on where nothing is said. */
async function run(asked: Asked, around: Surroundings, stream: Stream): Promise<void> {
  const task = withFiles(asked);
  const { state } = around.workflow;
  if (task === "" && state.status?.task == null) {
    stream.markdown("There is no task yet. Say in a sentence what should be done: `@baton /run Add a --json flag`.");
    return;
  }
  if (task === "" && openGate(state) !== null) {
    tellGate(around, stream);
    return;
  }
  await follow("baton.workflow", task === "" ? {} : { task }, around, stream);
}

/** The plan that waits; with words, another one by them, or the first one for them as the task. */
async function plan(asked: Asked, around: Surroundings, stream: Stream): Promise<void> {
  const words = withFiles(asked);
  const { state } = around.workflow;
  if (words === "") {
    if (openGate(state) !== null) {
      tellGate(around, stream);
    } else if (isUnfinished(state)) {
      await follow("baton.workflow", {}, around, stream);
    } else {
      stream.markdown("No plan waits. Say what should be done: `@baton /plan Add a --json flag`.");
    }
  } else if (isUnfinished(state) && state.status?.phases.some(({ status }) => status !== "pending") === true) {
    await follow("baton.plan", { feedback: words }, around, stream);
  } else {
    await follow("baton.workflow", { task: words }, around, stream);
  }
}

async function review(asked: Asked, around: Surroundings, stream: Stream): Promise<void> {
  const named = asked.prompt.trim();
  const base = named === "" ? await around.defaultBase() : named;
  stream.progress(`Reviewing what differs from ${base}. Stopping this answer stops the review.`);
  const end = await around.follow(
    () => around.workflow.execute("baton.review", { base }),
    news(stream),
    () => false,
  );
  if (end === undefined) {
    return;
  }
  await around.workflow.refresh();
  const { status } = around.workflow.state;
  if (end.status !== "done") {
    stream.markdown(escaped(end.message));
    return;
  }
  const told = status?.base_review;
  const verdict = told === undefined ? "" : `**${VERDICTS[told.verdict]}.** ${escaped(told.summary)}`;
  stream.markdown(verdict === "" ? escaped(end.message) : verdict);
  tellIssues(reviewed(status), around, stream);
}

const VERDICTS: Record<NonNullable<Status["base_review"]>["verdict"], string> = {
  approved: "Approved",
  changes_requested: "Changes requested",
  rejected: "Rejected",
};

/** Start or go on, until a plan waits or the run ends, and tell what came of it. */
async function follow(command: string, args: object, around: Surroundings, stream: Stream): Promise<void> {
  const { workflow } = around;
  stream.progress("Starting. Stopping this answer stops the run.");
  const end = await around.follow(() => workflow.execute(command, args), news(stream), isWaitingForPlan);
  await workflow.refresh();
  if (end === undefined) {
    return;
  }
  if (!isEnd(end) && openGate(workflow.state) !== null) {
    tellGate(around, stream);
    return;
  }
  stream.markdown(escaped(end.message));
  tellIssues(openIssues(workflow.state), around, stream);
  tellCosts(workflow.state.status, stream);
  offer(around, stream);
}

function isWaitingForPlan({ phase, status }: PhaseEvent): boolean {
  return phase === "plan" && status === "waiting";
}

/** What began and ended, and on whose account; what agents are at in between is in Baton's view. */
function news(stream: Stream): (event: PhaseEvent) => void {
  let last = "";
  return (event) => {
    const isSmall = event.status === "progress" && event.phase !== "workflow";
    const line = event.task === undefined ? event.message : `${event.task}: ${event.message}`;
    if (!isSmall && !isEnd(event) && line !== last && event.message !== "") {
      last = line;
      stream.progress(line);
    }
  };
}

/** The plan, what it may cost, and the answers to it. */
function tellGate(around: Surroundings, stream: Stream): void {
  const { workflow } = around;
  const gate = openGate(workflow.state);
  if (gate === null) {
    return;
  }
  stream.markdown(gate.markdown);
  const skipped = gate.checks.filter(({ trusted }) => !trusted).map(({ name }) => inCode(name));
  const checks =
    skipped.length === 0
      ? ""
      : ` Not run, since you have not trusted them: ${skipped.join(", ")}; the plan's page has them to tick.`;
  stream.markdown(`\n\n${escaped(gateCosts(gate, workflow.state.status?.usage))}${checks}\n`);
  offer(around, stream, gate);
}

/** Where it stands, in words. */
function tellStatus(around: Surroundings, stream: Stream): void {
  const { state } = around.workflow;
  const { status } = state;
  if (status?.task == null && status?.state === undefined) {
    stream.markdown("No workflow here yet. Say what should be done, and Baton plans it and asks you.");
    return;
  }
  const task = status.task == null ? "" : `**Task:** ${escaped(status.task.trim())}\n\n`;
  const told = summary(state);
  stream.markdown(`${task}${escaped(told === "" ? headline(status) : told)}\n`);
  const phases = status.phases.flatMap((row) => {
    const words = phaseWords(row, status);
    const why = endedBadly(row) && row.message !== "" ? `: ${row.message}` : "";
    return words === "" ? [] : [`- ${escaped(`${phaseTitle(row.phase)}: ${words}${why}`)}\n`];
  });
  const tasks = status.tasks.map((row) => {
    const words = taskWords(row);
    return `- ${escaped(`${row.id} ${row.title}${words === "" ? "" : `: ${words}`}`)}\n`;
  });
  stream.markdown(`\n${[...phases, ...tasks].join("")}`);
  tellIssues(openIssues(state), around, stream);
  tellCosts(status, stream);
  offer(around, stream);
}

function tellIssues(issues: Issue[], { place }: Surroundings, stream: Stream): void {
  for (const issue of issues.slice(0, MOST_ISSUES)) {
    stream.markdown(`\n- **${issue.severity}** `);
    stream.anchor(place(issue), placeOf(issue));
    stream.markdown(` ${escaped(issue.description.trim())}\n`);
  }
  const more = issues.length - MOST_ISSUES;
  if (more > 0) {
    stream.markdown(`\n${String(more)} more stand in Problems.\n`);
  }
}

function tellCosts(status: Status | null, stream: Stream): void {
  const told = costs(status ?? {});
  if (told !== "") {
    stream.markdown(`\n${escaped(told)}\n`);
  }
}

/** What can be done now, as buttons; at a gate an approval names the plan that was told. */
function offer({ workflow }: Surroundings, stream: Stream, gate?: Gate | GateStatus): void {
  for (const way of waysOn(workflow.state)) {
    const command = commandOf(way, workflow, gate);
    if (command !== undefined) {
      stream.button(command);
    }
  }
}

function commandOf(way: WayOn, workflow: Surroundings["workflow"], gate?: Gate | GateStatus): Command | undefined {
  const { title } = way;
  const own = clientCommand(way);
  if (own !== undefined) {
    const plan = way.id === "approve" && gate !== undefined ? [gate.plan_sha256] : [];
    return { title, command: own, arguments: [workflow, ...plan] };
  }
  if (way.command === null) {
    return undefined;
  }
  const folder = workflow.folder.uri.toString();
  return { title, command: way.command, arguments: [{ ...way.arguments, folder }] };
}

/** Why nothing was started, in the server's words, and what can be done instead. */
async function refuse(error: unknown, around: Surroundings, stream: Stream): Promise<void> {
  const why = around.refusal(error);
  if (why === undefined) {
    stream.markdown("Nothing was started yet: a notification says what is missing.");
    stream.button({ title: "Set API Key…", command: "batonClient.setApiKey" });
    stream.button({ title: "Choose Model…", command: "batonClient.chooseModel" });
    return;
  }
  stream.markdown(`${escaped(why)}\n`);
  await around.workflow.refresh().catch(() => undefined);
  offer(around, stream);
}

/** What was written, and the files that were put beside it and not named in it. */
function withFiles({ prompt, files }: Asked): string {
  const words = prompt.trim();
  const others = files.filter((file) => !words.includes(file));
  return words === "" || others.length === 0 ? words : `${words}\n\nIt is about: ${others.join(", ")}`;
}
