/** Another extension's agent has the changes reviewed by Baton's tool: asked first, answered with places, stopped at once. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, NO_NAME, TASK } from "./story";
import { until, type Window } from "./window";

describe("the tool for agents of others", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  const call = async (base = ""): Promise<void> => {
    await window.run("Scripted: Review by Tool");
    await window.answer(base);
  };
  /** What the tool answered, in the editor that the other extension opens. */
  const answers = async (words: string): Promise<string> => {
    const lines = window.page.locator(".editor-instance .view-lines");
    const text = async (): Promise<string> => (await lines.last().innerText()).replaceAll("\u00a0", " ");
    await until(async () => (await lines.count()) > 0 && (await text()).includes(words), `the tool answers ${words}`);
    return text();
  };
  const closeEditors = async (): Promise<void> => {
    await window.run("View: Revert and Close Editor");
  };

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY, hasEditorModels: true });
    desk.write("greet.py", 'def greet(name):\n    return f"hello, {name}"\n');
    desk.write("README.md", "# Greeter\n\nCall it with a name.\n");
    window = await desk.open("review-tool");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("asks before it spends, and says what, by whom and how much", async () => {
    await call();
    await window.dialog.waitFor();
    const asked = (await window.dialog.innerText()).replaceAll("\u00a0", " ");
    assert.match(asked, /Review the changes with Baton\?/);
    assert.match(asked, /What differs from HEAD in project is reviewed\. Nothing is edited\./);
    assert.match(
      asked,
      /Reviewer: anthropic:claude-\S+ \(.+\)\. Serious findings are checked by anthropic:claude-\S+\./,
    );
    assert.match(asked, /It may spend at most \$5\./);
    await window.picture("asked");
    await window.dialog.getByRole("button", { name: "Cancel" }).click();
    await answers("The tool failed: Canceled");
    assert.deepEqual(api.asked("review"), [], "nothing was spent");
    await closeEditors();
  });

  step("answers with the verdict and the issues at their places", async () => {
    await call("HEAD");
    await window.dialog.getByRole("button", { name: "Yes" }).click();
    const answer = await answers('"verdict"');
    await window.picture("answered");
    for (const part of ['"base": "HEAD"', '"verdict": "', '"place": "greet.py:2"', '"severity": "major"', NO_NAME]) {
      assert.ok(answer.includes(part), `${part} in ${answer}`);
    }
    assert.equal(api.asked("review").length, 1);
    await closeEditors();
  });

  step("names what is wrong with a commit that is not there", async () => {
    await call("nowhere");
    await window.dialog.getByRole("button", { name: "Yes" }).click();
    assert.match(await answers("The tool failed: Error"), /nowhere/);
    await closeEditors();
  });

  step("stops the review when it is cancelled", async () => {
    api.restart(goesWell());
    const release = api.hold("review");
    const before = api.asked("review").length;
    await call();
    await window.dialog.getByRole("button", { name: "Yes" }).click();
    await until(() => api.asked("review").length > before, "the reviewer is asked");
    await window.run("Scripted: Stop the Tool");
    await answers("The tool failed: Canceled");
    await window.picture("stopped");
    release();
    await closeEditors();
  });

  step("refuses in plain words while a run is at work", async () => {
    const release = api.hold("context");
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await until(() => api.asked("context").length > 0, "the run is at work");
    await call();
    const answer = await answers("The tool failed");
    await window.picture("at-work");
    assert.match(answer, /A run of Baton is at work in this folder \(.+\), and only one can be/);
    assert.equal(await window.dialog.count(), 0, "it did not ask for what it would not do");
    await window.run("Baton: Cancel");
    release();
    assert.deepEqual(api.violations, []);
  });
});
