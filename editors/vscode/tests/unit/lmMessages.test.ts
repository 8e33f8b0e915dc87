import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { answerOf, chooseModel, nameOf, turnsOf, wholeText } from "../../src/lmMessages";
import type { Block } from "../../src/protocol";

describe("a turn for vscode.lm", () => {
  it("has the system prompt before the user's first words", () => {
    const turns = turnsOf({ system: "You plan.", messages: [{ role: "user", content: "Greet" }] });
    assert.deepEqual(turns, [
      { role: "user", parts: [{ kind: "text", text: "You plan." }] },
      { role: "user", parts: [{ kind: "text", text: "Greet" }] },
    ]);
  });

  it("joins a system prompt of several blocks", () => {
    const system: Block[] = [
      { type: "text", text: "You plan." },
      { type: "text", text: "The context: …" },
    ];
    assert.deepEqual(turnsOf({ system, messages: [] })[0]?.parts, [
      { kind: "text", text: "You plan.\n\nThe context: …" },
    ]);
  });

  it("carries tool calls and their results", () => {
    const thinking = { type: "thinking", thinking: "hm", signature: "s" } as unknown as Block;
    const turns = turnsOf({
      system: "",
      messages: [
        {
          role: "assistant",
          content: [thinking, { type: "tool_use", id: "c1", name: "read_file", input: { path: "a" } }],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "c1", content: [{ type: "text", text: "1 | a" }] },
            { type: "tool_result", tool_use_id: "c2", content: "no such file", is_error: true },
          ],
        },
      ],
    });
    assert.deepEqual(turns, [
      { role: "assistant", parts: [{ kind: "call", id: "c1", name: "read_file", input: { path: "a" } }] },
      {
        role: "user",
        parts: [
          { kind: "result", id: "c1", text: "1 | a" },
          { kind: "result", id: "c2", text: "Error: no such file" },
        ],
      },
    ]);
  });
});

describe("an answer of vscode.lm", () => {
  it("joins the pieces of its text, and stops for its tools", () => {
    const answer = answerOf(
      [
        { kind: "text", text: "I " },
        { kind: "text", text: "look." },
        { kind: "call", id: "c1", name: "read_file", input: { path: "a" } },
      ],
      "copilot/m",
      { input_tokens: 5, output_tokens: 2 },
    );
    assert.deepEqual(answer, {
      content: [
        { type: "text", text: "I look." },
        { type: "tool_use", id: "c1", name: "read_file", input: { path: "a" } },
      ],
      stop_reason: "tool_use",
      model: "copilot/m",
      usage: { input_tokens: 5, output_tokens: 2 },
    });
  });

  it("may be empty", () => {
    assert.deepEqual(answerOf([], "m"), { content: [], stop_reason: "end_turn", model: "m" });
    assert.deepEqual(answerOf([{ kind: "text", text: "" }], "m").content, []);
  });

  it("is counted with the arguments of its calls", () => {
    const text = wholeText([{ role: "assistant", parts: [{ kind: "call", id: "c", name: "f", input: { a: 1 } }] }]);
    assert.equal(text, 'f{"a":1}');
  });
});

describe("the model for a tier", () => {
  const small = { vendor: "copilot", id: "m-mini", family: "m-mini" };
  const large = { vendor: "copilot", id: "m", family: "m" };

  it("is the one that is set, and no other", () => {
    assert.equal(chooseModel("fast", nameOf(large), [small, large]), large);
    assert.equal(chooseModel("fast", "copilot/gone", [small, large]), undefined);
  });

  it("is a small one for fast work and another for the rest", () => {
    assert.equal(chooseModel("fast", "", [large, small]), small);
    assert.equal(chooseModel("powerful", "", [small, large]), large);
  });

  it("is the only one there is", () => {
    assert.equal(chooseModel("powerful", "", [small]), small);
    assert.equal(chooseModel<typeof small>("fast", "", []), undefined);
  });
});
