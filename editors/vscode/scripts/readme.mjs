// The README as it is packaged. The extension's page in VS Code shows pictures from https alone: those that lie beside the
// README, and those put into it as `data:`, would stand there as broken. So they are left to readers of the repository.
//
//   node scripts/readme.mjs      prints it
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** The text without the pictures that the page would not show; each of these is a paragraph of its own. */
export function packagedReadme() {
  const text = readFileSync(join(root, "README.md"), "utf8");
  return text.replace(/^!\[[^\]]*\]\((?!https:)[^)\s]+\)\n\n/gm, "");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(packagedReadme());
}
