/** The task of the stories, and what the models answer to it. */

import type { Reply, Script } from "./messagesApi";

export const TASK = "Greet people by name";

/** The project before the task. */
export const PROJECT: Record<string, string> = {
  "src/greet.js": 'export function greet() {\n  return "hello";\n}\n',
  "src/main.js": 'import { greet } from "./greet.js";\n\nconsole.log(greet());\n',
  "README.md": "# Greeter\n\nIt says hello.\n",
  "package.json": '{ "name": "greeter", "type": "module" }\n',
};

export const NO_NAME = "An empty name greets nobody: the greeting ends in a blank.";
export const NO_EXAMPLE = "The README does not show what is printed.";

const edit = (path: string, old_text: string, new_text: string): Reply => ({
  tool: "edit_file",
  input: { path, old_text, new_text },
});
const done = (path: string, summary: string): Reply => ({
  tool: "submit_result",
  input: { status: "completed", changes: [{ path, summary }], notes: "", blockers: [] },
});

const CONTEXT: Reply[] = [
  { tool: "read_file", input: { path: "src/greet.js" } },
  {
    tool: "submit_context",
    input: {
      task_description: TASK,
      relevant_files: [
        { path: "src/greet.js", summary: "The greeting.", relevance: "high" },
        { path: "README.md", summary: "What the program says.", relevance: "medium" },
      ],
      dependencies: [],
      existing_patterns: ["small functions", "ES modules"],
      constraints: ["no new dependencies"],
      files_in_scope: ["src/", "README.md"],
      files_out_of_scope: [],
    },
  },
];

const PLAN: Reply[] = [
  {
    tool: "submit_plan",
    input: {
      approach_summary: "Give `greet` a **name**, and let the program take it from its first argument.",
      risks: ["Callers without a name would greet `undefined`."],
      tasks: [
        {
          id: "T1",
          title: "Take a name in greet",
          description: "Add a parameter `name` to `greet` and put it into the greeting.",
          files_to_modify: ["src/greet.js"],
          files_to_create: [],
          depends_on: [],
          acceptance_criteria: ['`greet("Ada")` answers `hello, Ada`'],
          estimated_complexity: "moderate",
        },
        {
          id: "T2",
          title: "Say so in the README",
          description: "Tell how the program is called.",
          files_to_modify: ["README.md"],
          files_to_create: [],
          depends_on: [],
          acceptance_criteria: ["The README names the argument."],
          estimated_complexity: "simple",
        },
      ],
      parallel_groups: [["T1", "T2"]],
    },
  },
];

const issue = (
  severity: string,
  file: string,
  line: number,
  quote: string,
  description: string,
  task_id: string,
): object => ({
  severity,
  file,
  line,
  quote,
  description,
  suggested_fix: "Say so in the code.",
  task_id,
});

const NAME_ISSUE = issue("major", "src/greet.js", 2, "return `hello, ${name}`;", NO_NAME, "T1");
const README_ISSUE = issue("minor", "README.md", 3, "Call it with a name.", NO_EXAMPLE, "T2");

const review = (summary: string, ...issues: object[]): Reply[] => [
  {
    tool: "submit_review",
    input: {
      verdict: "approved",
      summary,
      issues,
      plan_drift_detected: false,
      drift_details: "",
      recommended_action: "merge",
    },
  },
];

/** A run that ends well with two issues; one of them is fixed in a second round. */
export function goesWell(): Script {
  return {
    context: [CONTEXT],
    plan: [PLAN],
    "implement/T1": [
      [
        edit("src/greet.js", 'greet() {\n  return "hello";', "greet(name) {\n  return `hello, ${name}`;"),
        done("src/greet.js", "greet takes a name"),
      ],
      [
        edit("src/greet.js", "greet(name) {", 'greet(name = "world") {'),
        done("src/greet.js", "the name has a default"),
      ],
    ],
    "implement/T2": [
      [edit("README.md", "It says hello.", "Call it with a name."), done("README.md", "the argument is named")],
    ],
    review: [review("Good, with two remarks.", NAME_ISSUE, README_ISSUE), review("The name has a default now.")],
  };
}
