import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { root } from "./manifest";

interface Package {
  readonly integrity?: string;
  readonly version: string;
}

/** What is installed to build the extension, by its place. */
const packages = Object.entries(
  (JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { packages: Record<string, Package> }).packages,
).filter(([place]) => place !== "");

describe("what is installed to build the extension", () => {
  it("is named with a checksum, each package of it", () => {
    assert.ok(packages.length > 100);
    for (const [place, { integrity, version }] of packages) {
      assert.match(version, /^\d+\.\d+\.\d+/, place);
      assert.match(integrity ?? "", /^sha512-/, place);
    }
  });

  it("runs no script of its own while it is installed, wherever that is done", () => {
    assert.match(readFileSync(join(root, ".npmrc"), "utf8"), /^ignore-scripts=true$/m);
    for (const file of [".ci/run", "tests/setup.sh", "editors/README.md", "editors/vscode/README.md"]) {
      const lines = readFileSync(join(root, "..", "..", file), "utf8").split("\n");
      const installs = lines.filter((line) => /\b(npm ci|npm install|quietly install) /.test(`${line} `));
      assert.ok(installs.length > 0, file);
      for (const line of installs) {
        assert.match(line, /--ignore-scripts/, `${file}: ${line}`);
      }
    }
  });
});
