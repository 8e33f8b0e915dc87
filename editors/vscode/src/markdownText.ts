/** Words that came from elsewhere, as text in Markdown. Nothing here needs VS Code. */

/** Nothing in it is markup, a link or an icon any more. Lines stay. */
export function escaped(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]()#+\-!|<>~$&]/g, "\\$&");
}

/** As code within a line: a name, a commit. */
export function inCode(text: string): string {
  const line = text.split(/\s+/).join(" ").trim();
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = "`".repeat(longest + 1);
  const blank = line.startsWith("`") || line.endsWith("`") ? " " : "";
  return line === "" ? "" : `${fence}${blank}${line}${blank}${fence}`;
}
