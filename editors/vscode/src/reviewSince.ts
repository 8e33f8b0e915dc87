import { window } from "vscode";

import { pickBase, repositoryFacts } from "./branchPicker";
import { handOver, inFolder, withWords, type Drafts } from "./words";
import type { Workflow } from "./workflows";

const TITLE = "Review Changes Since…";

/** Ask for the commit that the working tree is reviewed against, and hand it over. `again` is the command that asks. */
export async function reviewSince(
  drafts: Drafts,
  workflow: Workflow,
  again: string,
  review: (base: string) => Promise<unknown>,
): Promise<void> {
  const facts = await repositoryFacts(workflow.folder.uri);
  if (facts === undefined) {
    await reviewSinceTyped(drafts, workflow, again, review);
    return;
  }
  if (facts.head?.commit === undefined) {
    const message = "there is no commit here yet that changes could be compared with.";
    void window.showInformationMessage(`${workflow.title}: ${message}`);
    return;
  }
  const picked = await pickBase(inFolder(workflow, TITLE), facts, drafts.get(workflow, "base"));
  if (picked === undefined) {
    return;
  }
  const { base, isTyped } = picked;
  if (!isTyped) {
    // It is what was meant instead of anything that was typed before.
    await drafts.keep(workflow, "base", "");
    await review(base);
    return;
  }
  await drafts.keep(workflow, "base", base);
  await handOver(drafts, workflow, { subject: "base", words: base, again }, () => review(base));
}

/** The same where the git extension is turned off. */
async function reviewSinceTyped(
  drafts: Drafts,
  workflow: Workflow,
  again: string,
  review: (base: string) => Promise<unknown>,
): Promise<void> {
  const question = {
    subject: "base",
    title: TITLE,
    prompt: "The working tree is reviewed against this commit. Nothing is edited.",
    placeholder: "main, HEAD~3, a tag or a commit",
    missing: "Name a commit.",
    again,
  } as const;
  await withWords(drafts, workflow, question, review);
}
