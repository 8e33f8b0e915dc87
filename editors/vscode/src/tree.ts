import {
  EventEmitter,
  Position,
  Range,
  ThemeColor,
  ThemeIcon,
  TreeItem,
  TreeItemCollapsibleState,
  Uri,
  window,
} from "vscode";
import type { Command, Disposable, Event, TreeDataProvider } from "vscode";

import { fileWords, hunksOf, isOpen, keptWords, wasDone } from "./changeWords";
import {
  below,
  checkState,
  count,
  endedBadly,
  hasLogToRead,
  hasPlan,
  oneLine,
  openGate,
  openIssues,
  phaseState,
  phaseTitle,
  phaseWords,
  placeOf,
  stateIcon,
  taskWords,
} from "./present";
import type { CheckStatus, CriterionStatus, Issue, PhaseStatus, ReviewStatus, TaskStatus } from "./protocol";
import { actionWords, reviewState, verdictWords } from "./reviewWords";
import type { Workflow, Workflows } from "./workflows";

type Kind =
  | { kind: "folder" }
  | { kind: "phase"; phase: PhaseStatus }
  | { kind: "task"; task: TaskStatus }
  | { kind: "criterion"; criterion: CriterionStatus; task: TaskStatus }
  | { kind: "file"; file: string; task: TaskStatus }
  | { kind: "check"; check: CheckStatus }
  | { kind: "review"; review: ReviewStatus }
  | { kind: "issue"; issue: Issue };

/** A row, and the workflow it belongs to. */
export type Node = Kind & { workflow: Workflow };

/** Phases, under implement the tasks with their criteria and files, and the checks; under review what it says, and the issues. */
export class Tree implements TreeDataProvider<Node>, Disposable {
  private readonly changed = new EventEmitter<undefined>();
  private readonly listening: Disposable[];
  readonly onDidChangeTreeData: Event<undefined> = this.changed.event;

  constructor(private readonly workflows: Workflows) {
    const view = window.createTreeView("baton.workflow", { treeDataProvider: this, showCollapseAll: true });
    const onChanged = workflows.onChanged(() => {
      this.changed.fire(undefined);
      const status = workflows.current()?.state.status;
      view.description = status?.task == null ? "" : oneLine(status.task, 60);
      const states = workflows.all().map(({ state }) => state);
      const plans = states.filter((state) => openGate(state) !== null).length;
      const issues = states.flatMap(openIssues).length;
      const waiting = [
        plans === 0 ? "" : `${count(plans, "plan")} to answer`,
        issues === 0 ? "" : count(issues, "open issue"),
      ].filter((part) => part !== "");
      view.badge =
        waiting.length === 0 ? undefined : { value: plans + issues, tooltip: `Baton: ${waiting.join(", ")}` };
    });
    this.listening = [view, onChanged];
  }

  dispose(): void {
    for (const disposable of this.listening) {
      disposable.dispose();
    }
    this.changed.dispose();
  }

  getChildren(node?: Node): Node[] {
    if (node === undefined) {
      const begun = this.workflows.all().filter(({ state }) => state.status?.task != null);
      const [only] = begun;
      return begun.length === 1 && only !== undefined
        ? phases(only)
        : begun.map((workflow) => ({ kind: "folder", workflow }));
    }
    return children(node);
  }

  getTreeItem(node: Node): TreeItem {
    switch (node.kind) {
      case "folder":
        return new TreeItem(node.workflow.folder.name, TreeItemCollapsibleState.Expanded);
      case "phase":
        return phaseItem(node, node.phase);
      case "task":
        return taskItem(node, node.task);
      case "criterion":
        return criterionItem(node, node.task, node.criterion);
      case "file":
        return fileItem(node, node.task, node.file);
      case "check":
        return checkItem(node, node.check);
      case "review":
        return reviewItem(node, node.review);
      case "issue":
        return issueItem(node, node.issue);
    }
  }
}

function phases(workflow: Workflow): Node[] {
  return (workflow.state.status?.phases ?? []).map((phase) => ({ kind: "phase", phase, workflow }));
}

