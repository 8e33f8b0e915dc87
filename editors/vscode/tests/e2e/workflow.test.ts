/** From the installed extension to the review and back: what a user does, in a real VS Code. */

import { after, before, describe } from "node:test";

import { Desk } from "./desk";
import { MessagesApi } from "./messagesApi";
import { goesWell } from "./story";
import { steps, vscode } from "./steps";
import type { Window } from "./window";

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

  step("is there", async () => {
    await window.picture("open");
    await window.run("Baton: Show Log");
    await window.picture("log");
  });
});
