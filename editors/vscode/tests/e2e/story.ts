/** The task of the stories, and what the models answer to it. */

import type { Reply, Script } from "./messagesApi";

export const TASK = "Greet people by name";

/** The project before the task. */
export const PROJECT: Record<string, string> = {
  "greet.py": 'def greet():\n    return "hello"\n',
  "main.py": "from greet import greet\n\nprint(greet())\n",
  "README.md": "# Greeter\n\nIt says hello.\n",
};

export const NO_NAME = "An empty name greets nobody: the greeting ends in a blank.";
export const NO_DEFAULT = "name has no default";
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
  { tool: "read_file", input: { path: "greet.py" } },
  {
    tool: "submit_context",
    input: {
      task_description: TASK,
      relevant_files: [
        { path: "greet.py", summary: "The greeting.", relevance: "high" },
        { path: "README.md", summary: "What the program says.", relevance: "medium" },
      ],
      dependencies: [],
      existing_patterns: ["small functions", "f-strings"],
      constraints: ["no new dependencies"],
      files_in_scope: ["greet.py", "README.md"],
      files_out_of_scope: [],
    },
  },
];

const PLAN: Reply[] = [
  {
    tool: "submit_plan",
    input: {
      approach_summary: "Give `greet` a **name**, and let the program take it from its first argument.",
      risks: ["Callers without a name would greet nobody."],
      tasks: [
        {
          id: "T1",
          title: "Take a name in greet",
          description: "Add a parameter `name` to `greet` and put it into the greeting.",
          files_to_modify: ["greet.py"],
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

const NAME_ISSUE = issue("major", "greet.py", 2, 'return f"hello, {name}"', NO_NAME, "T1");
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

/** The context outlines a file first. */
export function outlines(path: string): Script {
  return { ...goesWell(), context: [[{ tool: "outline", input: { path } }, ...CONTEXT]] };
}

/** The plan, one task of which would also write a file that is protected and one that runs when the project is built. */
export function isDelicate(): Script {
  const plan = PLAN.map(
    (reply) => JSON.parse(JSON.stringify(reply).replace('"files_to_create":[]', DELICATE)) as Reply,
  );
  return { ...goesWell(), plan: [plan] };
}

const DELICATE = '"files_to_create":[".npmrc","setup.py"]';

/** A run that ends well with two issues; one of them is fixed in a second round. */
export function goesWell(): Script {
  return {
    context: [CONTEXT],
    plan: [PLAN],
    "implement/T1": [
      [
        edit("greet.py", 'greet():\n    return "hello"', 'greet(name):\n    return f"hello, {name}"'),
        done("greet.py", "greet takes a name"),
      ],
      [edit("greet.py", "greet(name):", 'greet(name="world"):'), done("greet.py", "the name has a default")],
    ],
    "implement/T2": [
      [edit("README.md", "It says hello.", "Call it with a name."), done("README.md", "the argument is named")],
    ],
    review: [review("Good, with two remarks.", NAME_ISSUE, README_ISSUE), review("The name has a default now.")],
  };
}

/** A run whose review asks for a person. */
export function asksForMore(): Script {
  const [reply] = review("It should not go on like this.", NAME_ISSUE);
  const input = { ...reply?.input, verdict: "rejected", recommended_action: "escalate_to_human" };
  return { ...goesWell(), review: [[{ tool: "submit_review", input }]] };
}

/** Checks that a project shows by its package.json: one passes after the task, and one does not until `name` has a default. */
export const SCRIPTS: Record<string, string> = {
  "package.json": `${JSON.stringify({ private: true, scripts: { test: "node test.js", lint: "node lint.js" } }, null, 2)}\n`,
  "test.js": 'process.exit(require("fs").readFileSync("greet.py", "utf8").includes("hello") ? 0 : 1);\n',
  "lint.js": `if (require("fs").readFileSync("greet.py", "utf8").includes("greet(name):")) {
  console.log("greet.py:1: ${NO_DEFAULT}");
  process.exit(1);
}
`,
};

/** A run whose review has one criterion that nothing shows to be met. */
export function leavesOneUnproven(): Script {
  const script = goesWell();
  const evidence = { file: "greet.py", line: 2, quote: 'return f"hello, {name}"' };
  const criteria = [
    { task_id: "T1", criterion: 1, evidence, state: "met" },
    { task_id: "T2", criterion: 1, evidence: null, state: "unproven" },
  ];
  const [first = [], ...later] = script["review"] ?? [];
  return { ...script, review: [first.map((reply) => ({ ...reply, input: { ...reply.input, criteria } })), ...later] };
}
