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

const AT = {
  tasks: [{ id: "T1", title: "Greet", dependsOn: [], isDone: false }],
  exists: (path: string) => path === "greet.py",
  folder: "file:///w",
  notes: [],
  kept: undefined,
  page: "p0",
  nonce: "n0",
};

const page = (gate: Partial<Gate>, at: Partial<typeof AT> = {}): string =>
  gateHtml({ gate: { ...GATE, ...gate }, usage: undefined, ...AT, ...at });

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
    assert.match(html, /severe"><svg[^]*?<\/svg> Protected files[^<]*<code>\.github\/workflows\/ci\.yml<\/code>/);
    assert.match(html, /<svg[^]*?<\/svg> Runs code when you build: <code>build\.rs<\/code> \(T2\)/);
  });

  it("tells what is never written apart from what an approval lets be written", () => {
    const html = page({ protected: [{ path: ".git/config", task: "T1", never: true }] });
    assert.match(
      html,
      /severe"><svg[^]*?<\/svg> Never written, also if you approve the plan: <code>\.git\/config<\/code> \(T1\)/,
    );
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
    assert.match(html, /<div class="head" data-about="T1" data-kind="task" data-name="T1"><h3>/);
    assert.match(html, /<button type="button" data-answer="sendNotes" class="primary" hidden /);
    assert.doesNotMatch(html, /Compare with/);
    const second = page({ previous: { plan_version: 1, plan_md: ".agent_memory/history/0001-revise/plan.md" } });
    assert.match(second, /<button type="button" data-answer="comparePlans"[^>]*>Compare with Version 1</);
    assert.doesNotMatch(page({ previous: { plan_version: 1, plan_md: null } }), /Compare with/);
  });

  it("lets tasks be left out where there are several, each with what it needs", () => {
    const markdown = "### T1 · Greet · `simple`\n\n### T2 · Say · `simple`\n\n### T3 · Did · `simple`\n";
    const task = (id: string, dependsOn: string[], isDone = false): (typeof AT.tasks)[number] =>
      ({ id, title: id, dependsOn, isDone }) as (typeof AT.tasks)[number];
    assert.doesNotMatch(page({}), /class="pick"/);
    const tasks = [task("T1", []), task("T2", ["T1", "T3"] as never[]), task("T3", [], true)];
    const html = page({ markdown }, { tasks });
    assert.match(html, /class="pick" checked data-task="T2" data-needs="\[&quot;T1&quot;\]" aria-label="Do T2: T2"/);
    assert.equal(html.match(/class="pick"/g)?.length, 2);
    assert.match(html, /<span class="tag">done<\/span><h3>T3/);
  });

  it("opens files that are there, and marks those that are new, protected or to look at twice", () => {
    const html = page({
      markdown: "### T1 · Greet · `simple`\n\n- modify `greet.py`\n- create `.npmrc`\n- modify `build.rs`\n",
      protected: [{ path: ".npmrc", task: "T1", never: false }],
      flagged: [{ path: "build.rs", task: "T1", reason: "runs code when you build" }],
    });
    assert.match(html, /modify <button type="button" class="file" data-file="greet\.py"[^>]*><code>greet\.py<\/code>/);
    assert.match(
      html,
      /create <code>\.npmrc<\/code> <span class="tag">new file<\/span> <span class="mark severe"><svg[^]*?<\/svg> protected/,
    );
    assert.match(
      html,
      /<code>build\.rs<\/code> <span class="tag">not there yet<\/span> <span class="mark "><svg[^]*?<\/svg> runs code/,
    );
  });

  it("says which models do it and who pays, and has room for answers to questions", () => {
    const models = (["fast", "balanced"] as const).map((tier) => ({ tier, model: `a:${tier}`, account: "your <key>" }));
    const html = page({ models, questions: ["Which <name>?"] });
    assert.match(html, /Models: fast <code>a:fast<\/code>, balanced <code>a:balanced<\/code> \(your &lt;key&gt;\)/);
    assert.match(html, /Question: Which &lt;name&gt;\?<\/label>\s*<textarea id="question-0"/);
    assert.match(html, /none is set, and none was recognized here: nothing will be run/);
  });

  it("begins with what changed since the plan before", () => {
    const markdown =
      "# Plan, version 2\n\n## Changed since version 1\n\n- the risks\n\n## Before you approve\n\n- x\n\nIt goes so.\n";
    assert.match(page({ markdown }), /Plan, version 2[^]*Changed since version 1[^]*class="facts"[^]*It goes so\./);
    assert.doesNotMatch(page({ markdown }), /data-about="Changed/);
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
    assert.equal(
      gateHtml({ gate: fromStatus, usage: USAGE, ...AT }),
      gateHtml({ gate: delicate, usage: undefined, ...AT }),
    );
  });

  it("says tokens where there are no prices", () => {
    const [low, high, ceiling] = [1000, 9000, 90_000].map((tokens) => ({ usd: null, tokens }));
    assert.ok(low !== undefined && high !== undefined && ceiling !== undefined);
    assert.match(page({ estimate: { low, high, ceiling } }), /about 1\.0k to 9\.0k tokens\./);
  });

  it("has buttons that say what they do", () => {
    const buttons = [...page({}).matchAll(/<button type="button" [^>]*title="[^"]+">([^<]+)</g)].map(
      ([, label]) => label,
    );
    assert.deepEqual(buttons, ["Send Notes", "Approve", "Ask for Changes", "Edit", "Reject"]);
  });

  it("keeps its folder while the server was not asked yet", () => {
    const html = waitingHtml("file:///w", "n0");
    assert.match(html, /data-folder="file:\/\/\/w"/);
    assert.doesNotMatch(html, /<button/);
  });

  it("answers with the plan that it shows", () => {
    const html = page({});
    assert.match(html, /<body data-plan="aa" data-folder="file:\/\/\/w" /);
    assert.match(html, /postMessage\(\{ answer, plan, /);
  });

  it("says the header's facts not once more in the plan", () => {
    const facts = "## Before you approve\n\n- **protected**: `.npmrc` (T1)\n- to implement and review: about $0.03\n\n";
    const html = page({ markdown: `# Plan, version 1\n\n> Greet\n\n${facts}The approach.\n\n## Risks\n\n- none\n` });
    assert.doesNotMatch(html, /<h2>Before you approve|about \$0\.03/);
    assert.match(html, /The approach\.[^]*none/);
  });
});
