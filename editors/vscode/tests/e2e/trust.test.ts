/** In a workspace that is not trusted nothing starts, and VS Code says why. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { until, type Window } from "./window";

describe("an untrusted workspace", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start({});
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, asksForTrust: true });
    // As it may come with a clone: enough to start the extension, were it trusted; and a program to be run.
    desk.write(".agent_memory/task.md", "Do something");
    desk.write(".vscode/settings.json", JSON.stringify({ "baton.server.path": "/bin/false" }));
    window = await desk.open("trust");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("has no command of Baton's, and no server", async () => {
    const dialog = window.page.locator(".monaco-dialog-box");
    await dialog.getByRole("button", { name: /No, I don't trust/ }).click();
    await window.page.locator(".statusbar").getByText("Restricted Mode").waitFor();
    assert.deepEqual(await window.offered("Baton: "), []);
    assert.deepEqual(await window.runningExtensions("Merge Conflict", "Baton"), ["Merge Conflict"]);
    await window.picture("restricted");
    assert.deepEqual(desk.servers(), []);
  });

  step("is told why in the extensions view", async () => {
    await window.run("Extensions: Show Installed Extensions");
    const row = window.page.locator(".extension-list-item").filter({ hasText: "Baton" });
    await row.getByText("Baton", { exact: true }).click();
    await window.page.getByText("Agents read and write the files of the workspace").first().waitFor();
    await window.picture("reason");
  });

  step("starts the server once it is trusted, and not the one that the workspace names", async () => {
    await window.run("Workspaces: Manage Workspace Trust");
    await window.page.getByRole("button", { name: "Trust", exact: true }).first().click();
    await until(() => desk.servers().length === 1, "one server runs");
    assert.match(desk.servers()[0] ?? "", /extensions\/baton\.baton-[^/]+\/server\/baton$/);
    await window.statusBar.waitFor();
    await window.picture("trusted");
    const running = await window.runningExtensions("Baton");
    assert.deepEqual(running, ["Baton"]);
  });
});
