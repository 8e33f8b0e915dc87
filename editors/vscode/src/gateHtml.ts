/** The page of the gate. Nothing here needs VS Code. */

import MarkdownIt from "markdown-it";

import { cost, dollars, noCost, thousands } from "./present";
import type { Gate, GateCheck, GateStatus, Spending, Usage } from "./protocol";

/** What the plan says came from a model: no HTML of its own, and links that lead nowhere by themselves. */
const markdown = new MarkdownIt({ html: false, linkify: false });

/** What the page says when a check is ticked, and by itself when it is shown; no answer to the plan. */
export const TICKED = "ticked";

/** What the page is told, and tells: how many notes stand in plan.md. */
export interface NotesInFile {
  notes: number;
}

export interface GatePage {
  gate: Gate | GateStatus;
  usage: Usage | undefined;
  /** More than one task: some of them can be approved alone. */
  hasChoice: boolean;
  /** URI of the workspace folder, by which the page is found again after a reload. */
  folder: string;
  /** Notes that stand in plan.md. */
  notes: number;
  nonce: string;
}

export function gateHtml({ gate, usage, hasChoice, folder, notes, nonce }: GatePage): string {
  const body = `<header>
<div class="buttons" role="group" aria-label="Answer to the plan">
${BUTTONS.filter(({ answer }) => hasChoice || answer !== "approveSome")
  .map(button)
  .join("\n")}
${previous(gate)}
</div>
<p class="costs">${escape(costs(gate, usage))}</p>
${warnings(gate)}
${checks(gate)}
</header>
<main>${markdown.render(withoutFacts(gate.markdown))}</main>`;
  return page(body, { plan: gate.plan_sha256, folder, notes, nonce });
}

/** The page of before a reload, until the server has said what waits. */
export function waitingHtml(folder: string, nonce: string): string {
  return page('<p class="costs">Reading the plan…</p>', { plan: "", folder, notes: 0, nonce });
}

interface Facts {
  plan: string;
  folder: string;
  notes: number;
  nonce: string;
}

function page(body: string, { plan, folder, notes, nonce }: Facts): string {
  const csp = `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<title>Plan</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body data-plan="${escape(plan)}" data-folder="${escape(folder)}" data-notes="${String(notes)}">
${body}
<script nonce="${nonce}">${SCRIPT}</script>
</body>
</html>`;
}

interface GateButton {
  answer: string;
  label: string;
  /** The tooltip, which a screen reader says after the label. */
  title: string;
  /** Shown by the page itself, once there is something to send. */
  hidden?: boolean;
}

const BUTTONS: readonly GateButton[] = [
  {
    answer: "sendNotes",
    label: "Send Notes",
    title: "The plan is made anew by your notes on this page and in plan.md, and you are asked again",
    hidden: true,
  },
  { answer: "approve", label: "Approve", title: "The agents begin" },
  { answer: "approveSome", label: "Approve Some…", title: "Only the tasks you choose" },
  {
    answer: "askForChanges",
    label: "Ask for Changes…",
    title: "Say what should be different; the plan is made anew and you are asked again",
  },
  { answer: "edit", label: "Edit", title: "Change plan.json yourself, then approve" },
  { answer: "reject", label: "Reject", title: "The workflow ends with nothing of this plan written" },
];

function button({ answer, label, title, hidden }: GateButton): string {
  const primary = answer === "approve" || answer === "sendNotes" ? ' class="primary"' : "";
  const isHidden = hidden === true ? " hidden" : "";
  return `<button data-answer="${answer}"${primary}${isHidden} title="${escape(title)}">${label}</button>`;
}

/** What is different from the plan before, where that can be shown. */
function previous(gate: GateStatus): string {
  return gate.previous?.plan_md == null
    ? ""
    : button({
        answer: "comparePlans",
        label: `Compare with Version ${String(gate.previous.plan_version)}`,
        title: "What is different from the plan before",
      });
}

