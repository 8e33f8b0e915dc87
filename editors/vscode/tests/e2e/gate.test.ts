/** The gate shows the same after a reload as before, follows the plan, and approves no other plan than the user meant. */

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
const APPROVAL = ".agent_memory/approval.json";

describe("a plan that waits", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  let live: string;
  const step = steps(() => window);
  const header = (): Promise<string> => window.gate.locator(".facts").innerText();

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
    await window.openFile("main.py");
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.locator(".warning.severe code", { hasText: ".npmrc" }).waitFor();
    live = await header();
    assert.match(live, /setup\.py/);
    assert.match(live, /about \$.* at most \$/);
    await window.picture("live");
  });

  step(
    "is whole again after a reload: page, groups of editors, status bar, and a notice with the answers",
    async () => {
      await window.reload();
      await window.gate.locator(".warning.severe code", { hasText: ".npmrc" }).waitFor();
      assert.equal(await header(), live);
      await window.says("waits for you");
      const notice = window.notification("waits for");
      await notice.getByRole("button", { name: "Approve", exact: true }).waitFor();
      await notice.getByRole("button", { name: "Ask for Changes" }).waitFor();
      assert.equal(await window.emptyGroups(), 0);
      assert.equal(await window.tabs("Baton: Plan"), 1);
      await window.picture("reloaded");
    },
  );

  step("is made anew when changes are asked for from the notice, and asks again", async () => {
    await window.press("Ask for Changes");
    await window.quickInput.fill("Leave .npmrc alone");
    await window.page.keyboard.press("Escape");
    await window.run("Baton: Ask for Changes…");
    await until(async () => (await window.quickInput.inputValue()) === "Leave .npmrc alone", "what was typed is kept");
    await window.picture("asked");
    await window.page.keyboard.press("Enter");
    await window.gate.getByRole("heading", { name: "Plan, version 2" }).waitFor();
    await window.says("waits for you");
    assert.equal(await window.tabs("Baton: Plan"), 1);
    await window.picture("anew");
    await window.clearNotifications();
  });

  step("follows the plan", async () => {
    const edited = desk.read(PLAN).replace("Say so in the README", "Tell it in the README");
    writeFileSync(join(desk.project, PLAN), edited);
    await window.gate.getByRole("heading", { name: "Tell it in the README" }).waitFor();
    await window.picture("followed");
  });

  step("asks which plan is meant when it is approved with unsaved changes, and approves none on Cancel", async () => {
    await window.reload();
    await window.gate.getByRole("heading", { name: "Tell it in the README" }).waitFor();
    await window.clearNotifications();
    await window.gate.getByRole("button", { name: "Edit" }).click();
    await window.page.locator(".tab.active").filter({ hasText: "plan.json" }).waitFor();
    await window.replaceAll("plan.json", "Tell it in the README", "Name it in the README");
    await window.run("Baton: Approve Plan");
    await window.dialog.getByText("changes that are not saved").waitFor();
    await window.picture("unsaved");
    await window.dialog.getByRole("button", { name: "Cancel" }).click();
    assert.ok(!desk.has(APPROVAL));
    assert.doesNotMatch(desk.read(PLAN), /Name it in the README/);
  });

  step("approves what was typed, once it is saved", async () => {
    await window.run("Baton: Approve Plan");
    await window.dialog.getByRole("button", { name: "Save and Approve" }).click();
    await window.notification("nothing was committed").waitFor();
    assert.match(desk.read(PLAN), /Name it in the README/);
    assert.match(desk.read("greet.py"), /hello, \{name\}/);
    await window.picture("approved");
    assert.deepEqual(api.violations, []);
  });
});

describe("a plan that is being edited", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(isDelicate());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("edited");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("says where it has a fault, and is not approved", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.getByRole("button", { name: "Edit" }).click();
    await window.page.locator(".tab.active").filter({ hasText: "plan.json" }).waitFor();
    await window.replaceAll("plan.json", '"depends_on": []', '"depends_on": ["T9"]');
    await window.run("Baton: Approve Plan");
    await window.dialog.getByRole("button", { name: "Save and Approve" }).click();
    await window.notification("T9").waitFor();
    await until(async () => (await window.cursor()).startsWith("Ln 20,"), "the cursor stands at the fault");
    assert.match(desk.read(PLAN), /T9/);
    assert.ok(!desk.has(APPROVAL));
    await window.picture("faulty");
    await window.clearNotifications();
    await window.replaceAll("plan.json", '"depends_on": ["T9"]', '"depends_on": []');
    await window.page.keyboard.press("Control+s");
    await window.says("waits for you");
  });

  step("is not approved with protected files that nobody was shown", async () => {
    await window.replaceAll("plan.json", '".npmrc"', '".npmrc", ".envrc"');
    await window.run("Baton: Approve Plan");
    await approveShown(window);
    await window.dialog.getByRole("button", { name: "Save and Approve" }).click();
    await window.notification("protected files that it did not before").waitFor();
    await window.gate.locator(".warning.severe code", { hasText: ".envrc" }).waitFor();
    assert.ok(!desk.has(APPROVAL));
    await window.picture("protected");
    await window.clearNotifications();
  });

  step("is approved as it was saved, when what was typed is discarded", async () => {
    const saved = desk.read(PLAN);
    await window.run("Baton: Edit Plan");
    await window.replaceAll("plan.json", "Take a name in greet", "Take a name, and an age");
    await window.run("Baton: Approve Plan");
    await window.dialog.getByRole("button", { name: "Discard and Approve" }).click();
    await window.notification("nothing was committed").waitFor();
    assert.equal(desk.read(PLAN), saved);
    assert.match(desk.read("greet.py"), /hello, \{name\}/);
    await window.picture("discarded");
    assert.deepEqual(api.violations, []);
  });
});

/** A plan that has changed since it was shown is shown before it is approved. */
async function approveShown(window: Window): Promise<void> {
  const isAsked = window.dialog.getByText("changes that are not saved");
  const isShown = window.notification("Read it, then approve it");
  await isAsked.or(isShown).first().waitFor();
  if (await isShown.isVisible()) {
    await window.run("Baton: Approve Plan");
  }
}
