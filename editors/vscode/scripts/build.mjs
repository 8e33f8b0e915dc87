// Bundle the extension into dist/; with --tests also the tests, each by itself, into out/.
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const common = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  absWorkingDir: root,
  logLevel: "warning",
};
const extension = {
  ...common,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  external: ["vscode"],
  minify: !process.argv.includes("--watch"),
  sourcemap: process.argv.includes("--watch"),
};

if (process.argv.includes("--watch")) {
  await (await esbuild.context(extension)).watch();
} else {
  rmSync(join(root, "dist"), { recursive: true, force: true });
  await esbuild.build(extension);
}

if (process.argv.includes("--tests")) {
  rmSync(join(root, "out"), { recursive: true, force: true });
  for (const kind of ["unit", "e2e"]) {
    const files = readdirSync(join(root, "tests", kind)).filter((file) => file.endsWith(".test.ts"));
    await esbuild.build({
      ...common,
      entryPoints: files.map((file) => `tests/${kind}/${file}`),
      outdir: `out/${kind}`,
      external: ["vscode", "playwright-core", "@vscode/vsce"],
      sourcemap: "inline",
    });
  }
}
