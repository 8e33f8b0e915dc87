/** The extension's page, as VS Code shows it under its own policy. */

import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { MessagesApi } from "./messagesApi";
import { steps, vscode } from "./steps";
import { until, type Window } from "./window";

interface Picture {
  alt: string;
  naturalWidth: number;
}

describe("the extension's page", vscode.options, () => {
  let api: MessagesApi;
  let desk: Desk;
  let window: Window;
  const step = steps(() => window);

  before(async () => {
    api = await MessagesApi.start({});
    desk = await Desk.set(vscode.installed(), { messagesApi: api.url });
    window = await desk.open("readme");
  });

  after(async () => {
    await desk.clear();
    await api.stop();
  });

  step("has no picture that is not shown", async () => {
    await window.run("Extensions: Show Installed Extensions");
    await window.page
      .locator(".extensions-list .monaco-list-row")
      .filter({ has: window.page.getByText("Baton", { exact: true }) })
      .first()
      .click();
    const page = window.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
    await page.getByRole("heading", { name: "Start" }).waitFor();
    const pictures = page.locator("img");
    const shown = (): Promise<Picture[]> =>
      pictures.evaluateAll((all) =>
        (all as unknown as Picture[]).map(({ alt, naturalWidth }) => ({ alt, naturalWidth })),
      );
    await until(async () => (await shown()).every(({ naturalWidth }) => naturalWidth > 0), "every picture is loaded");
    await window.picture("page");
  });
});
