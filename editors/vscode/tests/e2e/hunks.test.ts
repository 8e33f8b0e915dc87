/** Every change of the agents is kept or undone by itself, above its lines, from the view, and by the light bulb. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, PROJECT, TASK } from "./story";
import { until, type Window } from "./window";

describe("a change of the agents", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("hunks");
    await window.page.locator(".activitybar").getByRole("tab", { name: "Baton" }).click();
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("has Keep, Undo and Why above its lines", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await window.notification("nothing was committed").waitFor();
    await window.clearNotifications();
    await window.openFile("greet.py");
    await window.lens("Keep").waitFor();
    await window.lens("Undo").waitFor();
    await window.lens("Why (T1)").waitFor();
    await window.picture("lenses");
  });

  step("is kept by its lens: the lens goes, the view says so, and the file stays", async () => {
    const written = desk.read("greet.py");
    await window.lens("Keep").click();
    await window.lens("Keep").waitFor({ state: "detached" });
    assert.equal(desk.read("greet.py"), written);
    await until(async () => (await window.row("T1 Take a name").innerText()).includes("kept"), "the task says so");
    await window.row("T1 Take a name").locator(".monaco-tl-twistie").click();
    await window.picture("kept");
  });

  step("is undone by its lens: the file really is as before", async () => {
    await window.row("T2 Say so").locator(".monaco-tl-twistie").click();
    await window.openFile("README.md");
    await window.lens("Undo").click();
    await until(() => desk.read("README.md") === PROJECT["README.md"], "the file is as before");
    await window.lens("Undo").waitFor({ state: "detached" });
    await until(async () => (await window.row("README.md").innerText()).includes("as before"), "the view says so");
    await window.picture("undone");
  });

  step("is brought back after a look at what that changes", async () => {
    await window.run("Baton: Bring Back What Was Undone…");
    await window.dialog.getByText("README.md").waitFor();
    await window.picture("bring-back");
    await window.dialog.getByRole("button", { name: "Bring It Back" }).click();
    await until(() => desk.read("README.md").includes("Call it with a name."), "it is back");
    await window.clearNotifications();
  });

  step("is not undone over what is not saved, unless the user agrees to save", async () => {
    await window.openFile("README.md");
    await window.type(" of mine");
    await window.lens("Undo").click();
    await window.dialog.getByText("save the file").waitFor();
    await window.picture("unsaved");
    await window.dialog.getByRole("button", { name: "Cancel" }).click();
    assert.ok(desk.read("README.md").includes("Call it with a name."));
    await window.lens("Undo").click();
    await window.dialog.getByRole("button", { name: "Save All" }).click();
    await until(() => desk.read("README.md") === "# Greeter of mine\n\nIt says hello.\n", "only the agents' is undone");
  });

  step("has its answers in the light bulb where the lenses are switched off", async () => {
    await window.run("Baton: Bring Back What Was Undone…");
    await window.dialog.getByRole("button", { name: "Bring It Back" }).click();
    await window.lens("Keep").waitFor();
    desk.setForMachine({ "baton.hunkLenses": false });
    await window.lens("Keep").waitFor({ state: "detached" });
    await window.page.locator(".view-line").filter({ hasText: "Call it with a name." }).click();
    await window.quickFix("keep this change", () => window.picture("light-bulb"));
    await until(async () => (await window.row("README.md").innerText()).includes("kept"), "the view says so");
  });

  step("opens as a diff from its row", async () => {
    await window.row("README.md").click();
    await window.page.locator(".tab.active").filter({ hasText: "README.md (before ↔ now)" }).waitFor();
    const old = window.page.locator(".editor.original .view-line").filter({ hasText: "It says hello." });
    await old.waitFor();
    await window.picture("diff");
    assert.deepEqual(api.violations, []);
  });
});
