/** The settings page says what the server takes. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { manifest, root, type Property } from "./manifest";

/** A setting in the server's JSON Schema of baton.toml. */
interface Setting {
  type?: string;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  default?: unknown;
  properties?: Record<string, Setting>;
  anyOf?: Setting[];
}

const schema = JSON.parse(readFileSync(join(root, "schemas", "settings.json"), "utf8")) as Setting;
const groups = manifest().contributes.configuration;
const properties: Record<string, Property> = Object.assign({}, ...groups.map((group) => group.properties)) as Record<
  string,
  Property
>;
/** Settings of this client alone. */
const OWN = ["baton.editorModels.", "baton.server.", "baton.hunkLenses", "baton.endpoints."];

/** What the server's schema says of `baton.models.fast`. */
function setting(key: string): Setting | undefined {
  const found = key
    .split(".")
    .slice(1)
    .reduce<Setting | undefined>((of, name) => of?.properties?.[name], schema);
  // `none` takes the place of no value, which a settings page has null for.
  return found?.anyOf === undefined ? found : { ...found, ...found.anyOf.find(({ type }) => type !== undefined) };
}

describe("the settings", () => {
  it("stand in groups with titles, in order", () => {
    assert.deepEqual(
      groups.map(({ title, order }) => `${String(order)} ${title}`),
      ["1 Models", "2 Limits", "3 Review and Checks", "4 Files", "5 Server"],
    );
    for (const { properties } of groups) {
      const orders = Object.values(properties).map(({ order }) => order);
      assert.deepEqual(
        orders,
        [...orders.keys()].map((at) => at + 1),
      );
    }
  });

  it("take what the server's schema takes, and no more", () => {
    for (const [key, property] of Object.entries(properties)) {
      if (OWN.some((own) => key.startsWith(own))) {
        continue;
      }
      const expected = setting(key);
      assert.ok(expected !== undefined, `${key} is no setting of the server`);
      const types = [property.type].flat().filter((type) => type !== "null");
      assert.deepEqual(types, [expected.type], key);
      const { enum: choices, minimum, maximum } = property;
      assert.deepEqual({ choices, minimum, maximum }, bounds(expected), key);
      const none = property.default === null ? "none" : property.default;
      assert.deepEqual(none, expected.default, key);
    }
  });

  it("say what each choice means", () => {
    const choices = Object.entries(properties).filter(([, property]) => property.enum !== undefined);
    assert.ok(choices.length > 4);
    for (const [key, { enum: values, enumItemLabels, enumDescriptions }] of choices) {
      assert.equal(enumItemLabels?.length, values?.length, key);
      assert.equal(enumDescriptions?.length, values?.length, key);
    }
  });

  it("have the scope that fits: a folder's own where the server asks for each folder, and never a workspace's for this client", () => {
    for (const [key, { scope }] of Object.entries(properties)) {
      const isOwn = OWN.some((prefix) => key.startsWith(prefix));
      // What is shown harms nobody, and differs by window.
      const own = key === "baton.hunkLenses" ? ["window"] : ["machine", "application"];
      assert.ok(isOwn ? own.includes(scope) : scope === "resource", key);
    }
  });

  it("are marked where a service is asked by them", () => {
    for (const [key, { tags }] of Object.entries(properties)) {
      const isAsked = /^baton\.(models|editorModels|endpoints)\./.test(key);
      assert.equal(tags?.includes("usesOnlineServices") ?? false, isAsked, key);
    }
  });
});

function bounds({ enum: choices, minimum, maximum }: Setting): object {
  return { choices, minimum, maximum };
}
