/** In a VS Code whose language is German. */

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { KEY, MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { goesWell, TASK } from "./story";
import { until, type Window } from "./window";

describe("in German", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start(goesWell());
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url, key: KEY, locale: "de" });
    window = await desk.open("german");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("commands have German titles, with the English ones beside them", async () => {
    let offered: string[] = [];
    await until(async () => {
      offered = await window.offered("Baton: ");
      return offered.length > 0;
    }, "the extension is there");
    const at = offered.indexOf("Baton: Modell wählen…");
    assert.equal(offered[at + 1], "Baton: Choose Model…", offered.join("; "));
  });

  step("a run goes as in any language", async () => {
    await window.run("Baton: Workflow ausführen…");
    await window.picture("palette");
    await window.answer(TASK);
    await window.gate.getByRole("button", { name: "Approve", exact: true }).waitFor();
    assert.deepEqual(api.violations, []);
    await window.picture("gate");
  });

  step("settings have German titles and words", async () => {
    await window.run("Preferences: Open Settings (UI)");
    await window.page.locator(".settings-editor .settings-header .monaco-editor").click();
    await window.page.keyboard.type("baton.checkpoint");
    const words = window.page.locator(".settings-editor").getByText("Ob Sicherungspunkte der Dateien in Git");
    await words.first().waitFor();
    await window.picture("settings");
  });
});
