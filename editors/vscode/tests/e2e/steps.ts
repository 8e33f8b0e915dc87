/** How the stories are told to node's test runner. */

import { it } from "node:test";

import { installed, type Installed } from "./install";
import type { Window } from "./window";

const found = installed();

/** Without VS Code the stories are skipped, and say why; where CI=true they fail. */
export const vscode = {
  options: "missing" in found && process.env["CI"] !== "true" ? { skip: found.missing } : {},
  installed(): Installed {
    if ("missing" in found) {
      throw new Error(found.missing);
    }
    return found;
  },
};

/** Steps of one story: each goes on where the one before left off, and after one that failed none is tried. */
export function steps(window: () => Window): (name: string, does: () => Promise<void>) => void {
  let hasFailed = false;
  return (name, does) => {
    it(name, async (context) => {
      if (hasFailed) {
        context.skip("a step before it failed");
        return;
      }
      try {
        await does();
      } catch (error) {
        hasFailed = true;
        await window().picture("failed");
        // Where only the output is kept, it says what the picture shows.
        context.diagnostic(await window().onScreen());
        throw error;
      }
    });
  };
}
