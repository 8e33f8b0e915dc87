/** Several folders in one window: each has its own workflow, and whatever is said names its folder. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, TASK } from "./story";
import { until, type Window } from "./window";

describe("two folders", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  let go: () => void;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.openFolders("folders", [desk.project, desk.addProject("other")]);
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("are asked for where a command could be for either", async () => {
    go = api.hold("context");
    await window.run("Baton: Run Workflow…");
    await window.pick("project");
    await window.page.getByText("Run Workflow: project").waitFor();
    await window.picture("asks");
    await window.answer(TASK);
    await window.notification("Baton (project)").getByRole("button", { name: "Cancel" }).waitFor();
    await window.picture("one-at-work");
  });

  step("do not keep each other from running", async () => {
    await window.run("Baton: Run Workflow…");
    // The other one is at work: there is nothing to choose.
    await window.page.getByText("Run Workflow: other").waitFor();
    await window.answer(TASK);
    await window.notification("Baton (other)").waitFor();
    await window.notification("Baton (project)").waitFor();
    await window.picture("both-at-work");
  });

  step("are asked for where both could be cancelled", async () => {
    await window.run("Baton: Cancel");
    await window.quickRows.filter({ hasText: "other" }).waitFor();
    await window.picture("cancel-which");
    await window.pick("other");
    await window.notification(/Baton \(other\): .*[Ss]topped/).waitFor();
    await window.picture("cancelled");
    await window.clearNotifications();
    // One is left: nobody is asked.
    go();
    await window.gate.getByRole("heading", { name: "Plan, version 1" }).waitFor();
  });

  step("tell apart after a reload what waits in which", async () => {
    await window.reload();
    await window.notification("Baton (other)").waitFor();
    await until(
      async () => (await window.statusBar.innerText()).includes("project"),
      "the status bar names the folder",
    );
    await window.picture("reloaded");
    assert.deepEqual(api.violations, []);
  });
});
