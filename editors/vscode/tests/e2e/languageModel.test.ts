/** With models of another extension, as Copilot has them, and no key at all. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { NO_NAME, outlines, TASK } from "./story";
import { until, type Window } from "./window";

describe("the models of VS Code", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(outlines("main.py"));
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, hasEditorModels: true });
    window = await desk.open("models");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("are offered with who pays for them", async () => {
    await until(async () => {
      await window.run("Baton: Choose Model…");
      await window.pick("Powerful");
      await window.quickRows.filter({ hasText: "As provider:name" }).waitFor();
      const isThere = (await window.quickRows.filter({ hasText: "Scripted large" }).count()) > 0;
      if (!isThere) {
        await window.page.keyboard.press("Escape");
      }
      return isThere;
    }, "the other extension has brought its models");
    await window.quickRows.filter({ hasText: "billed by scripted" }).first().waitFor();
    await window.picture("choose");
    await window.pick("Scripted large");
    await window.notification("Baton uses Scripted large").waitFor();
    await window.clearNotifications();
  });

  step("take a task from context to review", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await window.notification("nothing was committed").waitFor();
    await window.showProblems();
    await window.problem(NO_NAME).waitFor();
    await window.picture("done");
    const asked = [...new Set(api.models)].sort();
    const expected = [
      "context mini",
      "implement/T1 large",
      "implement/T2 mini",
      "plan large",
      "review large",
      "validate large",
    ];
    assert.deepEqual(asked, expected, "small models for small work");
    // What another extension knows of a file, as the agent is told.
    const told = api.asked("context").at(-1) ?? "";
    assert.ok(told.includes("3-3\\tfunction shown: print(greet())"), told);
    await window.clearNotifications();
  });

  step("that refuse end the run, and are named", async () => {
    api.isBlocked = true;
    await window.run("Baton: Review");
    await window
      .notification(/Scripted large refused this request/)
      .getByRole("button", { name: "Try Again" })
      .waitFor();
    await window.picture("blocked");
  });

  step("that are cancelled stop at once", async () => {
    api.isBlocked = false;
    api.hold("review");
    const before = api.models.length;
    await window.run("Baton: Review");
    await until(() => api.models.length > before, "a model is asked");
    await window.run("Baton: Cancel");
    await until(async () => (await window.statusBar.innerText()).includes("stopped"), "it is stopped");
  });
});
