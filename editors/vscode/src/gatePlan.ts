/** The plan on the page of the gate: headings that take notes, tasks that can be left out, files that can be opened. */

import MarkdownIt from "markdown-it";

import type { GateStatus } from "./protocol";

/** A task of the plan. */
export interface PlannedTask {
  id: string;
  title: string;
  /** Ids of the tasks that it waits for. */
  dependsOn: string[];
  /** Done already: there is nothing left to choose. */
  isDone: boolean;
}

/** What the plan is shown with. */
export interface PlanView {
  gate: Pick<GateStatus, "protected" | "flagged">;
  tasks: PlannedTask[];
  /** Whether there is a file at a path of the plan, relative to the workspace folder. */
  exists: (path: string) => boolean;
}

interface Place extends PlanView {
  /** The task under whose heading the renderer is. */
  task?: string | undefined;
  /** Whether what is below the heading at hand takes notes. */
  takesNotes?: boolean;
}

/** What the plan says came from a model: no HTML of its own, and links that lead nowhere by themselves. */
const markdown = new MarkdownIt({ html: false, linkify: false });

/** The server's own rendering has three levels; a model's headings are escaped in it. */
markdown.renderer.rules["heading_open"] = (tokens, index, _options, place: Place) => {
  const { tag } = tokens[index] ?? { tag: "h2" };
  const inline = tokens[index + 1]?.children ?? [];
  const words = inline.map(({ content }) => content).join("");
  const task = tag === "h3" ? place.tasks.find(({ id }) => words.startsWith(`${id} · `)) : undefined;
  place.task = task?.id;
  place.takesNotes = !words.startsWith("Changed since version ");
  const about = tag === "h1" ? "" : (task?.id ?? words);
  const kind = tag === "h1" ? "plan" : task === undefined ? "section" : "task";
  const name = kind === "plan" ? "the plan" : about;
  const data = place.takesNotes ? ` data-about="${escape(about)}" data-kind="${kind}" data-name="${escape(name)}"` : "";
  return `<div class="head"${data}>${task === undefined ? "" : pick(task, place.tasks)}<${tag}>`;
};

markdown.renderer.rules["heading_close"] = (tokens, index, _options, place: Place) => {
  const tag = tokens[index]?.tag ?? "h2";
  return `</${tag}></div>${place.takesNotes === true ? '<div class="notes"></div>' : ""}\n`;
};

markdown.renderer.rules.code_inline = (tokens, index, _options, place: Place) => {
  const content = tokens[index]?.content ?? "";
  const verb = tokens[0]?.content.trim() ?? "";
  const isFile = place.task !== undefined && index === 1 && tokens.length === 2 && VERBS.includes(verb);
  return isFile ? `${file(content, place)}${tags(content, verb, place)}` : `<code>${escape(content)}</code>`;
};

const VERBS: readonly string[] = ["modify", "create", "delete"];

/** The plan, or a part of it, as HTML. */
export function planHtml(text: string, view: PlanView): string {
  return markdown.render(text, { ...view } satisfies Place);
}

/** Whether a task is among those that are approved; nothing to choose where there is only one. */
function pick(task: PlannedTask, tasks: PlannedTask[]): string {
  if (task.isDone) {
    return '<span class="tag">done</span>';
  }
  const open = tasks.filter(({ isDone }) => !isDone);
  if (open.length < 2) {
    return "";
  }
  // What is not listed, or done, is there already.
  const needs = task.dependsOn.filter((id) => open.some((other) => other.id === id));
  const label = `Do ${task.id}: ${task.title}`;
  return `<input type="checkbox" class="pick" checked data-task="${escape(task.id)}" data-needs="${escape(
    JSON.stringify(needs),
  )}" aria-label="${escape(label)}" title="${escape(label)}">`;
}

/** A path; that of a file which is there opens it. */
export function file(path: string, { exists }: Pick<PlanView, "exists">): string {
  const code = `<code>${escape(path)}</code>`;
  return exists(path)
    ? `<button type="button" class="file" data-file="${escape(path)}" title="Open ${escape(path)}">${code}</button>`
    : code;
}

/** What is to know about a file beside its path, each with a picture and in words. */
function tags(path: string, verb: string, { gate, exists }: PlanView): string {
  const isThere = exists(path);
  const words = verb === "create" ? (isThere ? "exists already" : "new file") : isThere ? "" : "not there yet";
  const guarded = gate.protected.find((one) => one.path === path);
  const flagged = gate.flagged.find((one) => one.path === path);
  return [
    words === "" ? "" : ` <span class="tag">${words}</span>`,
    guarded === undefined ? "" : ` ${mark("severe", LOCK, guarded.never ? "never written" : "protected")}`,
    flagged === undefined ? "" : ` ${mark("", TRIANGLE, flagged.reason)}`,
  ].join("");
}

function mark(kind: string, picture: string, words: string): string {
  return `<span class="mark ${kind}">${picture} ${escape(words)}</span>`;
}

const picture = (shape: string): string =>
  `<svg viewBox="0 0 16 16" width="12" height="12" fill="currentColor" aria-hidden="true"><path d="${shape}"/></svg>`;
export const LOCK = picture("M4 7V5a4 4 0 0 1 8 0v2h1v8H3V7zm2 0h4V5a2 2 0 0 0-4 0z");
export const TRIANGLE = picture("M8 1 16 15H0zM7 6v4h2V6zm0 5v2h2v-2z");

export function escape(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? "");
}
