/** Every word of the package that people read stands in package.nls.json, and in its translations. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";

import { keys, root, words, written } from "./manifest";

const languages = readdirSync(root).flatMap((file) => /^package\.nls\.(.+)\.json$/.exec(file)?.[1] ?? []);

/** What must be in a translation too: code, links, and addresses of settings. */
function marks(text: string): string[] {
  const links = text.match(/\]\([^)]*\)/g) ?? [];
  const code = text.match(/`[^`]*`/g) ?? [];
  return [...links, ...code].sort();
}

describe("the words of the package", () => {
  it("stand in package.nls.json, each once, and none more", () => {
    const named = keys();
    assert.ok(named.length > 90);
    assert.deepEqual([...new Set(named)].sort(), Object.keys(words()).sort());
    for (const [key, text] of Object.entries(words())) {
      assert.ok(text.trim() !== "", key);
    }
  });

  it("are not in the package itself", () => {
    const { commands, submenus, configuration, languageModelTools, ...others } = written().contributes;
    assert.ok(submenus.length > 0 && languageModelTools.length > 0);
    const plain = [
      ...commands.map(({ title }) => title),
      ...configuration.flatMap(({ title, properties }) => [
        title,
        ...Object.values(properties).flatMap(
          ({ description, markdownDescription, enumItemLabels = [], enumDescriptions = [] }) =>
            [description, markdownDescription, ...enumItemLabels, ...enumDescriptions].filter(
              (text) => text !== undefined,
            ),
        ),
      ]),
      ...others.walkthroughs.flatMap(({ steps }) => steps.map(({ description }) => description)),
      ...others.viewsWelcome.map(({ contents }) => contents),
      ...others.chatParticipants.map(({ description }) => description),
    ];
    for (const text of plain) {
      assert.match(text, /^%[\w.]+%$/);
    }
  });

  it("are translated to German, all of them", () => {
    assert.deepEqual(languages, ["de"]);
    for (const language of languages) {
      const translated = words(language);
      assert.deepEqual(Object.keys(translated), Object.keys(words()), language);
      for (const [key, text] of Object.entries(words())) {
        assert.deepEqual(marks(translated[key] ?? ""), marks(text), key);
        assert.equal((translated[key] ?? "").endsWith("…"), text.endsWith("…"), key);
      }
    }
  });

  it("name in German what the palette names in German", () => {
    const [own, german] = [words(), words("de")];
    const quoted = /\*Baton: ([^*]+)\*/g;
    for (const [key, text] of Object.entries(german)) {
      for (const [, title] of text.matchAll(quoted)) {
        assert.ok(
          Object.entries(german).some(([each, of]) => each.startsWith("commands.") && of === title),
          key,
        );
      }
      assert.equal([...text.matchAll(quoted)].length, [...(own[key] ?? "").matchAll(quoted)].length, key);
    }
  });
});
