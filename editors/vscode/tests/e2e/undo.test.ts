/** An undo handles every file in the end: unsaved ones are saved first, and what conflicts can be undone later. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, PROJECT, TASK } from "./story";
import { until, type Window } from "./window";

describe("an undo", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  let written: string;
  const step = steps(() => window);
  const dialog = (text: string): ReturnType<Window["page"]["locator"]> =>
    window.page.locator(".monaco-dialog-box").filter({ hasText: text });

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("undo");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("asks first to save what is not saved, and does nothing without", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await window.notification("nothing was committed").waitFor();
    await window.clearNotifications();
    written = desk.read("greet.py");
    await window.openFile("README.md");
    await window.type(" of mine");
    await window.run("Baton: Undo Run…");
    await dialog("README.md").getByRole("button", { name: "Save All" }).waitFor();
    await window.picture("save-first");
    await dialog("README.md").getByRole("button", { name: "Cancel" }).click();
    assert.equal(desk.read("greet.py"), written, "nothing is undone");
    assert.ok(!desk.read("README.md").includes("of mine"), "nothing is saved");
  });

  step("keeps what the user typed, and undoes the rest", async () => {
    await window.run("Baton: Undo Run…");
    await dialog("README.md").getByRole("button", { name: "Save All" }).click();
    await dialog("undo what the workflow did").waitFor();
    await window.picture("asks");
    await dialog("undo what the workflow did").getByRole("button", { name: "Undo" }).click();
    await window.notification("Rolled back: 2 files.").waitFor();
    await window.picture("undone");
    assert.equal(desk.read("README.md"), "# Greeter of mine\n\nIt says hello.\n");
    assert.equal(desk.read("greet.py"), PROJECT["greet.py"]);
  });

  step("leaves alone what cannot be told apart, and says how the rest is undone", async () => {
    await window.press("Bring It Back");
    await until(() => desk.read("greet.py") === written, "it is back");
    await window.clearNotifications();
    desk.write("greet.py", written.replace("hello", "good day"));
    await window.run("Baton: Undo Run…");
    await dialog("undo what the workflow did").getByRole("button", { name: "Undo" }).click();
    const left = window.notification("left alone");
    await left.getByRole("button", { name: "Undo Again" }).waitFor();
    await window.picture("left-alone");
    assert.equal(desk.read("README.md"), "# Greeter of mine\n\nIt says hello.\n");
    assert.ok(desk.read("greet.py").includes("good day"));
  });

  step("is offered until every file is handled, also after a reload", async () => {
    await window.reload();
    await until(async () => (await window.statusBar.innerText()).includes("approved"), "the workflow stands");
    desk.write("greet.py", written);
    await window.run("Baton: Undo Run…");
    await dialog("greet.py").waitFor();
    await window.picture("rest");
    await dialog("greet.py").getByRole("button", { name: "Undo" }).click();
    await window.notification("Rolled back: 1 file.").waitFor();
    assert.equal(desk.read("greet.py"), PROJECT["greet.py"]);
    await window.picture("whole");
    assert.deepEqual(api.violations, []);
  });
});
