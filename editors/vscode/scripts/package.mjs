// Package the extension with the server's program for this platform.
//
//   npm run package -- [--binary PATH] [--target linux-x64]
//
// Without --binary it takes target/release/baton, as `cargo build --release` leaves it.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { createVSIX } from "@vscode/vsce";

import { packagedReadme } from "./readme.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const repository = join(root, "..", "..");
const { values } = parseArgs({ options: { binary: { type: "string" }, target: { type: "string" } } });

const target = values.target ?? `${process.platform}-${process.arch}`;
const program = target.startsWith("win32") ? "baton.exe" : "baton";
const binary = values.binary ?? join(repository, "target", "release", program);
if (!existsSync(binary)) {
  console.error(`There is no ${binary}. Build it by \`cargo build --release\`, or name one by --binary.`);
  process.exit(1);
}

await import("./build.mjs");
process.chdir(root);
for (const old of readdirSync(".").filter((file) => file.endsWith(".vsix"))) {
  rmSync(old);
}
rmSync("server", { recursive: true, force: true });
mkdirSync("server");
copyFileSync(binary, join("server", program));
chmodSync(join("server", program), 0o755);
// Symbols are for those who build it; a machine without `strip` packages them too.
spawnSync("strip", [join("server", program)], { stdio: "ignore" });
copyFileSync(join(repository, "LICENSE"), "LICENSE");
// Packaged from a copy, for its README is another one.
const staged = join(root, "out", "package");
rmSync(staged, { recursive: true, force: true });
const manifest = readdirSync(".").filter((file) => /^package(\.nls(\.[\w-]+)?)?\.json$/.test(file));
for (const name of ["dist", "server", "media", "schemas", ...manifest, "CHANGELOG.md", "LICENSE", ".vscodeignore"]) {
  cpSync(name, join(staged, name), { recursive: true });
}
writeFileSync(join(staged, "README.md"), packagedReadme());
const packagePath = join(root, `baton-${target}.vsix`);
await createVSIX({
  cwd: staged,
  target,
  packagePath,
  dependencies: false,
  allowMissingRepository: true,
  rewriteRelativeLinks: false,
});
console.log(`${basename(packagePath)}: ${(statSync(packagePath).size / 1e6).toFixed(1)} MB`);
