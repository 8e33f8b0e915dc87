/** What agents do while they do it, what they said, what the review came to, and what ran before. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, PROJECT, TASK } from "./story";
import { until, type Window } from "./window";

describe("work that goes on", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY });
    window = await desk.open("live");
    await window.page.locator(".activitybar").getByRole("tab", { name: "Baton" }).click();
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("says once that the plan waits to who looks elsewhere", async () => {
    const go = api.hold("plan");
    await window.run("Baton: Run Workflow…");
    await window.answer(TASK);
    await window.says("plan");
    await window.looksAway();
    go();
    const notice = window.notification(/plan .*waits|waits for/i);
    await notice.getByRole("button", { name: "Approve", exact: true }).waitFor();
    await window.picture("told");
    await window.looksBack();
    await window.clearNotifications();
  });

  step("shows what each task is at, and tells its agent something from its row", async () => {
    const go = api.hold("implement/T2");
    await window.gate.getByRole("button", { name: "Approve", exact: true }).click();
    await until(() => desk.read("greet.py").includes("name"), "the first task is written");
    const row = window.row("T2 Say so in the README");
    await until(async () => /asking|waiting|model|running/i.test(await row.innerText()), "it says what it is at");
    await row.hover();
    await window.picture("running");
    await row.getByRole("button", { name: "Tell the Agents…" }).click();
    await window.answer("Keep it short.");
    await window.notification("told T2").waitFor();
    await window.clearNotifications();
    await window.run("Baton: Open Conversation Log");
    await window.preview.getByText("greet takes a name").first().waitFor();
    assert.equal(await window.preview.getByText("the argument is named").count(), 0);
    await window.picture("log");
    go();
    await window.notification("nothing was committed").waitFor();
    await window.clearNotifications();
  });

  step("goes on with the log that is open", async () => {
    await window.preview.getByText("the argument is named").first().waitFor();
    assert.ok((await window.preview.getByText("Keep it short.").count()) > 0);
    await window.picture("log-at-the-end");
  });

  step("has what the review came to above the issues", async () => {
    const row = window.row("Approved: Good, with two remarks.");
    await row.getByText("good as it is").waitFor();
    await row.click();
    await window.page.locator(".tab.active").filter({ hasText: "Review" }).waitFor();
    await window.preview.getByText("Acceptance criteria").waitFor();
    await window.picture("review");
  });

  step("lists what ran, and takes it back and brings it back from there", async () => {
    await window.run("Baton: History…");
    const row = window.quickRows.filter({ hasText: TASK });
    await row.getByText("at hand · approved").waitFor();
    await window.picture("history");
    await row.click();
    await window.pick("Undo…");
    await window.dialog.getByText("greet.py").waitFor();
    await window.dialog.getByRole("button", { name: "Undo" }).click();
    await until(() => desk.read("greet.py") === PROJECT["greet.py"], "it is undone");
    await window.clearNotifications();
    await window.run("Baton: History…");
    await window.pick(TASK);
    await window.pick("Bring It Back…");
    await window.dialog.getByText("bring back what was undone").waitFor();
    await window.picture("bring-back");
    await window.dialog.getByRole("button", { name: "Bring It Back" }).click();
    await until(() => desk.read("greet.py").includes("name"), "it is back");
    await window.clearNotifications();
  });

  step("undoes one that was set aside, and leaves the user's edits", async () => {
    await window.run("Baton: Reset");
    await window.dialog.getByRole("button", { name: "Reset" }).click();
    await until(() => !desk.has(".agent_memory/plan.json"), "it is set aside");
    desk.write("README.md", desk.read("README.md").replace("# Greeter", "# Greeter of mine"));
    await window.run("Baton: History…");
    await window.pick(TASK);
    await window.pick("Undo…");
    await window.dialog.getByText(`"${TASK}"`).waitFor();
    await window.picture("earlier");
    await window.dialog.getByRole("button", { name: "Undo" }).click();
    await until(() => desk.read("greet.py") === PROJECT["greet.py"], "it is undone");
    await window.notification("Rolled back: 2 files.").waitFor();
    assert.equal(desk.read("README.md"), "# Greeter of mine\n\nIt says hello.\n");
    assert.deepEqual(api.violations, []);
  });
});
