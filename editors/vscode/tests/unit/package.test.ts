import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { contextKeys, nothing } from "../../src/present";

const root = join(__dirname, "..", "..");

interface Manifest {
  contributes: {
    commands: { command: string; title: string; category: string; enablement?: string }[];
    menus: Record<string, { command: string; when?: string }[]>;
    walkthroughs: { steps: { description: string; media: { markdown?: string; image?: string } }[] }[];
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

  it("has the files that the walkthrough shows", () => {
    for (const { media } of walkthroughs.flatMap(({ steps }) => steps)) {
      assert.ok(readFileSync(join(root, media.markdown ?? media.image ?? "")).length > 0);
    }
  });
});