function children(node: Node): Node[] {
  const { workflow } = node;
  switch (node.kind) {
    case "folder":
      return phases(workflow);
    case "phase":
      return rowsBelow(workflow, node.phase);
    case "task":
      return belowTask(workflow, node.task);
    case "criterion":
    case "file":
    case "check":
    case "review":
    case "issue":
      return [];
  }
}

function rowsBelow(workflow: Workflow, phase: PhaseStatus): Node[] {
  const rows = below(workflow.state.status, phase.phase);
  if (rows === null) {
    return [];
  }
  return "tasks" in rows
    ? [
        ...rows.tasks.map((task): Node => ({ kind: "task", task, workflow })),
        ...rows.checks.map((check): Node => ({ kind: "check", check, workflow })),
      ]
    : [
        ...(rows.review === null ? [] : [{ kind: "review", review: rows.review, workflow } satisfies Node]),
        ...rows.issues.map((issue): Node => ({ kind: "issue", issue, workflow })),
      ];
}

function belowTask(workflow: Workflow, task: TaskStatus): Node[] {
  const criteria = task.criteria ?? [];
  return [
    ...criteria.map((criterion): Node => ({ kind: "criterion", criterion, task, workflow })),
    ...task.files.map((file): Node => ({ kind: "file", file, task, workflow })),
  ];
}

function phaseItem(node: Node, phase: PhaseStatus): TreeItem {
  const state = children(node).length === 0 ? TreeItemCollapsibleState.None : TreeItemCollapsibleState.Expanded;
  const item = new TreeItem(phaseTitle(phase.phase), state);
  // A row keeps its state for as long as it has its id: with its first children it is a new one, and open.
  item.id = `${node.workflow.folder.uri.toString()}#${phase.phase} ${String(state)}`;
  const { status } = node.workflow.state;
  item.description = phaseWords(phase, status);
  item.iconPath = icon(phaseState(phase, status));
  item.tooltip = phase.message;
  item.contextValue = `phase.${phase.phase}${phase.phase === "plan" && openGate(node.workflow.state) !== null ? ".gate" : ""}`;
  if (phase.phase === "plan" && hasPlan(node.workflow.state)) {
    item.command = { command: "batonClient.showPlan", title: "Show Plan", arguments: [node.workflow] };
  } else if (endedBadly(phase)) {
    item.command = { command: "batonClient.status", title: "Status", arguments: [node.workflow] };
  }
  return speaks(item, item.label, item.description, item.tooltip);
}

function taskItem(node: Node, task: TaskStatus): TreeItem {
  const item = new TreeItem(`${task.id} ${task.title}`, TreeItemCollapsibleState.Collapsed);
  const { changes } = node.workflow.state;
  const hunks = hunksOf(changes, { task: task.id });
  const kept = keptWords(hunks);
  const words = [taskWords(task), kept].filter((part) => part !== "").join(" · ");
  item.id = `${node.workflow.folder.uri.toString()}#task ${task.id}`;
  // That it is completed, its icon says too; a narrow view has no room for both.
  item.description = oneLine(task.status === "completed" && kept !== "" ? kept : words, 60);
  item.tooltip = [`${task.id} ${task.title}`, words].filter((part) => part !== "").join("\n");
  item.iconPath = icon(task.status);
  item.contextValue = contextValue("task", {
    running: task.status === "running",
    keep: isOpen(hunks),
    undo: wasDone(task) && isIdle(node.workflow),
  });
  if (hunks.length > 0 || (wasDone(task) && changes.length === 0)) {
    item.command = { command: "batonClient.showChanges", title: "Show Changes", arguments: [node] };
  }
  return speaks(item, item.label, words);
}

/** What a row is, and what can be done with it, for the clauses of the menus. */
function contextValue(kind: string, can: Record<string, boolean>): string {
  const able = Object.keys(can).filter((name) => can[name]);
  return [kind, ...able].join(".");
}

function isIdle({ state }: Workflow): boolean {
  return state.run === null;
}

function criterionItem(node: Node, task: TaskStatus, { n, text, state }: CriterionStatus): TreeItem {
  const item = new TreeItem(oneLine(text), TreeItemCollapsibleState.None);
  item.id = `${node.workflow.folder.uri.toString()}#criterion ${task.id} ${String(n)}`;
  item.description = state ?? "";
  item.tooltip = [text, state ?? ""].filter((part) => part !== "").join("\n");
  item.iconPath = icon(state ?? "pending");
  item.contextValue = "criterion";
  return speaks(item, text, state);
}

