import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { outcomeWords, pastActions, pastRow } from "../../src/historyRows";
import type { PastWorkflow, ReviewStatus, Status } from "../../src/protocol";
import { actionWords, reviewMarkdown, reviewState, verdictWords } from "../../src/reviewWords";

const PAST: PastWorkflow = {
  workflow: "20260102-121212-0002",
  runs: ["20260102-121212-0002"],
  task: "Greet people\nby name",
  outcome: "merged",
  at: "2026-01-02T12:12:30Z",
  files: 2,
  current: false,
  can_undo: true,
  can_bring_back: false,
};

describe("a workflow of the past", () => {
  it("says its task, how it ended, when, and what it came to", () => {
    const usage = {
      input_tokens: 1000,
      cache_write_tokens: 0,
      cache_read_tokens: 0,
      output_tokens: 0,
      cost_usd: 0.12,
    };
    assert.deepEqual(
      pastRow({ ...PAST, usage }, (at) => at),
      {
        label: "$(pass) Greet people by name",
        description: "approved",
        detail: "2026-01-02T12:12:30Z · 2 files · $0.12",
      },
    );
    const { label, description, detail } = pastRow({ ...PAST, task: "", outcome: null, current: true }, () => "now");
    assert.deepEqual(
      [label, description, detail],
      ["$(circle-large-outline) 20260102-121212-0002", "at hand · not ended", "now · 2 files"],
    );
  });

  it("has words for every end", () => {
    const ends = ["merged", "rolled_back", "escalated", "rejected", "failed", "cancelled", null] as const;
    assert.deepEqual(ends.map(outcomeWords), [
      "approved",
      "undone",
      "needs you",
      "rejected",
      "failed",
      "cancelled",
      "not ended",
    ]);
  });

  it("offers what the server says can be done, the harmless first", () => {
    assert.deepEqual(pastActions(PAST, true), ["log", "undo"]);
    assert.deepEqual(pastActions({ ...PAST, current: true, can_bring_back: true }, true), [
      "changes",
      "log",
      "undo",
      "bring_back",
    ]);
    assert.deepEqual(pastActions({ ...PAST, runs: [], can_undo: false }, true), []);
  });
});

describe("a review", () => {
  const review = (more: Partial<ReviewStatus> = {}): ReviewStatus => ({
    round: 1,
    verdict: "approved",
    recommended_action: "merge",
    summary: "Good, with one remark.",
    drift: "",
    ...more,
  });

  it("is told in words, and shown as good only where nothing is asked for", () => {
    assert.deepEqual(
      [verdictWords(review()), actionWords(review()), reviewState(review())],
      ["Approved", "good as it is", "passed"],
    );
    const asks = review({ verdict: "changes_requested", recommended_action: "fix_and_re_review" });
    assert.deepEqual(
      [verdictWords(asks), actionWords(asks), reviewState(asks)],
      ["Changes requested", "fix, then review again", "not_merged"],
    );
    assert.equal(reviewState(review({ recommended_action: "escalate_to_human" })), "not_merged");
  });

  it("reads as a page", () => {
    const status = {
      review: review({ drift: "It also changed b.js." }),
      issues: [
        { id: "i1", severity: "minor", file: "a.js", line: 3, description: "No\nexample.", state: "open" },
        { id: "i2", severity: "major", file: "b.js", line: 1, description: "Gone.", state: "fixed" },
      ],
      tasks: [
        {
          id: "T1",
          title: "t",
          status: "completed",
          files: [],
          criteria: [{ n: 1, text: "It greets.", state: "met" }],
        },
      ],
    } as unknown as Status;
    assert.equal(
      reviewMarkdown(status),
      `# Review

**Approved**: good as it is

Good, with one remark.

## Beside the plan

It also changed b.js.

## Issues

- **minor** \`a.js:3\`: No example.
- **major, fixed** \`b.js:1\`: Gone.

## Acceptance criteria

- T1, met: It greets.
`,
    );
    assert.match(reviewMarkdown(null), /There is no review/);
  });
});
