/** Stop is stop: what stands is told, with a way out, and the workflow can go on. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, TASK } from "./story";
import { until, type Window } from "./window";

describe("a cancelled run", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("cancel");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("stops from its progress, and says what stands and what can be done", async () => {
    const go = api.hold("implement/T2");
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await until(() => desk.read("greet.py").includes("name"), "the first task is written");
    await window.run("Notifications: Show Notifications");
    await window.notification("implement T2").waitFor();
    await window.picture("running");
    await window.press("Cancel");
    await window.page.locator(".notification-list-item").getByRole("button", { name: "Show Changes" }).waitFor();
    await window.picture("way-out");
    go();
    await window.says("stopped");
    assert.equal(desk.read("README.md").includes("Call it"), false, "the other task wrote nothing");
  });

  step("goes on from there when the user says so, also after a reload", async () => {
    await window.reload();
    await window.says("stopped");
    await window.page.locator(".notification-list-item").getByRole("button", { name: "Undo" }).waitFor();
    await window.picture("reloaded");
    await window.press("Resume");
    await window.notification("nothing was committed").waitFor();
    assert.match(desk.read("README.md"), /Call it with a name/);
    await window.picture("resumed");
    assert.deepEqual(api.violations, []);
  });
});
