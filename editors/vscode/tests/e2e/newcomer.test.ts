/** What somebody meets who has just installed it: the walkthrough, and a way out where something is missing. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { until, type Window } from "./window";

describe("a newcomer", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start({});
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url });
    window = await desk.open("newcomer");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("is shown the way by a walkthrough", async () => {
    await window.run("Welcome: Open Walkthrough...");
    await window.pick("Get started with Baton");
    await window.page.getByText("Choose a model").first().waitFor();
    await window.picture("walkthrough");
  });

  step("is told what to do where there is no model", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer("Greet people by name");
    const told = window.notification("No model is set up");
    await told.getByRole("button", { name: "Choose Model…" }).waitFor();
    await window.picture("no-model");
    assert.ok(!desk.has(".agent_memory"), "nothing began");
    await window.clearNotifications();
  });

  step("finds the server's setting where it leads nowhere", async () => {
    desk.setForMachine({ "baton.server.path": "/nowhere/baton" });
    await window.notification("/nowhere/baton").waitFor();
    await window.picture("no-server");
    await window.press("Open Setting");
    await window.page.locator(".settings-editor").getByText("Where the").first().waitFor();
    await window.picture("setting");
    desk.setForMachine({});
    await until(() => desk.servers().length === 1, "the server starts when the setting is mended");
  });
});
