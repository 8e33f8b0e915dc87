import { commands } from "vscode";
import type { Disposable, Uri } from "vscode";

import { reviewMarkdown } from "./reviewWords";
import type { Texts } from "./texts";
import type { Workflow, Workflows } from "./workflows";

/** The review for reading: what it came to, what it found, and what it says of the acceptance criteria. */
export class ReviewPage implements Disposable {
  private readonly shown = new Set<Workflow>();
  private readonly subscription: Disposable;

  constructor(
    workflows: Workflows,
    private readonly texts: Texts,
  ) {
    this.subscription = workflows.onChanged((workflow) => {
      if (this.shown.has(workflow)) {
        this.keep(workflow);
      }
    });
  }

  async show(workflow: Workflow): Promise<void> {
    await workflow.refresh();
    this.shown.add(workflow);
    await commands.executeCommand("markdown.showPreview", this.keep(workflow));
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private keep({ folder, state }: Workflow): Uri {
    return this.texts.keep(`${folder.uri.path}/Review.md`, reviewMarkdown(state.status));
  }
}
