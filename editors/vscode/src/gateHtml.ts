/** The page of the gate. Nothing here needs VS Code. */

import { escape, file, LOCK, planHtml, TRIANGLE, type PlannedTask } from "./gatePlan";
import { SCRIPT } from "./gateScript";
import { STYLE } from "./gateStyle";
import { cost, dollars, noCost, thousands } from "./present";
import type { Gate, GateCheck, GateStatus, PlanNote, Spending, Usage } from "./protocol";

/** What the page is told: the notes in plan.md as they are now, or that its own were sent. */
export type PageNews = { notes: PlanNote[] } | { isSent: true };

export interface GatePage {
  gate: Gate | GateStatus;
  usage: Usage | undefined;
  tasks: PlannedTask[];
  /** Whether there is a file at a path of the plan, relative to the workspace folder. */
  exists: (path: string) => boolean;
  /** URI of the workspace folder, by which the page is found again after a reload. */
  folder: string;
  /** Those that stand in plan.md. */
  notes: PlanNote[];
  /** What was ticked and written on the page before this one, in its own words. */
  kept: unknown;
  /** Of this page and no other. */
  page: string;
  nonce: string;
}

export function gateHtml({ gate, usage, tasks, exists, folder, notes, kept, page: id, nonce }: GatePage): string {
  const view = { gate, tasks, exists };
  const [before, after] = aroundFacts(gate.markdown);
  const body = `<header>
<div class="buttons" role="group" aria-label="Answer to the plan">
${BUTTONS.map(button).join("\n")}
${previous(gate)}
</div>
<p class="said" role="status"></p>
<div id="changes" hidden>
<label for="feedback">What should be different? The plan is made anew and you are asked again.</label>
<textarea id="feedback" rows="4"></textarea>
<div class="row"><button type="button" data-answer="sendNotes" class="primary">Send</button>
<span class="hint">Ctrl+Enter sends it, with all notes</span></div>
</div>
</header>
<main>
${planHtml(before, view)}
<section class="facts" aria-label="Before you approve">
${warnings(gate, view)}
${checks(gate)}
${models(gate)}
<p class="costs">${escape(costs(gate, usage))}</p>
</section>
${planHtml(after, view)}
</main>`;
  return page(body, { plan: gate.plan_sha256, folder, notes, kept, page: id, nonce });
}

/** The page of before a reload, until the server has said what waits. */
export function waitingHtml(folder: string, nonce: string): string {
  const facts = { plan: "", folder, notes: [], kept: null, page: "", nonce };
  return page('<p class="costs">Reading the plan…</p>', facts);
}

interface Facts {
  plan: string;
  folder: string;
  notes: PlanNote[];
  kept: unknown;
  page: string;
  nonce: string;
}

function page(body: string, { plan, folder, notes, kept, page: id, nonce }: Facts): string {
  const csp = `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'`;
  const data = Object.entries({
    plan,
    folder,
    page: id,
    notes: JSON.stringify(notes),
    kept: JSON.stringify(kept ?? {}),
  }).map(([name, value]) => ` data-${name}="${escape(value)}"`);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<title>Plan</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body${data.join("")}>
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
  /** Opens the part of the page that has this id. */
  opens?: string;
}

const BUTTONS: readonly GateButton[] = [
  {
    answer: "sendNotes",
    label: "Send Notes",
    title:
      "The plan is made anew by all that is written on this page and the notes in plan.md, and you are asked again",
    hidden: true,
  },
  { answer: "approve", label: "Approve", title: "The agents begin" },
  {
    answer: "askForChanges",
    label: "Ask for Changes",
    title: "Say what should be different; the plan is made anew and you are asked again",
    opens: "changes",
  },
  { answer: "edit", label: "Edit", title: "Change plan.json yourself, then approve" },
  { answer: "reject", label: "Reject", title: "The workflow ends with nothing of this plan written" },
];

function button({ answer, label, title, hidden, opens }: GateButton): string {
  const primary = answer === "approve" || answer === "sendNotes" ? ' class="primary"' : "";
  const isHidden = hidden === true ? " hidden" : "";
  const does =
    opens === undefined ? `data-answer="${answer}"` : `data-opens aria-controls="${opens}" aria-expanded="false"`;
  return `<button type="button" ${does}${primary}${isHidden} title="${escape(title)}">${label}</button>`;
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

/**
 * The plan up to what plan.md says before its approach, and what comes after that: the page says it in its own way. The
 * task and what changed come before.
 */
export function aroundFacts(plan: string): [string, string] {
  const [before = "", after] = plan.split(/^## Before you approve\n\n(?:- .*\n)*\n?/m, 2);
  return after === undefined ? ["", plan] : [before, after];
}

/** The models that do it, and who pays for them. */
function models(gate: GateStatus): string {
  const accounts = [...new Set(gate.models.map(({ account }) => account))];
  const of = accounts.map((account) => {
    const own = gate.models.filter((one) => one.account === account);
    return `${own.map(({ tier, model }) => `${tier} <code>${escape(model)}</code>`).join(", ")} (${escape(account)})`;
  });
  return of.length === 0 ? "" : `<p class="models">Models: ${of.join("; ")}</p>`;
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

function warnings(gate: GateStatus, view: { exists: (path: string) => boolean }): string {
  const named = ({ path, task }: { path: string; task: string }): string => `${file(path, view)} (${escape(task)})`;
  const severe = (what: string, never: boolean): string => {
    const files = gate.protected.filter((planned) => planned.never === never).map(named);
    return files.length === 0 ? "" : `<p class="warning severe">${LOCK} ${what}: ${files.join(", ")}</p>`;
  };
  const protectedFiles = severe("Protected files, written only because you approve them here", false);
  const neverWritten = severe("Never written, also if you approve the plan", true);
  const reasons = [...new Set(gate.flagged.map(({ reason }) => reason))];
  const flagged = reasons.map((reason) => {
    const files = gate.flagged.filter((flag) => flag.reason === reason).map(named);
    const what = reason.charAt(0).toUpperCase() + reason.slice(1);
    return `<p class="warning">${TRIANGLE} ${escape(what)}: ${files.join(", ")}</p>`;
  });
  const others = gate.warnings.map((warning) => `<p class="warning">${escape(warning)}</p>`);
  return [protectedFiles, neverWritten, ...flagged, ...others, ...gate.questions.map(question)].join("");
}

/** A question of the plan, with room for the answer. */
function question(words: string, at: number): string {
  const id = `question-${String(at)}`;
  return `<div class="question"><label for="${id}">Question: ${escape(words)}</label>
<textarea id="${id}" rows="2" data-question="${escape(words)}" placeholder="Your answer goes with the notes; without one the plan decides."></textarea></div>`;
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
  const none = "Checks: none is set, and none was recognized here: nothing will be run.";
  const all = [...set, ...offered];
  return all.length === 0 ? `<p class="check">${none}</p>` : all.join("");
}

function rights({ network, secrets }: GateCheck): string {
  return [network === true ? ", with network" : "", secrets === true ? ", with secret files" : ""].join("");
}