/** The plan without what plan.md says before it: on the page that stands in the header, always in sight. */
export function withoutFacts(plan: string): string {
  return plan.replace(/^## Before you approve\n\n(?:- .*\n)*\n?/m, "");
}

/** Nothing of the plan is written before the answer, what it cost so far, and what it may cost. */
export function costs(gate: Gate | GateStatus, usage: Usage | undefined): string {
  const parts = ["Nothing of this plan is written before you approve."];
  const soFar = cost("usage" in gate ? gate.usage : usage);
  if (soFar !== "") {
    parts.push(`So far ${soFar}.`);
  }
  parts.push(`To implement and review: ${estimated(gate.estimate)}.`);
  return parts.join(" ");
}

function estimated({ low, high, ceiling }: GateStatus["estimate"]): string {
  const known = ({ usd, priced_usd }: Spending): number => usd ?? priced_usd ?? 0;
  const unpriced = (of: Spending): number => (of.usd === null ? (of.unpriced_tokens ?? of.tokens) : 0);
  const inTokens = (from: number, to: number): string => `${thousands(from)} to ${thousands(to)} tokens`;
  const inDollars = `${dollars(known(low))} to ${dollars(known(high))}`;
  if (high.tokens === 0 && ceiling.tokens === 0 && high.usd === 0) {
    return noCost(high);
  }
  if (known(high) <= 0 && high.tokens > 0) {
    const tokens = `about ${inTokens(low.tokens, high.tokens)}`;
    return unpriced(high) > 0 ? tokens : `${noCost(high)}, ${tokens}`;
  }
  if (unpriced(high) > 0) {
    return `about ${inDollars}, and ${inTokens(unpriced(low), unpriced(high))} without a price`;
  }
  const most = ceiling.usd === null ? "" : `, at most ${dollars(ceiling.usd)}`;
  return `about ${inDollars}${most}`;
}

function warnings(gate: GateStatus): string {
  const file = ({ path, task }: { path: string; task: string }): string =>
    `<code>${escape(path)}</code> (${escape(task)})`;
  const severe = (what: string, never: boolean): string => {
    const files = gate.protected.filter((planned) => planned.never === never).map(file);
    return files.length === 0 ? "" : `<p class="warning severe">${what}: ${files.join(" ")}</p>`;
  };
  const protectedFiles = severe("Protected files, written only because you approve them here", false);
  const neverWritten = severe("Never written, also if you approve the plan", true);
  const reasons = [...new Set(gate.flagged.map(({ reason }) => reason))];
  const flagged = reasons.map((reason) => {
    const files = gate.flagged.filter((flag) => flag.reason === reason).map(file);
    return `<p class="warning">${escape(reason.charAt(0).toUpperCase() + reason.slice(1))}: ${files.join(" ")}</p>`;
  });
  const others = gate.warnings.map((warning) => `<p class="warning">${escape(warning)}</p>`);
  const questions = gate.questions.map(
    (question) => `<p class="warning">Question: ${escape(question)} (answer by Ask for Changes…)</p>`,
  );
  return [protectedFiles, neverWritten, ...flagged, ...others, ...questions].join("");
}

/** The checks that run after the work; one that nobody trusted, and one that could be remembered, can be chosen. */
export function checks(gate: GateStatus): string {
  const choice = (kind: string, id: string, words: string): string =>
    `<label class="check"><input type="checkbox" data-${kind}="${escape(id)}"> ${words}</label>`;
  const set = gate.checks.map((check) => {
    const command = `<code>${escape(check.command)}</code>`;
    const name = `${escape(check.name)}${rights(check)}`;
    if (check.trusted || check.id === undefined) {
      return `<p class="check">${check.trusted ? "Runs after the work" : "Skipped, not trusted"}: ${command} (${name})</p>`;
    }
    const before =
      check.before === undefined || check.before === check.command
        ? ""
        : `; it was <code>${escape(check.before)}</code>`;
    const why = check.before === undefined ? "not trusted yet" : `changed since you trusted it${before}`;
    return choice("trust", check.id, `Trust this check and run it after the work: ${command} (${name}; ${why})`);
  });
  const offered = (gate.offered_checks ?? []).map(({ id, command, reason }) =>
    choice(
      "remember",
      id,
      `Remember as a check in baton.toml, and run after the work: <code>${escape(command)}</code> (${escape(reason)})`,
    ),
  );
  return [...set, ...offered].join("");
}

function rights({ network, secrets }: GateCheck): string {
  return [network === true ? ", with network" : "", secrets === true ? ", with secret files" : ""].join("");
}

export function escape(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? "");
}

