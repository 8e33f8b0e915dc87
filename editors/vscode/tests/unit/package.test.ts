import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { contextKeys, milestones, nothing } from "../../src/present";

const root = join(__dirname, "..", "..");

interface Manifest {
  contributes: {
    commands: { command: string; title: string; category: string; enablement?: string }[];
    menus: Record<string, { command: string; when?: string }[]>;
    walkthroughs: {
      steps: {
        id: string;
        description: string;
        media: { markdown?: string; image?: string };
        completionEvents: string[];
      }[];
    }[];
    viewsWelcome: { contents: string }[];
  };
}

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
const { commands, menus, viewsWelcome, walkthroughs } = manifest.contributes;
const ids = commands.map(({ command }) => command);

/** All of the sources. */
const source = readdirSync(join(root, "src"))
  .map((file) => readFileSync(join(root, "src", file), "utf8"))
  .join("\n");

describe("package.json", () => {
  it("declares the commands that the sources register, all of one category", () => {
    for (const { command, category } of commands) {
      const name = command.replace("batonClient.", "");
      assert.match(source, new RegExp(`\\b${name}: |command\\("${name}"`), command);
      assert.equal(category, "Baton");
    }
  });

  it("names in menus, walkthroughs and links only commands that it declares", () => {
    const linked = [
      ...walkthroughs.flatMap(({ steps }) => steps.map((step) => step.description)),
      ...viewsWelcome.map((view) => view.contents),
    ].flatMap((text) => [...text.matchAll(/command:(batonClient\.\w+)/g)].map((match) => match[1]));
    const named = [
      ...Object.values(menus)
        .flat()
        .map(({ command }) => command),
      ...linked,
    ];
    for (const match of source.matchAll(/"(batonClient\.\w+)"/g)) {
      named.push(match[1]);
    }
    assert.ok(linked.length > 4);
    for (const command of named) {
      assert.ok(command !== undefined && ids.includes(command), command);
    }
  });

  it("uses only context keys that are set", () => {
    const clauses = [
      ...commands.map(({ enablement }) => enablement),
      ...Object.values(menus)
        .flat()
        .map(({ when }) => when),
    ];
    const known = Object.keys(contextKeys(nothing));
    for (const clause of clauses) {
      const keys = (clause ?? "").replace("view == baton.workflow", "").match(/baton\.\w+/g) ?? [];
      for (const key of keys) {
        assert.ok(known.includes(key), `${key} in "${clause ?? ""}"`);
      }
    }
  });

  it("is packaged with a README that has no picture which its page would not show", () => {
    const readme = execFileSync(process.execPath, [join(root, "scripts", "readme.mjs")], { encoding: "utf8" });
    assert.ok(readme.includes("## Start") && !readme.includes("<img"));
    for (const [, source] of readme.matchAll(/!\[[^\]]*\]\(([^)]*)\)/g)) {
      assert.match(source ?? "", /^https:/);
    }
  });

  it("has the pictures that the README of the repository shows", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const sources = [...readme.matchAll(/!\[[^\]]*\]\(([^)]*)\)/g)].map((match) => match[1] ?? "");
    assert.ok(sources.length > 0);
    for (const source of sources) {
      assert.equal(readFileSync(join(root, source)).toString("latin1", 1, 4), "PNG", source);
    }
  });

  it("has a README that names only commands that it declares, and all of them", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const titles = commands.map(({ title }) => title);
    const inText = [...readme.matchAll(/\*\*Baton: ([^*]+)\*\*/g)].map((match) => match[1] ?? "");
    const table = /^\| command \| \|\n\|---\|---\|\n((?:\|.*\n)+)/m.exec(readme)?.[1] ?? "";
    const inTable = table
      .split("\n")
      .flatMap((row) => (row.split("|")[1] ?? "").split(","))
      .map((title) => title.trim())
      .filter((title) => title !== "");
    assert.ok(inText.length > 3 && inTable.length > 20);
    for (const title of [...inText, ...inTable]) {
      assert.ok(titles.includes(title), title);
    }
    assert.deepEqual([...titles].sort(), [...inTable].sort());
  });

  it("begins its walkthrough with the demo, and ticks what happened and not what was clicked", () => {
    const shown = walkthroughs.flatMap(({ steps }) => steps);
    assert.deepEqual(
      shown.map(({ id }) => id),
      milestones,
    );
    for (const { id, completionEvents } of shown) {
      assert.deepEqual(completionEvents, [`onContext:baton.reached.${id}`]);
    }
  });

  it("has the files that the walkthrough shows", () => {
    for (const { media } of walkthroughs.flatMap(({ steps }) => steps)) {
      assert.ok(readFileSync(join(root, media.markdown ?? media.image ?? "")).length > 0);
    }
  });
});