function checkItem(node: Node, check: CheckStatus): TreeItem {
  const item = new TreeItem(`check ${check.name}`, TreeItemCollapsibleState.None);
  item.id = `${node.workflow.folder.uri.toString()}#check ${check.name}`;
  item.description = oneLine(check.words);
  item.tooltip = `${check.command}\n${check.words}`;
  item.iconPath = icon(checkState(check));
  const hasLog = hasLogToRead(check);
  item.contextValue = hasLog ? "check.log" : "check";
  if (hasLog) {
    item.command = { command: "batonClient.openCheckLog", title: "Open Log", arguments: [node] };
  }
  return speaks(item, item.label, check.words);
}

function fileItem(node: Node, task: TaskStatus, file: string): TreeItem {
  const uri = Uri.joinPath(node.workflow.folder.uri, file);
  const item = new TreeItem(uri, TreeItemCollapsibleState.None);
  const { changes } = node.workflow.state;
  const hunks = hunksOf(changes, { path: file });
  const folder = file.includes("/") ? file.slice(0, file.lastIndexOf("/")) : "";
  const words = fileWords(changes, file, task);
  item.description = [folder, words].filter((part) => part !== "").join(" · ");
  item.tooltip = [file, words].filter((part) => part !== "").join("\n");
  item.iconPath = ThemeIcon.File;
  const isChanged = hunks.length > 0 || (changes.length === 0 && wasDone(task));
  item.contextValue = contextValue("file", {
    keep: isOpen(hunks),
    undo: isChanged && isIdle(node.workflow),
  });
  item.command = isChanged ? { command: "batonClient.showChange", title: "Show Change", arguments: [node] } : open(uri);
  return speaks(item, file, words);
}

function reviewItem(node: Node, review: ReviewStatus): TreeItem {
  const verdict = verdictWords(review);
  const item = new TreeItem(`${verdict}: ${oneLine(review.summary, 200)}`, TreeItemCollapsibleState.None);
  item.id = `${node.workflow.folder.uri.toString()}#review`;
  item.description = actionWords(review);
  item.tooltip = [`${verdict}: ${item.description}`, review.summary, review.drift]
    .filter((part) => part !== "")
    .join("\n\n");
  item.iconPath = icon(reviewState(review));
  item.contextValue = "review";
  item.command = { command: "batonClient.showReview", title: "Show Review", arguments: [node] };
  return speaks(item, verdict, item.description, review.summary);
}

function issueItem(node: Node, issue: Issue): TreeItem {
  const item = new TreeItem(oneLine(issue.description), TreeItemCollapsibleState.None);
  item.id = `${node.workflow.folder.uri.toString()}#issue ${issue.id}`;
  const isClosed = issue.state === "fixed" || issue.state === "dismissed";
  item.description = isClosed ? issue.state : placeOf(issue);
  item.tooltip = `${issue.severity}: ${issue.description}\n${placeOf(issue)}`;
  item.iconPath = icon(isClosed ? issue.state : issue.severity);
  item.contextValue = isClosed ? `issue.${issue.state}` : "issue";
  if (issue.placed !== false) {
    item.command = open(Uri.joinPath(node.workflow.folder.uri, issue.file), issue.line);
  }
  return speaks(item, item.tooltip, isClosed ? issue.state : "");
}

/** What a screen reader says: the words of the row and of its tooltip. */
function speaks(item: TreeItem, ...words: unknown[]): TreeItem {
  const label = words.filter((part) => typeof part === "string" && part !== "").join(", ");
  return Object.assign(item, { accessibilityInformation: { label: label.replaceAll("\n", ", ") } });
}

function icon(state: string): ThemeIcon {
  const [name, colour] = stateIcon(state);
  return new ThemeIcon(name, colour === undefined ? undefined : new ThemeColor(colour));
}

/** Open a file, at a line from 1. */
function open(uri: Uri, line = 1): Command {
  const place = new Position(Math.max(0, line - 1), 0);
  return { command: "vscode.open", title: "Open", arguments: [uri, { selection: new Range(place, place) }] };
}
