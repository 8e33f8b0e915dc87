/** From the installed extension to the review and back: what a user does, in a real VS Code. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, NO_EXAMPLE, NO_NAME, PROJECT, TASK } from "./story";
import { until, type Window } from "./window";

describe("a workflow", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url });
    window = await desk.open("workflow");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("welcomes who opens its view, and starts nothing by itself", async () => {
    await window.page.locator(".activitybar").getByRole("tab", { name: "Baton" }).click();
    await window.page.locator(".welcome-view").getByRole("button", { name: "Run Workflow…" }).waitFor();
    await window.picture("welcome");
    assert.ok(!desk.has(".agent_memory"));
  });

  step("takes a key, and says at once that a wrong one does not work", async () => {
    await window.run("Baton: Set API Key…");
    await window.pick("Anthropic");
    await window.answer("wrong-key");
    await window.notification("key does not work").getByRole("button", { name: "Keep It Anyway" }).waitFor();
    await window.picture("wrong-key");
    await window.press("Try Again");
    await window.pick("Anthropic");
    await window.answer(KEY);
    await window.notification("the Anthropic key works").waitFor();
    await window.picture("key");
    await window.clearNotifications();
  });

  step("shows the progress of a run that was started from the palette", async () => {
    const go = api.hold("context");
    await window.run("Baton: Run Workflow…");
    await window.quickInput.waitFor();
    await window.picture("task");
    await window.answer(TASK);
    const progress = window.notification("context: ");
    await progress.getByRole("button", { name: "Cancel" }).waitFor();
    await until(async () => (await window.statusBar.innerText()).includes("context"), "the status bar tells the phase");
    await window.picture("progress");
    go();
  });

  step("opens the plan beside what is being typed, and leaves the focus there", async () => {
    const go = api.hold("plan");
    await window.openFile("main.py");
    await window.type(" # I am ");
    go();
    await window.gate.getByRole("heading", { name: "Plan, version 1" }).waitFor();
    await window.page.keyboard.type("typing");
    await window.page.locator(".view-line").filter({ hasText: "# I am typing" }).waitFor();
    await until(async () => (await window.statusBar.innerText()).includes("waits for you"), "the status bar asks");
    await window.picture("gate");
    const { gate } = window;
    await gate.getByText("To implement and review: about").waitFor();
    await gate.locator("h3 code", { hasText: "moderate" }).waitFor();
    // What a model wrote is shown as it wrote it.
    await gate.getByText("a **name**, and let").waitFor();
    assert.equal(desk.read("greet.py").includes("name"), false, "nothing is written before the answer");
    await window.run("File: Revert File");
  });

  step("goes on when the plan is approved there", async () => {
    const go = api.hold("implement/T2");
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await until(async () => (await window.statusBar.innerText()).includes("implement 1/2"), "a task is done");
    await window.page.locator(".sidebar").getByText("T1 Take a name in greet").waitFor();
    await window.picture("implement");
    go();
    await window.notification("nothing was committed").waitFor();
    await until(async () => (await window.statusBar.innerText()).includes("approved, 2 issues"), "it is approved");
    assert.match(desk.read("greet.py"), /hello, \{name\}/);
    await window.picture("approved");
    await window.clearNotifications();
  });

  step("has the issues in Problems, each at its line", async () => {
    await window.showProblems();
    await window.problem(NO_NAME).waitFor();
    await window.problem(NO_EXAMPLE).waitFor();
    await window.problem(NO_NAME).dblclick();
    await window.page.locator(".tab.active").filter({ hasText: "greet.py" }).waitFor();
    await until(async () => (await window.cursor()).startsWith("Ln 2,"), "the cursor stands in the line");
    await window.picture("problems");
  });

  step("shows them again after the window was reloaded", async () => {
    await window.reload();
    await window.showProblems();
    await window.problem(NO_NAME).waitFor();
    await window.problem(NO_EXAMPLE).waitFor();
    await until(async () => (await window.statusBar.innerText()).includes("approved, 2 issues"), "it stands as before");
    await window.picture("reloaded");
  });

  step("dismisses an issue by its quick fix", async () => {
    await window.problem(NO_EXAMPLE).dblclick();
    await window.page.locator(".tab.active").filter({ hasText: "README.md" }).waitFor();
    await window.quickFix("dismiss this issue", () => window.picture("quick-fixes"));
    await window.problem(NO_EXAMPLE).waitFor({ state: "detached" });
    await until(async () => (await window.statusBar.innerText()).includes("1 issue"), "one is left");
  });

  step("fixes an issue by its quick fix", async () => {
    await window.problem(NO_NAME).dblclick();
    await window.page.locator(".tab.active").filter({ hasText: "greet.py" }).waitFor();
    await window.quickFix("fix this issue");
    await window.notification("nothing was committed").waitFor();
    await window.problem(NO_NAME).waitFor({ state: "detached" });
    assert.match(desk.read("greet.py"), /name="world"/);
    await window.picture("fixed");
    await window.clearNotifications();
  });

  step("shows all changes as one diff", async () => {
    await window.run("Baton: Show Changes");
    const editor = window.page.locator(".multiDiffEditor");
    await editor.getByText("greet.py").first().waitFor();
    await editor.locator(".line-delete, .char-delete").first().waitFor();
    await window.picture("changes");
  });

  step("tells where it stands in its menu", async () => {
    await window.statusBar.click();
    await window.quickRows.filter({ hasText: "Undo" }).first().waitFor();
    await window.picture("status");
    await window.page.keyboard.press("Escape");
  });

  step("undoes the run", async () => {
    await window.run("Baton: Undo Run…");
    const dialog = window.page.locator(".monaco-dialog-box");
    await dialog.getByText("greet.py").waitFor();
    await window.picture("undo");
    await dialog.getByRole("button", { name: "Undo" }).click();
    await window.notification("Rolled back").waitFor();
    assert.equal(desk.read("greet.py"), PROJECT["greet.py"]);
    await window.picture("undone");
    assert.deepEqual(api.violations, []);
  });
});
