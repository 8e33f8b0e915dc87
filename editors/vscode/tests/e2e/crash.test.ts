/** Nothing pretends to move: not when the server dies, nor while a file has to be saved. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, TASK } from "./story";
import { until, type Window } from "./window";

describe("a run that cannot go on", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);
  const working = (): ReturnType<Window["notification"]> =>
    window.page
      .locator(".notification-list-item")
      .filter({ has: window.page.locator(".monaco-progress-container.active") });

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("crash");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("because the server died says so, with a way on", async () => {
    const go = api.hold("implement/T2");
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await until(() => desk.read("greet.py").includes("name"), "the first task is written");
    await window.run("Notifications: Show Notifications");
    await window.notification("implement T2").waitFor();
    await window.picture("running");
    desk.crashServers();
    const told = window.notification("the server stopped unexpectedly");
    await told.getByRole("button", { name: "Resume" }).waitFor();
    await working().waitFor({ state: "detached" });
    await window.picture("crashed");
    go();
  });

  step("waits for a file to be saved, and asks for that instead of turning a wheel", async () => {
    await window.openFile("README.md");
    await window.type(" of mine");
    await window.press("Resume");
    await window.notification("waits for you to save README.md").waitFor();
    await working().waitFor({ state: "detached" });
    await until(async () => (await window.statusBar.innerText()).includes("save README.md"), "the status bar says it");
    await window.picture("waits");
    assert.ok(!desk.read("README.md").includes("of mine"), "nothing is saved without being asked for");
  });

  step("waits for it again after a reload", async () => {
    await window.reload();
    await window.press("Resume");
    await window.notification("waits for you to save README.md").waitFor();
    await window.picture("waits-again");
  });

  step("goes on when it is saved", async () => {
    await window.press("Save");
    await window.notification("nothing was committed").waitFor();
    const readme = desk.read("README.md");
    assert.ok(readme.includes("of mine") && readme.includes("Call it with a name"), readme);
    await window.picture("saved");
    assert.deepEqual(api.violations, []);
  });
});