const SCRIPT = `
const vscode = acquireVsCodeApi();
const { plan, folder } = document.body.dataset;
// What was kept when the page was last in sight.
const kept = vscode.getState() ?? {};
const boxes = [...document.querySelectorAll("input[type=checkbox]")];
const idOf = (box) => box.dataset.trust ?? box.dataset.remember;
const chosen = (kind) => {
  const ids = boxes.filter((box) => box.checked && kind in box.dataset).map(idOf);
  return ids.length === 0 ? undefined : ids;
};
let inFile = Number(document.body.dataset.notes);
// A note box below each heading; what is written there is kept with the page until it is sent.
const noteBoxes = plan === "" ? [] : [...document.querySelectorAll("main h1, main h2, main h3")].map((heading, place) => {
  const words = heading.textContent;
  const task = heading.tagName === "H3" ? words.split(" · ")[0] : undefined;
  const about = heading.tagName === "H1" ? "the plan" : (task ?? words);
  const add = document.createElement("button");
  add.className = "add";
  add.textContent = "Add Note";
  add.title = "Say what should be different about " + about;
  const box = document.createElement("textarea");
  box.rows = 3;
  box.hidden = true;
  box.placeholder = "What should be different about " + about + "?";
  box.setAttribute("aria-label", "Note on " + about);
  heading.append(" ", add);
  heading.after(box);
  add.addEventListener("click", () => { box.hidden = false; box.focus(); });
  box.addEventListener("input", keep);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { say("sendNotes"); }
    if (event.key === "Escape" && box.value.trim() === "") { box.hidden = true; add.focus(); }
  });
  return { box, place, note: (text) => (task !== undefined ? { task, text } : { text: heading.tagName === "H2" ? "On “" + words + "”: " + text : text }) };
});
const notes = () => noteBoxes.filter(({ box }) => box.value.trim() !== "").map(({ box, note }) => note(box.value.trim()));
const send = document.querySelector("button[data-answer=sendNotes]");
const countNotes = () => {
  const all = notes().length + inFile;
  if (send !== null) {
    send.hidden = all === 0;
    send.textContent = all === 1 ? "Send Note" : "Send " + all + " Notes";
  }
};
window.addEventListener("message", ({ data }) => {
  if (typeof data?.notes === "number") {
    inFile = data.notes;
    countNotes();
  }
});
function say(answer) {
  const checks = { trustChecks: chosen("trust"), rememberChecks: chosen("remember") };
  vscode.postMessage({ answer, plan, checks, notes: notes() });
}
function keep() {
  const written = noteBoxes.filter(({ box }) => box.value !== "").map(({ box, place }) => [place, box.value]);
  vscode.setState({ folder, plan, ticked: boxes.filter((box) => box.checked).map(idOf), written });
  countNotes();
  say("${TICKED}");
}
if (plan === "") {
  vscode.setState({ ...kept, folder });
} else {
  for (const box of boxes) {
    box.checked = kept.plan === plan && (kept.ticked ?? []).includes(idOf(box));
    box.addEventListener("change", keep);
  }
  for (const [place, text] of kept.plan === plan ? (kept.written ?? []) : []) {
    const written = noteBoxes[place];
    if (written !== undefined) {
      written.box.value = text;
      written.box.hidden = false;
    }
  }
  keep();
}
for (const button of document.querySelectorAll("button[data-answer]")) {
  button.addEventListener("click", () => say(button.dataset.answer));
}
`;

const STYLE = `
body { padding: 0 1.5em 2em; line-height: 1.5; max-width: 60em; }
header { position: sticky; top: 0; background: var(--vscode-editor-background); padding: 0.8em 0 0.4em;
  border-bottom: 1px solid var(--vscode-panel-border); }
.buttons { display: flex; flex-wrap: wrap; gap: 0.5em; }
button { font: inherit; padding: 0.3em 0.9em; border: 1px solid var(--vscode-button-secondaryBorder, transparent); border-radius: 3px;
  cursor: pointer; color: var(--vscode-button-secondaryForeground); background: var(--vscode-button-secondaryBackground); }
button:hover { background: var(--vscode-button-secondaryHoverBackground); }
button.primary { color: var(--vscode-button-foreground); background: var(--vscode-button-background); }
button.primary:hover { background: var(--vscode-button-hoverBackground); }
button:focus-visible { outline: 1px solid var(--vscode-focusBorder); outline-offset: 2px; }
button.add { margin-left: 0.6em; padding: 0 0.5em; font-size: 0.75rem; font-weight: normal; vertical-align: middle; opacity: 0.75; }
button.add:hover, button.add:focus-visible { opacity: 1; }
textarea { box-sizing: border-box; width: 100%; margin: 0.2em 0 0.8em; padding: 0.4em; font: inherit; resize: vertical;
  color: var(--vscode-input-foreground); background: var(--vscode-input-background); border: 1px solid var(--vscode-input-border, var(--vscode-panel-border)); }
textarea:focus-visible { outline: 1px solid var(--vscode-focusBorder); outline-offset: -1px; }
.costs { margin: 0.6em 0 0.3em; color: var(--vscode-descriptionForeground); }
.warning { margin: 0.4em 0; padding: 0.3em 0.7em; border-left: 3px solid var(--vscode-editorWarning-foreground);
  background: var(--vscode-textBlockQuote-background); }
.check { display: block; margin: 0.4em 0; }
.check code { white-space: pre-wrap; }
.warning.severe { border-color: var(--vscode-editorError-foreground); }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 1.6em; } h3 { font-size: 1em; margin-top: 1.4em; }
h3 code { padding: 0.1em 0.6em; border-radius: 1em; font-size: 0.85em; color: var(--vscode-badge-foreground);
  background: var(--vscode-badge-background); }
blockquote { margin: 1em 0; padding: 0.2em 1em; border-left: 3px solid var(--vscode-textBlockQuote-border);
  background: var(--vscode-textBlockQuote-background); }
code { font-family: var(--vscode-editor-font-family); font-size: 0.95em; color: var(--vscode-textPreformat-foreground); }
`;
