import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { baseChoices, defaultBase, mainBranches, RefKind, type Ref, type RepositoryFacts } from "../../src/baseChoices";

const HEAD = "1111111111111111111111111111111111111111";
const OLD = "2222222222222222222222222222222222222222";

const ref = (type: RefKind, name: string, commit = OLD): Ref => ({ type, name, commit });
/** As git sorts them: the last commits first. */
const REFS = [
  ref(RefKind.RemoteBranch, "origin/HEAD"),
  ref(RefKind.Branch, "feature", HEAD),
  ref(RefKind.Branch, "other"),
  ref(RefKind.RemoteBranch, "origin/main"),
  ref(RefKind.Branch, "main"),
  ref(RefKind.Tag, "v1"),
];
const FACTS: RepositoryFacts = {
  head: { name: "feature", commit: HEAD },
  refs: REFS,
  main: { name: "main", mergeBase: OLD },
};

const rows = (facts: RepositoryFacts): string[] =>
  baseChoices(facts).map((row) => ("heading" in row ? `-- ${row.heading}` : `${row.label} = ${row.base}`));

describe("the commits to review against", () => {
  it("begin with where the branch left main, and go from branches to tags", () => {
    assert.deepEqual(rows(FACTS), [
      "Since main = main",
      "What is not committed = HEAD",
      "-- branches",
      "other = other",
      "main = main",
      "-- remote branches",
      "origin/main = origin/main",
      "-- tags",
      "v1 = v1",
    ]);
  });

  it("leave out where it left main while nothing was committed since", () => {
    const facts = { ...FACTS, main: { name: "main", mergeBase: HEAD } };
    assert.equal(rows(facts)[0], "What is not committed = HEAD");
    assert.equal(defaultBase(facts), "HEAD");
    assert.equal(defaultBase(FACTS), "main");
    assert.equal(defaultBase(undefined), "HEAD");
  });

  it("stand for a detached HEAD too", () => {
    const facts = { ...FACTS, head: { commit: HEAD } };
    assert.ok(rows(facts).includes("feature = feature"));
    const [, uncommitted] = baseChoices(facts);
    assert.ok(uncommitted !== undefined && "base" in uncommitted);
    assert.equal(uncommitted.description, HEAD.slice(0, 10));
  });

  it("compare main with what was fetched of it", () => {
    assert.deepEqual(mainBranches("main", REFS), ["origin/main"]);
    assert.deepEqual(mainBranches("feature", REFS), ["main", "origin/main"]);
    assert.deepEqual(mainBranches("feature", [ref(RefKind.Tag, "main"), ref(RefKind.Branch, "master")]), ["master"]);
  });
});
