/** Checks of the project: offered and ticked at the gate, run after the work, shown with their logs; and what is proven. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, leavesOneUnproven, NO_DEFAULT, NO_NAME, SCRIPTS, TASK } from "./story";
import type { Window } from "./window";

const SETTINGS = "baton.toml";
const ALLOWANCE = "max_repair_rounds = 0\n";

describe("checks that a project shows", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(leavesOneUnproven());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    // A failing check stays one: its repair is another story.
    for (const [file, text] of Object.entries({ ...SCRIPTS, [SETTINGS]: ALLOWANCE })) {
      desk.write(file, text);
    }
    window = await desk.open("checks");
    await window.page.locator(".activitybar").getByRole("tab", { name: "Baton" }).click();
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("are offered at the gate, and none is ticked", async () => {
    await window.openFile("main.py");
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    const boxes = window.gate.locator("label.check", { hasText: "Remember as a check in baton.toml" });
    await boxes.filter({ hasText: "npm test (package.json)" }).waitFor();
    await boxes.filter({ hasText: "npm run lint (package.json)" }).waitFor();
    assert.equal(await window.gate.locator("label.check input:checked").count(), 0);
    await window.picture("offered");
  });

  step("are remembered where they are ticked, and run", async () => {
    await window.gate.locator("label.check", { hasText: "npm test" }).click();
    await window.gate.locator("label.check", { hasText: "npm run lint" }).click();
    await window.picture("ticked");
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await window.notification("Approved, though `lint` fails; checks passed: test.").waitFor();
    await window.says("approved, 1 check fails, 2 issues");
    const remembered = desk.read(SETTINGS);
    assert.ok(remembered.startsWith(ALLOWANCE), remembered);
    assert.match(remembered, /name = "test"\ncommand = "npm test"/);
    assert.match(remembered, /name = "lint"\ncommand = "npm run lint"/);
    await window.picture("approved");
    await window.clearNotifications();
  });

  step("stand in Baton's view, and criteria below their tasks", async () => {
    await window.row("check test").filter({ hasText: "passed" }).locator(".codicon-pass").waitFor();
    await window.row("check lint").filter({ hasText: "failed: exit code 1" }).locator(".codicon-error").waitFor();
    for (const task of ["T1 Take a name", "T2 Say so"]) {
      await window.row(task).locator(".monaco-tl-twistie").click();
    }
    await window.row("answers `hello, Ada`").filter({ hasText: "met" }).locator(".codicon-pass").waitFor();
    await window.row("The README names").filter({ hasText: "unproven" }).locator(".codicon-question").waitFor();
    await window.picture("view");
  });

  step("that fail open their log", async () => {
    await window.row("check lint").click();
    await window.page.locator(".tab.active").filter({ hasText: "lint" }).waitFor();
    await window.page.locator(".view-line").filter({ hasText: NO_DEFAULT }).first().waitFor();
    await window.picture("log");
    await window.run("View: Close All Editors");
    await window.run("Baton: Open Check Log");
    await window.page.locator(".view-line").filter({ hasText: NO_DEFAULT }).first().waitFor();
    await window.run("View: Close All Editors");
    await window.statusBar.click();
    await window.quickRows.filter({ hasText: "checks, sandbox:" }).waitFor();
    await window.picture("menu");
    await window.pick("passes without these changes");
    await window.page.locator(".view-line").filter({ hasText: NO_DEFAULT }).first().waitFor();
  });

  step("and criteria that nothing shows to be met stand in Problems, also after a reload", async () => {
    for (const when of ["problems", "problems-reloaded"]) {
      await window.showProblems();
      await window.problem("The check lint failed").waitFor();
      await window.problem("Criterion 1 of T2 is unproven").waitFor();
      assert.equal(await window.problem("The check test").count(), 0);
      await window.picture(when);
      if (when === "problems") {
        await window.problem("Criterion 1 of T2 is unproven").dblclick();
        await window.page.locator(".tab.active").filter({ hasText: "plan.json" }).waitFor();
        await window.reload();
      }
    }
  });

  step("that pass again leave Problems", async () => {
    await window.problem(NO_NAME).dblclick();
    await window.page.locator(".tab.active").filter({ hasText: "greet.py" }).waitFor();
    await window.quickFix("fix this issue");
    await window.notification("Approved; checks passed: test, lint.").waitFor();
    await window.problem("The check lint").waitFor({ state: "detached" });
    await window.row("check lint").filter({ hasText: "passed" }).locator(".codicon-pass").waitFor();
    await window.says("approved, 1 issue");
    assert.ok(!(await window.offered("Baton: Open Check Log")).includes("Baton: Open Check Log"));
    await window.picture("fixed");
    assert.deepEqual(api.violations, []);
  });
});

describe("checks of the workspace that nobody trusts", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);
  const check = (command: string): string => `[[checks]]\nname = "mark"\ncommand = "${command}"\n`;

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    desk.write(SETTINGS, check("true"));
    window = await desk.open("untrusted");
    await window.page.locator(".activitybar").getByRole("tab", { name: "Baton" }).click();
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("are skipped where they are not ticked", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.gate.locator("label.check", { hasText: "Trust this check" }).filter({ hasText: "true" }).waitFor();
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await window.notification("Approved by reading; no check ran; skipped: mark").waitFor();
    await window.row("check mark").filter({ hasText: "skipped" }).locator(".codicon-debug-step-over").waitFor();
    await window.picture("skipped");
    await window.clearNotifications();
  });

  step("run once they are ticked, and are asked about again when their command changes", async () => {
    api.restart(goesWell());
    await startAnew();
    await tick().filter({ hasText: "not trusted yet" }).click();
    // Out of sight the page is gone, and approved is from wherever.
    await window.openFile("main.py");
    await window.run("Baton: Show Plan");
    await window.gate.locator("label.check input:checked").waitFor();
    await window.page.locator(".tab").filter({ hasText: "main.py" }).click();
    await window.run("Baton: Approve Plan");
    await window.notification("Approved; checks passed: mark.").waitFor();
    await window.clearNotifications();
    desk.write(SETTINGS, check("echo changed"));
    api.restart(goesWell());
    await startAnew();
    await tick().filter({ hasText: "changed since you trusted it; it was true" }).waitFor();
    assert.equal(await window.gate.locator("label.check input:checked").count(), 0);
    await window.picture("changed");
    assert.deepEqual(api.violations, []);
  });

  const tick = (): ReturnType<typeof window.gate.locator> =>
    window.gate.locator("label.check", { hasText: "Trust this check" });

  /** The workflow anew, from the files as they were. */
  async function startAnew(): Promise<void> {
    await window.run("Baton: Undo Run…");
    await window.dialog.getByRole("button", { name: "Undo" }).click();
    await window.notification("Rolled back").waitFor();
    await window.clearNotifications();
    await window.run("Baton: Run Workflow…");
    await window.pick("Another task…");
    await window.answer(TASK);
    await window.gate.getByRole("heading", { name: "Plan, version 1" }).waitFor();
  }
});
