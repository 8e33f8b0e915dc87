import { extensions, QuickPickItemKind, ThemeIcon, Uri, window } from "vscode";
import type { QuickPickItem } from "vscode";

import { baseChoices, mainBranches } from "./baseChoices";
import type { Ref, RepositoryFacts } from "./baseChoices";

/** The part of the git extension's interface, version 1, that is used here. */
interface GitApi {
  state: "uninitialized" | "initialized";
  onDidChangeState: (listener: () => void) => { dispose: () => void };
  getRepository: (uri: Uri) => Repository | null;
  openRepository?: (root: Uri) => Promise<Repository | null>;
}

interface Repository {
  rootUri: Uri;
  state: { HEAD: { name?: string; commit?: string } | undefined };
  /** Reads the state anew. */
  status: () => Promise<void>;
  getRefs: (query: { sort: "committerdate" }) => Promise<Ref[]>;
  getMergeBase: (one: string, other: string) => Promise<string | undefined>;
}

/** How long the git extension may take to find the repositories of a window that was just opened. */
const FINDING_MS = 5000;

/** What git knows of a folder's repository; undefined without git, without the git extension, or outside a repository. */
export async function repositoryFacts(folder: Uri): Promise<RepositoryFacts | undefined> {
  try {
    const api = await gitApi();
    const repository = api?.getRepository(folder) ?? (await api?.openRepository?.(folder));
    return repository == null ? undefined : await factsOf(repository);
  } catch {
    // It is turned off, or is not what it was: the user types.
    return undefined;
  }
}

async function gitApi(): Promise<GitApi | undefined> {
  const extension = extensions.getExtension<{ enabled: boolean; getAPI: (version: 1) => GitApi }>("vscode.git");
  const git = await extension?.activate();
  if (git?.enabled !== true) {
    return undefined;
  }
  const api = git.getAPI(1);
  await isReady(api);
  return api;
}

async function isReady(api: GitApi): Promise<void> {
  if (api.state === "initialized") {
    return;
  }
  await new Promise<void>((resolve) => {
    const listening = api.onDidChangeState(() => {
      done();
    });
    const late = setTimeout(() => {
      done();
    }, FINDING_MS);
    const done = (): void => {
      listening.dispose();
      clearTimeout(late);
      resolve();
    };
  });
}

async function factsOf(repository: Repository): Promise<RepositoryFacts> {
  if (repository.state.HEAD?.commit === undefined) {
    // It was found just now, or has no commit yet.
    await repository.status();
  }
  const head = repository.state.HEAD;
  const refs = await repository.getRefs({ sort: "committerdate" });
  // The first that shares something with HEAD: a branch without a common commit is none to compare with.
  for (const name of head?.commit === undefined ? [] : mainBranches(head.name, refs)) {
    const mergeBase = await repository.getMergeBase(name, "HEAD").catch(() => undefined);
    if (mergeBase !== undefined) {
      return { head, refs, main: { name, mergeBase } };
    }
  }
  return { head, refs, main: undefined };
}

/** What was chosen or typed. */
export interface Picked {
  base: string;
  isTyped: boolean;
}

interface Row extends QuickPickItem {
  choice?: Picked;
}

/** Let the user choose a commit, or type any; `typed` is what the box starts with. Undefined when they think better of it. */
export async function pickBase(title: string, facts: RepositoryFacts, typed: string): Promise<Picked | undefined> {
  const choices = baseChoices(facts).map<Row>((choice) =>
    "heading" in choice
      ? { label: choice.heading, kind: QuickPickItemKind.Separator }
      : {
          label: choice.label,
          iconPath: new ThemeIcon(choice.icon),
          description: choice.description,
          choice: { base: choice.base, isTyped: false },
        },
  );
  const picker = window.createQuickPick<Row>();
  picker.title = title;
  picker.placeholder = "Choose a commit to compare with, or type one: HEAD~3, a tag, a hash";
  picker.matchOnDescription = true;
  picker.value = typed;
  const offer = (value: string): void => {
    const base = value.trim();
    const isThere = base === "" || choices.some(({ choice, label }) => choice?.base === base || label === base);
    const asTyped: Row = {
      label: base,
      iconPath: new ThemeIcon("edit"),
      description: "as typed",
      alwaysShow: true,
      choice: { base, isTyped: true },
    };
    // After what fits, so that Enter takes a branch whose name was begun.
    picker.items = isThere ? choices : [...choices, asTyped];
  };
  offer(typed);
  try {
    return await new Promise((resolve) => {
      picker.onDidChangeValue(offer);
      picker.onDidAccept(() => {
        resolve(picker.selectedItems[0]?.choice);
      });
      picker.onDidHide(() => {
        resolve(undefined);
      });
      picker.show();
    });
  } finally {
    picker.dispose();
  }
}
