import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { findServer, program } from "../../src/binary";

describe("the server's program", () => {
  let root: string;

  const put = (...path: string[]): string => {
    const file = join(root, ...path, program);
    mkdirSync(join(root, ...path), { recursive: true });
    writeFileSync(file, "");
    chmodSync(file, 0o755);
    return file;
  };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "baton-binary-"));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it("is the one that came with the extension, before one on the PATH", () => {
    const onPath = put("bin");
    const search = [join(root, "none"), join(root, "bin")].join(delimiter);
    assert.deepEqual(findServer("", root, search), { path: onPath });
    const own = put("server");
    assert.deepEqual(findServer("", root, search), { path: own });
  });

  it("is the one that is set, or none", () => {
    put("server");
    const set = put("elsewhere");
    assert.deepEqual(findServer(set, root, ""), { path: set });
    assert.deepEqual(findServer("/nowhere/baton", root, ""), { tried: ["/nowhere/baton"] });
    assert.deepEqual(findServer("baton", root, root), { tried: ["baton"] }, "a relative path is no place");
  });

  it("is not looked for in the folder one happens to be in", () => {
    assert.ok("tried" in findServer("", root, [".", ""].join(delimiter)));
  });

  it("must be a file that can be run", () => {
    chmodSync(put("server"), 0o644);
    mkdirSync(join(root, "bin", program), { recursive: true });
    const found = findServer("", root, join(root, "bin"));
    assert.deepEqual(found, { tried: [join(root, "server", program), `${program} on the PATH`] });
  });
});
