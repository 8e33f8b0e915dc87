/** The commits that a review can be made against, in the order of their likelihood. Nothing here needs VS Code. */

/** What a reference is, as the git extension counts them. */
export enum RefKind {
  Branch = 0,
  RemoteBranch = 1,
  Tag = 2,
}

/** A reference, as the git extension tells it. */
export interface Ref {
  type: RefKind;
  name?: string | undefined;
  commit?: string | undefined;
  remote?: string | undefined;
}

/** What the git extension knows of a repository. */
export interface RepositoryFacts {
  /** Undefined before the first commit. */
  head: { name?: string | undefined; commit?: string | undefined } | undefined;
  /** Those with the last commits first. */
  refs: Ref[];
  /** The branch that others start from, and the last commit that it and HEAD both have. */
  main: { name: string; mergeBase: string } | undefined;
}

/** A row of the picker, or the heading of those that follow. */
export type BaseChoice = { heading: string } | { label: string; icon: string; description: string; base: string };

/** Most rows of one kind. */
const MOST = 50;

/** The branches that others start from, the likeliest first. One that is checked out is compared with what was fetched. */
export function mainBranches(head: string | undefined, refs: Ref[]): string[] {
  const names = refs.filter(({ type }) => type !== RefKind.Tag).flatMap(({ name }) => name ?? []);
  const usual = ["main", "master"].flatMap((name) => [name, `origin/${name}`, `upstream/${name}`]);
  return usual.filter((name) => name !== head && names.includes(name));
}

/** What a picker offers. */
export function baseChoices({ head, refs, main }: RepositoryFacts): BaseChoice[] {
  const short = (commit: string | undefined): string => commit?.slice(0, 10) ?? "";
  const first: BaseChoice[] = [];
  // Where nothing was committed since, it is the same as the next one.
  if (main !== undefined && main.mergeBase !== head?.commit) {
    const description = `the last commit that both have, ${short(main.mergeBase)}`;
    first.push({ label: `Since ${main.name}`, icon: "git-merge", description, base: main.name });
  }
  const ofHead = [head?.name, short(head?.commit)].filter((part) => part !== undefined && part !== "").join(", ");
  first.push({ label: "What is not committed", icon: "git-commit", description: ofHead, base: "HEAD" });
  const rows = (heading: string, icon: string, kind: RefKind): BaseChoice[] => {
    const found = refs
      .filter(({ type, name }) => type === kind && name !== undefined && name !== head?.name && !isSymbolic(name))
      .slice(0, MOST)
      .map(({ name = "", commit }) => ({ label: name, icon, description: short(commit), base: name }));
    return found.length === 0 ? [] : [{ heading }, ...found];
  };
  return [
    ...first,
    ...rows("branches", "git-branch", RefKind.Branch),
    ...rows("remote branches", "cloud", RefKind.RemoteBranch),
    ...rows("tags", "tag", RefKind.Tag),
  ];
}

/** `origin/HEAD` names another branch. */
function isSymbolic(name: string): boolean {
  return name.endsWith("/HEAD");
}

/** What a review is made against where nobody says: what the branch has beyond main, or what is not committed. */
export function defaultBase(facts: RepositoryFacts | undefined): string {
  const first = facts === undefined ? undefined : baseChoices(facts)[0];
  return first !== undefined && "base" in first ? first.base : "HEAD";
}
