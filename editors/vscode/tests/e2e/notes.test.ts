/** A round of notes on a plan: written on its page, sent, and the next plan compared and approved in part. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import type { Locator } from "playwright-core";

import { Desk } from "./desk";
import { KEY, MessagesApi, type Script } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, TASK } from "./story";
import { until, type Window } from "./window";

/** The second plan takes the notes in: T2 needs T1 now. */
function takesNotes(): Script {
  const script = goesWell();
  const plan = script["plan"]?.[0] ?? [];
  const text = JSON.stringify(plan).replace("Say so in the README", "Show an example in the README");
  const second = JSON.parse(text) as typeof plan;
  const input = second[0]?.input as { tasks: { depends_on: string[] }[]; parallel_groups: string[][] };
  const last = input.tasks.at(-1);
  assert.ok(last !== undefined);
  last.depends_on = ["T1"];
  input.parallel_groups = [["T1"], ["T2"]];
  return { ...script, plan: [plan, second] };
}

describe("notes on a plan", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);
  const button = (name: string | RegExp): Locator => window.gate.getByRole("button", { name, exact: true });
  /** The part of the page below the heading of a task. */
  const head = (task: string): Locator => window.gate.locator(`.head[data-about="${task}"]`);
  const box = (name: string): Locator => window.gate.getByRole("textbox", { name, exact: true });

  before(async () => {
    api = await MessagesApi.start(takesNotes());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("notes");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("are written in their place, and survive a reload of the window", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.getByRole("heading", { name: "Plan, version 1" }).waitFor();
    await head("T1").getByRole("button", { name: "Add Note" }).click();
    await box("Note on T1").fill("Keep greet() without a name working.\nIt is called elsewhere.");
    await box("Note on T1").press("Control+Enter");
    await window.gate.locator(".note", { hasText: "called elsewhere" }).waitFor();
    await button("Send 1 Note").waitFor();
    await window.picture("written");
    await window.reload();
    await window.gate.locator(".note", { hasText: "called elsewhere" }).waitFor();
    await button("Send 1 Note").waitFor();
  });

  step(
    "are sent in less than ten seconds of the user's own time, and the next page begins with what changed",
    async () => {
      const began = Date.now();
      await head("T2").getByRole("button", { name: "Add Note" }).click();
      await window.page.keyboard.type("Show an example.");
      await window.page.keyboard.press("Control+Enter");
      await head("Risks").getByRole("button", { name: "Add Note" }).click();
      await window.page.keyboard.type("Say how callers are found.");
      await window.page.keyboard.press("Control+Enter");
      await button("Send 3 Notes").click();
      const seconds = (Date.now() - began) / 1000;
      process.stdout.write(`a round of notes took ${seconds.toFixed(1)} s of the user's actions\n`);
      await window.gate.getByRole("heading", { name: "Plan, version 2" }).waitFor();
      await window.gate.getByRole("heading", { name: "Changed since version 1" }).waitFor();
      assert.equal(await window.gate.locator(".note").count(), 0);
      await window.picture("anew");
    },
  );

  step("are compared with the plan before", async () => {
    await button("Compare with Version 1").click();
    await window.page.locator(".monaco-diff-editor").waitFor();
    await window.picture("compared");
    await window.run("View: Close Editor");
  });

  step("stand beside tasks that are picked with what they need, and feedback of many lines", async () => {
    await window.run("Baton: Show Plan");
    await window.gate.getByRole("checkbox", { name: /^Do T1/ }).uncheck();
    await window.gate.getByText("T2 is left out too: it needs T1.").waitFor();
    assert.ok(await button("Approve").isDisabled());
    await window.gate.getByRole("checkbox", { name: /^Do T2/ }).check();
    await window.gate.getByText("T1 is picked too: T2 needs it.").waitFor();
    await window.gate.getByRole("checkbox", { name: /^Do T2/ }).uncheck();
    await button("Approve 1 of 2 Tasks").waitFor();
    await button("Ask for Changes").click();
    await window.gate.getByRole("textbox", { name: /^What should be different/ }).fill("One.\nTwo.");
    await button("Send 1 Note").waitFor();
    await window.picture("picked");
    await window.gate.getByRole("textbox", { name: /^What should be different/ }).fill("");
  });

  step("fit where there is little room, in every kind of theme", async () => {
    await window.clearNotifications();
    const page = window.gate.locator("body");
    for (const [theme, width, zoom] of [
      ["Dark Modern", 800, 1],
      ["Light Modern", 800, 1],
      ["Dark High Contrast", 800, 1],
      ["Dark Modern", 400, 1],
      ["Light Modern", 800, 2],
    ] as const) {
      await window.page.setViewportSize({ width: width / zoom, height: 800 / zoom });
      await window.run("Preferences: Color Theme");
      await window.quickInput.fill(theme);
      await window.page.keyboard.press("Enter");
      await window.run("Baton: Show Plan");
      const fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
      await until(async () => (await page.evaluate(fits)) === true, `the page fits ${String(width)} px`);
      await window.picture(`${theme.toLowerCase().replaceAll(" ", "-")}-${String(width)}-x${String(zoom)}`);
    }
    await window.page.setViewportSize({ width: 1280, height: 800 });
  });

  step("lead to an approval of what was picked", async () => {
    await button("Approve 1 of 2 Tasks").click();
    await until(() => desk.read("greet.py").includes("hello, {name}"), "T1 is done");
    assert.match(desk.read("README.md"), /It says hello/);
    assert.deepEqual(api.violations, []);
  });
});
