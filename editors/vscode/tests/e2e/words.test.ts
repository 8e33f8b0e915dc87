/** No word that a user typed is ever lost: not by Escape, a reload, a missing key, or settings that are wrong. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell } from "./story";
import { until, type Window } from "./window";

const TASK_FILE = ".agent_memory/task.md";
const TYPED = "Greet people by name, and";
const MORE = "say goodbye to them by name too.";
const WISH = "Keep the old greeting for callers without a name";

describe("typed words", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url });
    window = await desk.open("words");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("of a task come back after Escape", async () => {
    await window.run("Baton: Run Workflow…");
    await window.quickInput.fill(TYPED);
    await window.page.keyboard.press("Escape");
    await window.run("Baton: Run Workflow…");
    await until(async () => (await window.quickInput.inputValue()) === TYPED, "the box starts with what was typed");
    await window.picture("after-escape");
    await window.page.keyboard.press("Escape");
  });

  step("come back after a reload in the middle", async () => {
    await window.run("Baton: Run Workflow…");
    await window.quickInput.fill(`${TYPED} more`);
    await window.reload();
    await window.run("Baton: Run Workflow…");
    await until(async () => (await window.quickInput.inputValue()) === `${TYPED} more`, "a reload loses nothing");
    await window.picture("after-reload");
    await window.quickInput.fill(TYPED);
  });

  step("go to task.md with the pencil", async () => {
    await window.page.getByRole("button", { name: "Write a longer task in task.md" }).click();
    await window.page.locator(".tab.active").filter({ hasText: "task.md" }).waitFor();
    await until(() => desk.has(TASK_FILE) && desk.read(TASK_FILE) === `${TYPED}\n`, "task.md holds what was typed");
    await window.picture("pencil");
  });

  step("that stand in task.md are offered, also before they are saved", async () => {
    await window.type(` ${MORE}`);
    await window.run("Baton: Run Workflow…");
    await window.quickRows.filter({ hasText: "which is saved first" }).waitFor();
    await window.picture("unsaved-task");
    await window.page.keyboard.press("Escape");
    await window.run("File: Save");
    await until(() => desk.read(TASK_FILE).includes(MORE), "it is saved");
    await window.reload();
    await window.run("Baton: Run Workflow…");
    await window.quickRows.filter({ hasText: `${TYPED} ${MORE}` }).waitFor();
    await window.picture("task-file");
  });

  step("are started by themselves once there is a key", async () => {
    await window.pick("Start");
    await window.notification("No model is set up").waitFor();
    await window.picture("no-key");
    await window.press("Set API Key…");
    await window.pick("Anthropic");
    await window.answer(KEY);
    await window.gate.getByRole("heading", { name: "Plan, version 1" }).waitFor();
    await window.picture("started");
    assert.ok(desk.read(TASK_FILE).includes(MORE));
    await window.clearNotifications();
  });

  step("of a wish for the plan outlive Escape and a reload", async () => {
    await window.run("Baton: Ask for Changes…");
    await window.quickInput.fill(WISH);
    await window.page.keyboard.press("Escape");
    // The page of the plan has the focus now, and keeps the keys for itself.
    await window.type("");
    await window.reload();
    await window.run("Baton: Ask for Changes…");
    await until(async () => (await window.quickInput.inputValue()) === WISH, "the wish is there");
    await window.picture("wish");
  });

  step("of a wish that is refused are kept, with a way to try again", async () => {
    desk.write("baton.toml", "max_parallel_tasks = 1000\n");
    await window.quickInput.press("Enter");
    const refused = window.notification("What you typed is kept");
    await refused.waitFor();
    await window.picture("refused");
    desk.write("baton.toml", "max_parallel_tasks = 1\n");
    await window.press("Try Again…");
    await until(async () => (await window.quickInput.inputValue()) === WISH, "the wish is still there");
    await window.quickInput.press("Enter");
    await until(() => api.asked("plan").some((text) => text.includes(WISH)), "the planner is told");
    await window.gate.getByRole("heading", { name: "Plan, version 2" }).waitFor();
    await window.picture("revised");
    await window.type("");
    await window.run("Baton: Ask for Changes…");
    await until(async () => (await window.quickInput.inputValue()) === "", "what was taken is not offered again");
    await window.page.keyboard.press("Escape");
  });
});

describe("a typed task without a key", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url });
    window = await desk.open("words-no-key");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("is kept over the message and a reload", async () => {
    await window.run("Baton: Run Workflow…");
    await window.answer(TYPED);
    await window.notification("the run starts by itself").waitFor();
    await window.picture("told");
    await window.reload();
    await window.run("Baton: Run Workflow…");
    await until(async () => (await window.quickInput.inputValue()) === TYPED, "the task is there");
    await window.picture("kept");
  });

  step("starts by itself when a key is set, from wherever", async () => {
    await window.quickInput.press("Enter");
    await window.notification("the run starts by itself").waitFor();
    await window.run("Baton: Set API Key…");
    await window.pick("Anthropic");
    await window.answer(KEY);
    await window.gate.getByRole("heading", { name: "Plan, version 1" }).waitFor();
    assert.equal(desk.read(TASK_FILE), `${TYPED}\n`);
    await window.picture("goes-on");
    assert.deepEqual(api.violations, []);
  });
});
