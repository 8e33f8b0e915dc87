/** `@baton` in VS Code's chat: the workflow answers there, and its buttons approve the plan. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import type { Locator } from "playwright-core";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, TASK } from "./story";
import { until, type Window } from "./window";

describe("the chat", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  const input = (): Locator => window.page.locator(".interactive-input-editor .monaco-editor").last();
  /** What was answered last. */
  const answer = (): Locator => window.page.locator(".interactive-item-container.interactive-response").last();
  const ask = async (words: string): Promise<void> => {
    await input().click();
    await window.page.keyboard.press("Control+a");
    await window.page.keyboard.type(words);
    // The names that are offered while one types would take the key.
    await window.page.keyboard.press("Escape");
    await window.page.keyboard.press("Enter");
    const asked = window.page.locator(".interactive-request").filter({ hasText: words.split(" ").at(-1) ?? "" });
    await asked.first().waitFor();
  };

  before(async () => {
    api = await MessagesApi.start(goesWell());
    // VS Code passes no question on while it has no language model at all, though this one is never asked.
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY, hasEditorModels: true });
    window = await desk.open("chat");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("plans what is asked for, and shows the plan with buttons", async () => {
    await until(async () => {
      await window.run("Baton: Choose Model…");
      await window.pick("Powerful");
      await window.quickRows.filter({ hasText: "As provider:name" }).waitFor();
      const isThere = (await window.quickRows.filter({ hasText: "Scripted large" }).count()) > 0;
      await window.page.keyboard.press("Escape");
      return isThere;
    }, "the other extension has brought its models");
    await window.run("Chat: Open Chat");
    await window.page.locator(".interactive-input-part").getByText("Scripted").waitFor();
    await ask(`@baton ${TASK}`);
    await answer().getByText("Plan, version 1").waitFor();
    const approve = answer().getByRole("button", { name: "Approve", exact: true });
    await approve.waitFor();
    await window.picture("plan");
    assert.ok(!desk.read("greet.py").includes("name"), "nothing is written yet");
    await approve.click();
    await window.notification("nothing was committed").waitFor();
    assert.ok(desk.read("greet.py").includes("name"));
    await window.clearNotifications();
  });

  step("says where it stands, with the issues at their places", async () => {
    await ask("@baton /status please");
    await answer().getByText("greet.py:2").waitFor();
    await answer().getByRole("button", { name: "Show Changes" }).waitFor();
    await window.picture("status");
    assert.deepEqual(api.models, [], "no model of VS Code was asked");
    assert.deepEqual(api.violations, []);
  });

  step("stops the run with the answer", async () => {
    api.restart(goesWell());
    const release = api.hold("review");
    const before = api.asked("review").length;
    await ask("@baton /review HEAD");
    await until(() => api.asked("review").length > before, "the reviewer is asked");
    await window.picture("reviewing");
    // Its button lies below the notification of the run.
    await window.page.locator(".interactive-input-part .codicon-stop-circle").waitFor();
    await window.page.keyboard.press("Control+Escape");
    await until(async () => !(await window.statusBar.innerText()).includes("reviewing"), "it is stopped");
    await window.notification(/[Ss]topped/).waitFor();
    await window.picture("stopped");
    release();
  });
});
