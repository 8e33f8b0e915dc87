/** The demo, from the walkthrough to its issues fixed and undone: no key, no network, and a folder that is to be trusted. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { until, type Window } from "./window";

const DECODED = "`path` decodes its part of the target";
const TAGS = "A heading that holds HTML keeps its tags";

describe("the demo", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    // Any request to it would be one to a model that somebody pays for.
    api = await MessagesApi.start({});
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, asksForTrust: true });
    window = await desk.openEmpty("demo");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("is what the walkthrough begins with", async () => {
    await window.run("Welcome: Open Walkthrough...");
    await window.pick("Get started with Baton");
    await window.walkthroughStep("demo").getByRole("button", { name: "Try Demo" }).waitFor();
    assert.equal(await window.isTicked("demo"), false);
    await window.picture("walkthrough");
  });

  step("says that a folder is to be trusted before VS Code asks", async () => {
    await window.walkthroughStep("demo").getByRole("button", { name: "Try Demo" }).click();
    await window.dialog.getByText("whether you trust its folder").waitFor();
    await window.picture("before");
    await window.dialog.getByRole("button", { name: "Open the Demo" }).click();
    const trust = window.dialog.getByRole("button", { name: /Yes, I trust/ });
    await trust.waitFor();
    await window.picture("trust");
    await trust.click();
  });

  step("starts by itself, and asks about a real plan", async () => {
    await window.gate.getByRole("heading", { name: "Plan, version 1" }).waitFor();
    await window.page.locator(".tab").filter({ hasText: "task.md" }).waitFor();
    await window.gate.getByText("To implement and review: no cost.").waitFor();
    await window.picture("gate");
  });

  step("has real issues in Problems after the approval", async () => {
    await window.gate.getByRole("button", { name: "Approve", exact: true }).first().click();
    await window.problem(DECODED).waitFor();
    await window.problem(TAGS).waitFor();
    assert.ok((await window.buttons("3 issues are left")).some((button) => button.startsWith("Undo")));
    await window.picture("problems");
  });

  step("fixes an issue from its light bulb", async () => {
    await window.clearNotifications();
    await window.problem(DECODED).dblclick();
    await window.page.locator(".tab.active").filter({ hasText: "link.rs" }).waitFor();
    await window.quickFix("fix this issue");
    await window.notification("2 issues are left").waitFor();
    await until(async () => (await window.problem(DECODED).count()) === 0, "the issue is gone");
    await window.picture("fixed");
  });

  step("is undone", async () => {
    await window.run("Baton: Undo Run…");
    await window.dialog.getByRole("button", { name: "Undo" }).click();
    await window.notification("Rolled back").waitFor();
    await until(async () => (await window.problem(TAGS).count()) === 0, "the issues are gone with the changes");
    await window.picture("undone");
  });

  step("is ticked in the walkthrough, as is the review, and no step that nobody came to", async () => {
    await window.run("Welcome: Open Walkthrough...");
    await window.pick("Get started with Baton");
    await window.walkthroughStep("demo").waitFor();
    await until(() => window.isTicked("demo"), "the demo is done");
    await until(() => window.isTicked("review"), "the review was read");
    assert.deepEqual([await window.isTicked("model"), await window.isTicked("task")], [false, false]);
    await window.picture("ticked");
    assert.deepEqual(api.violations, [], "no model was asked");
  });
});
