/** A review of what a branch has beyond main, from the palette and from the menus of editors, the explorer and source control. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, NO_NAME, TASK } from "./story";
import { until, type Window } from "./window";

describe("a review since a commit", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY, hasGit: true });
    desk.git("tag", "v1");
    desk.git("branch", "old");
    desk.git("checkout", "--quiet", "-b", "greet-by-name");
    desk.write("greet.py", 'def greet(name):\n    return f"hello, {name}"\n');
    desk.git("commit", "--quiet", "--all", "--message=Greet by name");
    desk.write("README.md", "# Greeter\n\nCall it with a name.\n");
    window = await desk.open("review-since");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("offers where the branch left main first, then what is not committed, branches and tags", async () => {
    await window.run("Baton: Review Changes Since…");
    await window.quickRows.filter({ hasText: "Since main" }).waitFor();
    const rows = await window.quickRows.locator(".label-name").allInnerTexts();
    await window.picture("offered");
    assert.deepEqual(rows, ["Since main", "What is not committed", "main", "old", "v1"]);
  });

  step("takes a commit that is typed, and says what is wrong with it", async () => {
    await window.quickInput.fill("HEAD~7");
    await window.quickRows.filter({ hasText: "as typed" }).waitFor();
    await window.page.keyboard.press("Enter");
    await window.notification("What you typed is kept").waitFor();
    await window.picture("refused");
    await window.press("Try Again…");
    await until(async () => (await window.quickInput.inputValue()) === "HEAD~7", "the box starts with it");
    await window.quickInput.fill("");
  });

  step("puts what is found into Problems", async () => {
    await window.pick("Since main");
    await window.showProblems();
    await window.problem(NO_NAME).waitFor();
    assert.ok((api.asked("review")[0] ?? "").includes("Greet by name"), "with what was committed since main");
    await window.picture("found");
    await window.clearNotifications();
  });

  step("stands in the menu of an editor, with the issue at the cursor", async () => {
    await window.openFile("greet.py");
    await window.page.locator(".editor-instance .view-line").nth(1).click();
    const items = window.page.locator(".monaco-menu .action-label");
    await until(async () => {
      await window.page.locator(".editor-instance .view-line").nth(1).click({ button: "right" });
      const baton = items.filter({ hasText: /^Baton$/ });
      try {
        await baton.first().hover({ timeout: 2000 });
        await items.filter({ hasText: "Fix Issue" }).first().waitFor({ timeout: 2000 });
        return true;
      } catch {
        await window.page.keyboard.press("Escape");
        return false;
      }
    }, "the menu has the issue");
    const shown = await window.page.locator(".monaco-submenu .action-label").allInnerTexts();
    await window.picture("editor-menu");
    assert.deepEqual(
      shown.filter((label) => label.trim() !== ""),
      ["Fix Issue", "Dismiss Issue", "Run Workflow about This…", "Review Changes Since…"],
    );
    await window.page.keyboard.press("Escape");
    await window.page.keyboard.press("Escape");
  });

  step("stands beside a task about a file, which the explorer begins", async () => {
    await window.run("Explorer: Focus on Folders View");
    const file = window.page.locator(".explorer-folders-view .monaco-list-row").filter({ hasText: "main.py" });
    await file.click({ button: "right" });
    const entry = window.page.locator(".monaco-menu .action-label").filter({ hasText: "Run Workflow about This…" });
    await entry.waitFor();
    await window.picture("explorer-menu");
    await entry.click();
    await until(async () => (await window.quickInput.inputValue()) === "In main.py: ", "the box begins with the file");
    await window.quickInput.press("End");
    await window.page.keyboard.type(TASK);
    await window.picture("about-file");
    await window.page.keyboard.press("Enter");
    await window.gate.getByRole("button", { name: "Approve", exact: true }).waitFor();
    assert.equal(desk.read(".agent_memory/task.md").trim(), `In main.py: ${TASK}`);
    await window.clearNotifications();
  });

  step("stands beside the answers above plan.json while the plan waits", async () => {
    await window.run("Baton: Edit Plan");
    await window.page.locator(".tab.active").filter({ hasText: "plan.json" }).waitFor();
    const actions = window.page.locator(".editor-group-container.active .editor-actions");
    const has = async (title: string): Promise<boolean> =>
      (await actions.locator(`.action-label[aria-label^="${title}"]`).count()) > 0;
    await until(async () => (await has("Approve Plan")) && (await has("Ask for Changes…")), "the answers are there");
    await window.picture("plan-title");
    await window.openFile("main.py");
    await until(async () => !(await has("Approve Plan")), "no other file has them");
    await window.run("Baton: Cancel");
    assert.deepEqual(api.violations, []);
  });
});
