import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { gateHtml } from "../../src/gateHtml";
import type { Gate } from "../../src/protocol";

const USAGE = { input_tokens: 1000, cache_write_tokens: 0, cache_read_tokens: 0, output_tokens: 100, cost_usd: 0.05 };

const GATE: Gate = {
  run: "r1",
  task: "Greet",
  plan_sha256: "aa",
  markdown: "# Plan, version 1\n\n### T1 · Greet · `simple`\n",
  tasks: [],
  protected: [],
  flagged: [],
  usage: USAGE,
  estimate_usd: [0.1, 0.4],
};

const page = (gate: Partial<Gate>, hasChoice = false): string =>
  gateHtml({ gate: { ...GATE, ...gate }, usage: undefined, hasChoice, nonce: "n0" });

describe("the page of the gate", () => {
  it("renders the plan, with what it cost and may cost", () => {
    const html = page({});
    assert.match(html, /<h3>T1 · Greet · <code>simple<\/code><\/h3>/);
    assert.match(html, /So far \$0\.05\. To implement and review: about \$0\.10 to \$0\.40\./);
    assert.doesNotMatch(html, /class="warning/);
  });

  it("lets nothing of the plan become a part of the page", () => {
    const html = page({
      markdown:
        "<img src=x onerror=alert(1)>\n\n<script>alert(2)</script>\n\n[click](javascript:alert(3))\n\n<b>bold</b>",
      protected: ['<i>".npmrc</i>'],
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
    const html = page({ protected: [".github/workflows/ci.yml"], flagged: ["build.rs"] });
    assert.match(html, /severe">Protected files[^<]*<code>\.github\/workflows\/ci\.yml<\/code>/);
    assert.match(html, /Runs code when you build: <code>build\.rs<\/code>/);
  });

  it("offers some of the tasks only where there are several", () => {
    assert.doesNotMatch(page({}), /Approve Some/);
    assert.match(page({}, true), /Approve Some…/);
  });

  it("can be shown from the status alone, after a reload", () => {
    const gate = { plan_sha256: "aa", markdown: "# Plan" };
    const html = gateHtml({ gate, usage: USAGE, hasChoice: false, nonce: "n0" });
    assert.match(html, /<h1>Plan<\/h1>/);
    assert.match(html, /So far \$0\.05\.</);
  });
});
