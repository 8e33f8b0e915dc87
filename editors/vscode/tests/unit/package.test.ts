import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { contextKeys, milestones, nothing } from "../../src/present";
import { manifest, root, type MenuItem } from "./manifest";

const { contributes, categories, keywords } = manifest();
const { commands, menus, submenus, viewsWelcome, walkthroughs, chatParticipants, languageModelTools } = contributes;
const ids = commands.map(({ command }) => command);
const items: [string, MenuItem][] = Object.entries(menus).flatMap(([menu, rows]) =>
  rows.map((row): [string, MenuItem] => [menu, row]),
);

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
    ].flatMap((text) => [...text.matchAll(/command:(batonClient\.\w+)/g)].map((match) => match[1] ?? ""));
    const named = [...items.flatMap(([, { command }]) => command ?? []), ...linked];
    for (const match of source.matchAll(/"(batonClient\.\w+)"/g)) {
      named.push(match[1] ?? "");
    }
    assert.ok(linked.length > 4);
    for (const command of named) {
      assert.ok(ids.includes(command), command);
    }
  });

  it("uses only context keys that are set", () => {
    const clauses = [...commands.map(({ enablement }) => enablement), ...items.map(([, { when }]) => when)];
    const ofEditors = /editorContextKeys = \[([^\]]*)\]/.exec(source)?.[1] ?? "";
    const known = [...Object.keys(contextKeys(nothing)), ...(ofEditors.match(/baton\.\w+/g) ?? [])];
    assert.ok(known.includes("baton.plan_files"));
    for (const clause of clauses) {
      const keys = (clause ?? "").replace("view == baton.workflow", "").match(/baton\.\w+/g) ?? [];
      for (const key of keys) {
        assert.ok(known.includes(key), `${key} in "${clause ?? ""}"`);
      }
    }
  });

  it("has menus whose every row is a command or a submenu that is there, has a place, and is not always shown", () => {
    const ownMenus = submenus.map(({ id }) => id);
    for (const [menu, { command, submenu, when, group }] of items) {
      const name = `${menu}: ${command ?? submenu ?? ""}`;
      assert.ok((command === undefined) !== (submenu === undefined), name);
      assert.ok(submenu === undefined || ownMenus.includes(submenu), name);
      assert.ok(menu === "commandPalette" || /@\d+$/.test(group ?? ""), name);
      assert.ok((when ?? "") !== "", name);
      // No palette shows a command whose `enablement` is false; a menu does, greyed out.
      const enablement = commands.find((each) => each.command === command)?.enablement;
      const isGuarded = enablement === undefined || menu === "commandPalette" || menu.startsWith("view/");
      assert.ok(isGuarded || when?.includes(enablement) === true || when?.includes("issue_here") === true, name);
    }
    const menuOfEditors = items.filter(([menu]) => menu === "baton.editor");
    assert.ok(menuOfEditors.length <= 5, "few");
    assert.equal(menus["explorer/context"]?.length, 1);
    for (const id of ownMenus) {
      assert.ok(menus[id] !== undefined && items.some(([, { submenu }]) => submenu === id), id);
    }
  });

  it("declares the participant and the tool that the sources register, with what these understand", () => {
    const [participant] = chatParticipants;
    assert.ok(participant !== undefined && source.includes(`PARTICIPANT = "${participant.id}"`));
    for (const { name } of participant.commands) {
      assert.ok(source.includes(`case "${name}":`), name);
    }
    const [tool] = languageModelTools;
    assert.ok(tool !== undefined && source.includes(`REVIEW_TOOL = "${tool.name}"`));
    assert.deepEqual(Object.keys(tool.inputSchema.properties), ["base", "folder"]);
    assert.match(tool.modelDescription, /Nothing is edited.*costs money/);
  });

  it("stands in categories that there are, with no more keywords than are taken", () => {
    assert.deepEqual(categories, ["AI", "Chat", "Programming Languages"]);
    assert.ok(keywords.length <= 30 && new Set(keywords).size === keywords.length);
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

  it("has a changelog with its version and the day of it", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    const changes = readFileSync(join(root, "CHANGELOG.md"), "utf8");
    const headings = changes.match(/^## .*$/gm) ?? [];
    assert.ok(
      headings.some((heading) => heading.startsWith(`## [${version}] - `)),
      version,
    );
    for (const heading of headings) {
      assert.match(heading, /^## \[(Unreleased|\d+\.\d+\.\d+\] - 20\d\d-[01]\d-[0-3]\d$)/);
    }
  });

  it("has the files that the walkthrough shows", () => {
    for (const { media } of walkthroughs.flatMap(({ steps }) => steps)) {
      assert.ok(readFileSync(join(root, media.markdown ?? media.image ?? "")).length > 0);
    }
  });
});
