/** How a run ended is said once, with what can be done then, and nothing else; also after a reload. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { asksForMore, goesWell, PROJECT, TASK } from "./story";
import { until, type Window } from "./window";

describe("the end of a run", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: "a-key-that-is-refused" });
    window = await desk.open("ends");
    await window.page.locator(".activitybar").getByRole("tab", { name: "Baton" }).click();
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("that failed for its key offers to set one, and no undo where nothing was written", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    const told = window.notification("401");
    await told.getByRole("button", { name: "Set API Key" }).waitFor();
    await window.says("failed");
    const all = window.page.locator(".notification-list-item");
    await until(async () => (await all.count()) === 1, "it is said once, and its progress is over");
    const offered = await window.buttons("401");
    assert.deepEqual(
      offered.filter((title) => /undo|changes/i.test(title)),
      [],
    );
    await window.picture("401");
    await window.statusBar.click();
    await window.quickRows.filter({ hasText: "Set API Key" }).waitFor();
    assert.equal(await window.quickRows.filter({ hasText: "Undo" }).count(), 0);
    await window.picture("401-menu");
    await window.page.keyboard.press("Escape");
  });

  step("leaves a row that can be opened", async () => {
    await window.row("Context").click();
    await window.quickRows.filter({ hasText: "Set API Key" }).waitFor();
    await window.page.keyboard.press("Escape");
    assert.equal(await window.page.locator(".sidebar .monaco-list-row .disabled").count(), 0, "no row is greyed");
  });

  step("is gone on from once there is a key", async () => {
    await window.press("Set API Key");
    await window.pick("Anthropic");
    await window.answer(KEY);
    await window.gate.getByRole("heading", { name: "Plan, version 1" }).waitFor();
    await window.says("waits for you");
    await window.picture("goes-on");
    await window.clearNotifications();
  });

  step("that is approved offers the changes, the problems and the way back", async () => {
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await window.notification("nothing was committed").waitFor();
    await window.says("approved, 2 issues");
    const offered = await window.buttons("nothing was committed");
    for (const title of ["Show Changes", "Open Problems", "Undo"]) {
      assert.ok(offered.includes(title), `${title} among ${offered.join(", ")}`);
    }
    await window.picture("approved");
    await window.press("Open Problems");
    await window.page.locator(".markers-panel").waitFor();
    await window.reload();
    await window.says("approved, 2 issues");
    await window.picture("approved-reloaded");
  });

  step("that was undone says so everywhere", async () => {
    await window.statusBar.click();
    await window.pick("Undo");
    await window.dialog.getByText("greet.py").waitFor();
    await window.dialog.getByRole("button", { name: "Undo" }).click();
    await until(() => desk.read("greet.py") === PROJECT["greet.py"], "the file is as before");
    await until(async () => !(await window.statusBar.innerText()).includes("approved"), "it is not approved any more");
    await window.statusBar.click();
    await window.quickRows.filter({ hasText: "Bring It Back" }).waitFor();
    await window.picture("undone");
    await window.page.keyboard.press("Escape");
    assert.deepEqual(api.violations, []);
  });
});

describe("a plan that is rejected", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("rejected");
    await window.page.locator(".activitybar").getByRole("tab", { name: "Baton" }).click();
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("has no tick, and nothing to undo", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.getByRole("button", { name: "Reject" }).click();
    await window.dialog.getByRole("button", { name: "Reject" }).click();
    await window.says("rejected");
    await isRejected();
    await window.picture("rejected");
  });

  step("is the same after a reload", async () => {
    await window.reload();
    await window.says("rejected");
    await isRejected();
    assert.equal(await window.tabs("Baton: Plan"), 0);
    assert.equal(await window.emptyGroups(), 1, "the one group that there always is");
    await window.picture("rejected-reloaded");
    await window.statusBar.click();
    await window.quickRows.filter({ hasText: "Show Log" }).waitFor();
    assert.equal(await window.quickRows.filter({ hasText: "Undo" }).count(), 0);
    await window.picture("rejected-menu");
  });

  async function isRejected(): Promise<void> {
    const row = window.row("Plan");
    await row.filter({ hasText: "rejected" }).waitFor();
    await row.locator(".codicon-circle-slash").waitFor();
    assert.equal(await row.locator(".codicon-pass").count(), 0);
    assert.match((await row.getAttribute("aria-label")) ?? "", /Plan, rejected/);
  }
});

describe("a review that needs the user", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(asksForMore());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("escalated");
    await window.page.locator(".activitybar").getByRole("tab", { name: "Baton" }).click();
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("has no green tick, and says what can be done", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await window.says("needs you");
    const row = window.row("Review");
    await row.locator(".codicon-warning").waitFor();
    assert.equal(await row.locator(".codicon-pass").count(), 0);
    await window.page.locator(".notification-list-item").getByRole("button", { name: "Open Problems" }).waitFor();
    await window.picture("escalated");
    await window.reload();
    await window.says("needs you");
    await window.statusBar.click();
    await window.quickRows.filter({ hasText: "Accept as Is" }).waitFor();
    await window.quickRows.filter({ hasText: "Undo" }).waitFor();
    await window.picture("escalated-menu");
    await window.page.keyboard.press("Escape");
  });

  step("is accepted as it is", async () => {
    await window.statusBar.click();
    await window.pick("Accept as Is");
    await until(async () => !(await window.statusBar.innerText()).includes("needs you"), "it needs nobody any more");
    await window.picture("accepted");
    assert.deepEqual(api.violations, []);
  });
});
