/** The gate shows the same after a reload as before, follows the plan, and approves no other plan than it showed. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { isDelicate, TASK } from "./story";
import { until, type Window } from "./window";

const PLAN = ".agent_memory/plan.json";

describe("a plan that waits", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  let live: string;
  const step = steps(() => window);
  const header = (): Promise<string> => window.gate.locator("header").innerText();

  before(async () => {
    api = await MessagesApi.start(isDelicate());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("gate");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("shows what it would touch and what it may cost", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.locator(".warning.severe code", { hasText: ".npmrc" }).waitFor();
    live = await header();
    assert.match(live, /setup\.py/);
    assert.match(live, /about \$.* at most \$/);
    await window.picture("live");
  });

  step("shows the same after a reload", async () => {
    await window.reload();
    await window.gate.locator(".warning.severe code", { hasText: ".npmrc" }).waitFor();
    assert.equal(await header(), live);
    await until(async () => (await window.statusBar.innerText()).includes("waits for you"), "the status bar asks");
    await window.picture("reloaded");
  });

  step("follows the plan while nothing runs", async () => {
    const edited = desk.read(PLAN).replace("Say so in the README", "Tell it in the README");
    writeFileSync(join(desk.project, PLAN), edited);
    await window.gate.getByText("Tell it in the README").waitFor();
    await window.picture("followed");
  });

  step("saves unsaved changes instead of approving what was there before, and asks again", async () => {
    await window.gate.getByRole("button", { name: "Edit" }).click();
    await window.page.locator(".tab.active").filter({ hasText: "plan.json" }).waitFor();
    await window.type("  ");
    const before = desk.read(PLAN);
    // The text stands in front of the page now.
    await window.run("Baton: Approve Plan");
    await window.notification("had changes that were not saved").waitFor();
    assert.notEqual(desk.read(PLAN), before, "they are saved");
    assert.ok(!desk.has(".agent_memory/approval.json"));
    await window.picture("unsaved");
    await window.clearNotifications();
  });

  step("goes on when the plan that is shown is approved", async () => {
    await window.run("Baton: Approve Plan");
    await window.notification("nothing was committed").waitFor();
    assert.match(desk.read("greet.py"), /hello, \{name\}/);
    assert.deepEqual(api.violations, []);
  });
});
