import { StatusBarAlignment, ThemeColor, window } from "vscode";
import type { Disposable } from "vscode";

import { spoken, statusLine, type StatusLine } from "./present";
import type { Workflows } from "./workflows";

/** Phase, tasks and cost at the bottom of the window. */
export function statusBar(workflows: Workflows): Disposable[] {
  const item = window.createStatusBarItem("baton", StatusBarAlignment.Left, 10);
  item.name = "Baton";
  item.command = "batonClient.status";
  const show = (): void => {
    const workflow = workflows.current();
    if (workflow === undefined) {
      item.hide();
      return;
    }
    const line = statusLine(workflow.state, workflow.title);
    item.text = line.text;
    item.tooltip = line.tooltip;
    item.accessibilityInformation = { label: spoken(line), role: "button" };
    item.backgroundColor = background(line.emphasis);
    item.show();
  };
  show();
  return [item, workflows.onChanged(show), window.onDidChangeActiveTextEditor(show)];
}

function background(emphasis: StatusLine["emphasis"]): ThemeColor | undefined {
  return emphasis === "none" ? undefined : new ThemeColor(`statusBarItem.${emphasis}Background`);
}
