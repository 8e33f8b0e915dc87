/** The package as VS Code reads it: with the words of package.nls.json, or of a translation of it. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(__dirname, "..", "..");

export interface MenuItem {
  command?: string;
  submenu?: string;
  when?: string;
  group?: string;
}

export interface Property {
  type: string | string[];
  scope: string;
  order: number;
  default: unknown;
  description?: string;
  markdownDescription?: string;
  enum?: string[];
  enumItemLabels?: string[];
  enumDescriptions?: string[];
  minimum?: number;
  maximum?: number;
  tags?: string[];
}

export interface Manifest {
  categories: string[];
  keywords: string[];
  contributes: {
    commands: { command: string; title: string; category: string; enablement?: string }[];
    menus: Record<string, MenuItem[]>;
    submenus: { id: string; label: string }[];
    configuration: { id: string; title: string; order: number; properties: Record<string, Property> }[];
    chatParticipants: { id: string; name: string; description: string; commands: { name: string }[] }[];
    languageModelTools: {
      name: string;
      modelDescription: string;
      inputSchema: { properties: Record<string, { description: string }> };
    }[];
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

/** As it is written, with keys in place of words. */
export function written(): Manifest {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
}

/** The words of the package, by their keys: its own, or of a translation. */
export function words(language = ""): Record<string, string> {
  const file = join(root, language === "" ? "package.nls.json" : `package.nls.${language}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>) : {};
}

/** All keys that it names. */
export function keys(of: unknown = written()): string[] {
  return texts(of).flatMap((text) => /^%(.+)%$/.exec(text)?.[1] ?? []);
}

/** With its words. */
export function manifest(): Manifest {
  return put(written(), words()) as Manifest;
}

function put(into: unknown, of: Record<string, string>): unknown {
  if (typeof into === "string") {
    const key = /^%(.+)%$/.exec(into)?.[1];
    return key === undefined ? into : of[key];
  }
  if (Array.isArray(into)) {
    return into.map((each) => put(each, of));
  }
  return typeof into === "object" && into !== null
    ? Object.fromEntries(Object.entries(into).map(([name, value]) => [name, put(value, of)]))
    : into;
}

function texts(of: unknown): string[] {
  if (typeof of === "string") {
    return [of];
  }
  return typeof of === "object" && of !== null ? Object.values(of).flatMap(texts) : [];
}
