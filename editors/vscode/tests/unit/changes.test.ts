import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fileWords, hunkAt, hunksOf, isOpen, keptWords, openFiles } from "../../src/changeWords";
import type { ChangedFile, Hunk, TaskStatus } from "../../src/protocol";

const hunk = (id: string, more: Partial<Hunk> = {}): Hunk => ({
  id,
  task: "T1",
  first: 1,
  last: 2,
  kept: false,
  ...more,
});

const file = (path: string, ...hunks: Hunk[]): ChangedFile => ({
  path,
  uri: `file:///w/${path}`,
  change_type: "modified",
  lines_added: 1,
  lines_removed: 1,
  before: null,
  hunks,
});

const task = (status: TaskStatus["status"]): TaskStatus => ({ id: "T1", title: "t", status, files: [] });

const CHANGES = [
  file("a.js", hunk("a1", { kept: true }), hunk("a2", { task: "T2", first: 5, last: 9 }), hunk("a3", { task: null })),
  file("b.js", hunk("b1", { kept: true })),
  file("c.js", hunk("c1", { task: null })),
];

const ids = (hunks: Hunk[]): string[] => hunks.map(({ id }) => id);

describe("what was changed", () => {
  it("is what agents changed, by file and by task; the user's own change is none", () => {
    assert.deepEqual(ids(hunksOf(CHANGES)), ["a1", "a2", "b1"]);
    assert.deepEqual(ids(hunksOf(CHANGES, { task: "T1" })), ["a1", "b1"]);
    assert.deepEqual(ids(hunksOf(CHANGES, { path: "a.js" })), ["a1", "a2"]);
    assert.deepEqual(openFiles(CHANGES), ["a.js"]);
    assert.equal(isOpen(hunksOf(CHANGES, { task: "T1" })), false);
  });

  it("is nothing where the server knows no hunks", () => {
    const older = file("a.js");
    delete older.hunks;
    assert.deepEqual(hunksOf([older]), []);
    assert.deepEqual(openFiles([older]), []);
  });

  it("says how much of it is kept", () => {
    assert.equal(keptWords([]), "");
    assert.equal(keptWords([hunk("a")]), "");
    assert.equal(keptWords([hunk("a", { kept: true })]), "kept");
    assert.equal(keptWords([hunk("a", { kept: true }), hunk("b")]), "1 of 2 changes kept");
  });

  it("says of a file what became of it", () => {
    assert.equal(fileWords(CHANGES, "a.js", task("completed")), "1 of 2 changes kept");
    assert.equal(fileWords(CHANGES, "b.js", task("completed")), "kept");
    assert.equal(fileWords([{ ...file("n.js"), change_type: "created" }], "n.js", task("completed")), "created");
    assert.equal(fileWords(CHANGES, "d.js", task("completed")), "as before the workflow");
    assert.equal(fileWords(CHANGES, "d.js", task("running")), "");
    assert.equal(fileWords([], "d.js", task("completed")), "", "nothing is known");
  });

  it("is found at a line, one that is open before one that is kept", () => {
    const there = [hunk("k", { kept: true }), hunk("o", { first: 2, last: 4 }), hunk("mine", { task: null, last: 9 })];
    const at = (line: number): string | undefined => hunkAt(there, line)?.id;
    assert.deepEqual([at(1), at(2), at(4), at(5)], ["k", "o", "o", undefined]);
  });
});
