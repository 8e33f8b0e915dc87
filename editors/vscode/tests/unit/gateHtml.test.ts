import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { gateHtml, waitingHtml } from "../../src/gateHtml";
import type { Gate, Spending } from "../../src/protocol";

const USAGE = { input_tokens: 1000, cache_write_tokens: 0, cache_read_tokens: 0, output_tokens: 100, cost_usd: 0.05 };

const GATE: Gate = {
  run: "r1",
  task: "Greet",
  plan_sha256: "aa",
  markdown: "# Plan, version 1\n\n### T1 · Greet · `simple`\n",
  tasks: [],
  protected: [],
  flagged: [],
  questions: [],
  estimate: {
    low: { usd: 0.1, tokens: 1000 },
    high: { usd: 0.4, tokens: 9000 },
    ceiling: { usd: 4.95, tokens: 90_000 },
  },
  models: [],
  checks: [],
  warnings: [],
  usage: USAGE,
};

const page = (gate: Partial<Gate>, hasChoice = false): string =>
  gateHtml({ gate: { ...GATE, ...gate }, usage: undefined, hasChoice, folder: "file:///w", notes: 0, nonce: "n0" });

describe("the page of the gate", () => {
  it("renders the plan, with what it cost and may cost", () => {
    const html = page({});
    assert.match(html, /<h3>T1 · Greet · <code>simple<\/code><\/h3>/);
    assert.match(html, /So far \$0\.05\. To implement and review: about \$0\.10 to \$0\.40, at most \$4\.95\./);
    assert.doesNotMatch(html, /class="warning/);
  });

  it("tells tokens where there is no price to pay", () => {
    const range = (low: Spending, high: Spending): string =>
      /review: (.*?)\.</.exec(page({ estimate: { low, high, ceiling: high } }))?.[1] ?? "";
    assert.equal(range({ usd: null, tokens: 900 }, { usd: null, tokens: 9000 }), "about 900 to 9.0k tokens");
    const local = { usd: 0, tokens: 900, local: true };
    assert.equal(range(local, local), "local, no cost, about 900 to 900 tokens");
    const mixed = { usd: null, tokens: 1500, priced_usd: 0.06, unpriced_tokens: 900 };
    assert.equal(range(mixed, mixed), "about $0.06 to $0.06, and 900 to 900 tokens without a price");
  });

  it("lets nothing of the plan become a part of the page", () => {
    const html = page({
      markdown:
        "<img src=x onerror=alert(1)>\n\n<script>alert(2)</script>\n\n[click](javascript:alert(3))\n\n<b>bold</b>",
      protected: [{ path: '<i>".npmrc</i>', task: "<i>T1</i>", never: false }],
      questions: ["<b>Which?</b>"],
    });
    assert.doesNotMatch(html, /<img|<b>|<i>|href="javascript/);
    assert.equal(html.match(/<script/g)?.length, 1);
    assert.match(html, /default-src 'none'; style-src 'nonce-n0'; script-src 'nonce-n0'/);
  });

  it("fetches no picture that a plan names", () => {
    // The policy forbids it too; the plan's own words still show.
    assert.match(page({ markdown: "![steal](https://example.com/x.png)" }), /img-src 'none'|default-src 'none'/);
  });

  it("warns of protected files and of files that run code", () => {
    const html = page({
      protected: [{ path: ".github/workflows/ci.yml", task: "T1", never: false }],
      flagged: [{ path: "build.rs", task: "T2", reason: "runs code when you build" }],
    });
    assert.match(html, /severe">Protected files[^<]*<code>\.github\/workflows\/ci\.yml<\/code>/);
    assert.match(html, /Runs code when you build: <code>build\.rs<\/code> \(T2\)/);
  });

  it("tells what is never written apart from what an approval lets be written", () => {
    const html = page({ protected: [{ path: ".git/config", task: "T1", never: true }] });
    assert.match(html, /severe">Never written, also if you approve the plan: <code>\.git\/config<\/code> \(T1\)/);
    assert.doesNotMatch(html, /Protected files/);
  });

  it("says what was done elsewhere", () => {
    assert.match(page({ warnings: ["T1 was done <b>elsewhere</b>."] }), /warning">T1 was done &lt;b&gt;elsewhere/);
  });

  it("shows the checks that run, and lets those be chosen that nobody trusted", () => {
    const html = page({
      checks: [
        { id: "c1", name: "test", command: "cargo test", trusted: true },
        { id: "c2", name: "lint", command: "make <lint>", network: true, trusted: false },
        { id: "c3", name: "build", command: "make all", trusted: false, before: "make" },
        { name: "old", command: "x", trusted: false },
      ],
    });
    assert.match(html, /<p class="check">Runs after the work: <code>cargo test<\/code> \(test\)<\/p>/);
    assert.doesNotMatch(html, /data-trust="c1"/);
    assert.match(
      html,
      /data-trust="c2"> Trust this check[^<]*<code>make &lt;lint&gt;<\/code> \(lint, with network; not trusted yet\)/,
    );
    assert.match(html, /data-trust="c3">.*changed since you trusted it; it was <code>make<\/code>/);
    assert.match(html, /Skipped, not trusted: <code>x<\/code>/);
    assert.doesNotMatch(html, /checkbox"[^>]* checked/);
  });

  it("offers commands as checks, and nothing where the server offers none", () => {
    const offered = { id: "o1", name: "test", command: "npm test", reason: "package.json" };
    const html = page({ offered_checks: [offered] });
    assert.match(
      html,
      /data-remember="o1"> Remember as a check in baton\.toml[^<]*<code>npm test<\/code> \(package\.json\)/,
    );
    assert.doesNotMatch(page({}), /checkbox" data-/);
  });

  it("has room for notes, and compares with the plan before where there was one", () => {
    const html = page({});
    assert.match(html, /data-notes="0"/);
    assert.match(html, /<button data-answer="sendNotes" class="primary" hidden /);
    assert.doesNotMatch(html, /Compare with/);
    const second = page({ previous: { plan_version: 1, plan_md: ".agent_memory/history/0001-revise/plan.md" } });
    assert.match(second, /<button data-answer="comparePlans"[^>]*>Compare with Version 1</);
    assert.doesNotMatch(page({ previous: { plan_version: 1, plan_md: null } }), /Compare with/);
  });

  it("offers some of the tasks only where there are several", () => {
    assert.doesNotMatch(page({}), /Approve Some/);
    assert.match(page({}, true), /Approve Some…/);
  });

  it("shows the same from the status alone, after a reload", () => {
    const delicate = { ...GATE, protected: [{ path: ".npmrc", task: "T1", never: false }] };
    const {
      plan_sha256,
      markdown,
      protected: files,
      flagged,
      questions,
      estimate,
      models,
      checks,
      warnings,
    } = delicate;
    const fromStatus = {
      plan_sha256,
      markdown,
      protected: files,
      flagged,
      questions,
      estimate,
      models,
      checks,
      warnings,
    };
    const at = { hasChoice: false, folder: "file:///w", notes: 0, nonce: "n0" };
    assert.equal(
      gateHtml({ gate: fromStatus, usage: USAGE, ...at }),
      gateHtml({ gate: delicate, usage: undefined, ...at }),
    );
  });

  it("says tokens where there are no prices", () => {
    const [low, high, ceiling] = [1000, 9000, 90_000].map((tokens) => ({ usd: null, tokens }));
    assert.ok(low !== undefined && high !== undefined && ceiling !== undefined);
    assert.match(page({ estimate: { low, high, ceiling } }), /about 1\.0k to 9\.0k tokens\./);
  });

  it("has buttons that say what they do", () => {
    const html = page({}, true);
    const buttons = [...html.matchAll(/<button data-answer="(\w+)"[^>]*title="([^"]+)">/g)].map((match) => match[1]);
    assert.deepEqual(buttons, ["approve", "approveSome", "askForChanges", "edit", "reject"]);
  });

  it("keeps its folder while the server was not asked yet", () => {
    const html = waitingHtml("file:///w", "n0");
    assert.match(html, /data-folder="file:\/\/\/w"/);
    assert.doesNotMatch(html, /<button/);
  });

  it("answers with the plan that it shows", () => {
    const html = page({});
    assert.match(html, /<body data-plan="aa" data-folder="file:\/\/\/w">/);
    assert.match(html, /postMessage\(\{ answer, plan, checks \}\)/);
  });

  it("says the header's facts not once more in the plan", () => {
    const facts = "## Before you approve\n\n- **protected**: `.npmrc` (T1)\n- to implement and review: about $0.03\n\n";
    const html = page({ markdown: `# Plan, version 1\n\n> Greet\n\n${facts}The approach.\n\n## Risks\n\n- none\n` });
    assert.doesNotMatch(html, /Before you approve|about \$0\.03/);
    assert.match(html, /The approach\.[^]*none/);
  });
});
