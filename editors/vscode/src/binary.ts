/** Where the server's program is. Nothing here needs VS Code. */

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

export interface Found {
  path: string;
}

/** Everywhere it was looked for. */
export interface NotFound {
  tried: string[];
}

export const program = process.platform === "win32" ? "baton.exe" : "baton";

/**
 * The path that the user set and no other; else the one that came with the extension; else one on the PATH.
 *
 * `set` must not come from a workspace: whoever writes it chooses what is run.
 */
export function findServer(set: string, extensionPath: string, searchPath: string): Found | NotFound {
  if (set.trim() !== "") {
    return first(isAbsolute(set) ? [set] : []) ?? { tried: [set] };
  }
  const onPath = searchPath.split(delimiter).filter((folder) => isAbsolute(folder));
  const candidates = [join(extensionPath, "server", program), ...onPath.map((folder) => join(folder, program))];
  return first(candidates) ?? { tried: [join(extensionPath, "server", program), `${program} on the PATH`] };
}

function first(candidates: string[]): Found | undefined {
  const path = candidates.find(isProgram);
  return path === undefined ? undefined : { path };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
