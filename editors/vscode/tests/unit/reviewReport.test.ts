import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { escaped, inCode } from "../../src/markdownText";
import type { Doctor, Issue, PhaseEvent, Status } from "../../src/protocol";
import { reviewMeans, reviewReport, whyNot } from "../../src/reviewReport";

const ISSUE: Issue = {
  id: "i1",
  severity: "major",
  file: "src/a.rs",
  line: 12,
  description: "It overflows.",
  suggested_fix: "Use checked_add.",
  state: "new",
  base: "1a2b",
};
const END: PhaseEvent = {
  folder: "file:///w",
  run: "r1",
  phase: "workflow",
  status: "done",
  message: "Reviewed 1 file against main",
};
const status = (more: Partial<Status>): Status => ({ issues: [], phases: [], tasks: [], ...more }) as unknown as Status;

describe("the answer of the tool baton_review", () => {
  it("has the verdict and the open issues of that review at their places, and no others", () => {
    const review = { base: "1a2b", verdict: "changes_requested", summary: "One thing." } as const;
    const issues = [
      ISSUE,
      { ...ISSUE, id: "i2", state: "dismissed" as const },
      { ...ISSUE, id: "i3", base: null },
      { ...ISSUE, id: "i4", placed: false, suggested_fix: null },
    ];
    const report = reviewReport("main", status({ base_review: review, issues }), END);
    assert.deepEqual(report, {
      base: "main",
      commit: "1a2b",
      verdict: "changes_requested",
      summary: "One thing.",
      issues: [
        {
          place: "src/a.rs:12",
          file: "src/a.rs",
          line: 12,
          severity: "major",
          description: "It overflows.",
          suggested_fix: "Use checked_add.",
          id: "i1",
        },
        {
          place: "src/a.rs (no place in the code was found)",
          file: "src/a.rs",
          severity: "major",
          description: "It overflows.",
          id: "i4",
        },
      ],
    });
  });

  it("has the words of the end where an older server says nothing of the verdict", () => {
    assert.deepEqual(reviewReport("HEAD", status({}), END), {
      base: "HEAD",
      summary: "Reviewed 1 file against main",
      issues: [],
    });
  });
});

describe("before a review", () => {
  it("is said who reviews, who checks, and what it may spend", () => {
    const doctor: Doctor = {
      ok: true,
      checks: [],
      models: [
        { tier: "balanced", id: "openai:small", account: "OpenAI" },
        { tier: "powerful", id: "openai:large", account: "OpenAI" },
      ],
      settings: [
        { key: "budget_usd", value: "5" },
        { key: "budget_tokens", value: "none" },
        { key: "review_validation", value: "serious" },
      ],
    };
    const means = "Reviewer: openai:large (OpenAI). Serious findings are checked by openai:small.";
    assert.equal(reviewMeans(doctor), `${means} It may spend at most $5.`);
    const tokens = [
      { key: "budget_usd", value: "5" },
      { key: "budget_tokens", value: "90000" },
    ];
    const alone = reviewMeans({ ...doctor, settings: tokens });
    assert.equal(alone, "Reviewer: openai:large (OpenAI). It may spend at most $5 or 90000 tokens.");
    // Faulty settings, or an older server: nothing is claimed of models.
    assert.equal(reviewMeans({ ok: false, checks: [] }), "Nothing is known of a limit to what it may spend.");
  });

  it("is said why there can be none while a run is at work, also one of a terminal", () => {
    const running = status({ state: "running", headline: "implementing 1/2" });
    assert.match(whyNot(running, null) ?? "", /at work in this folder \(implementing 1\/2\).*"Baton: Cancel"/);
    assert.match(whyNot(status({ state: "gate" }), "r1") ?? "", /at work/, "a run that waits holds the folder too");
    assert.equal(whyNot(status({ state: "gate" }), null), undefined);
    assert.equal(whyNot(null, null), undefined);
  });
});

describe("words in Markdown", () => {
  it("are no markup, and code holds any name", () => {
    assert.equal(escaped("a *b* [c](d) `e`"), "a \\*b\\* \\[c\\]\\(d\\) \\`e\\`");
    assert.equal(inCode("main"), "`main`");
    assert.equal(inCode("a`b"), "``a`b``");
    assert.equal(inCode("`a"), "`` `a ``");
  });
});
