/**
 * Between the Messages API's blocks, which the server speaks, and turns as `vscode.lm` has them. Nothing here needs
 * VS Code: `languageModel.ts` puts the parts into its classes.
 */

import type { Block, ModelAnswer, ModelTurn, Tier } from "./protocol";

export type Part =
  | { kind: "text"; text: string }
  | { kind: "call"; id: string; name: string; input: object }
  | { kind: "result"; id: string; text: string };

export interface Turn {
  role: "user" | "assistant";
  parts: Part[];
}

/** `vscode.lm` has no system prompt: it stands before the first message of the user. */
export function turnsOf(request: Pick<ModelTurn, "system" | "messages">): Turn[] {
  const system = textOf(request.system);
  const turns: Turn[] = request.messages.map(({ role, content }) => ({ role, parts: partsOf(content) }));
  return system === "" ? turns : [{ role: "user", parts: [{ kind: "text", text: system }] }, ...turns];
}

/** What a model said, as the server takes it. */
export function answerOf(parts: Part[], model: string, usage?: ModelAnswer["usage"]): ModelAnswer {
  const content: Block[] = [];
  for (const part of parts) {
    const last = content.at(-1);
    if (part.kind === "call") {
      content.push({ type: "tool_use", id: part.id, name: part.name, input: part.input });
    } else if (part.kind === "text" && last?.type === "text") {
      last.text += part.text;
    } else if (part.kind === "text" && part.text !== "") {
      content.push({ type: "text", text: part.text });
    }
  }
  const stop_reason = content.some((block) => block.type === "tool_use") ? "tool_use" : "end_turn";
  return { content, stop_reason, model, ...(usage === undefined ? {} : { usage }) };
}

/** All that the model reads or says, for counting its tokens. */
export function wholeText(turns: Turn[]): string {
  const text = (part: Part): string => (part.kind === "call" ? part.name + JSON.stringify(part.input) : part.text);
  return turns.flatMap((turn) => turn.parts.map(text)).join("\n");
}

function partsOf(content: string | Block[]): Part[] {
  if (typeof content === "string") {
    return [{ kind: "text", text: content }];
  }
  const parts: Part[] = [];
  for (const block of content) {
    switch (block.type) {
      case "text":
        parts.push({ kind: "text", text: block.text });
        break;
      case "tool_use":
        parts.push({ kind: "call", id: block.id, name: block.name, input: block.input });
        break;
      case "tool_result": {
        const text = textOf(block.content);
        parts.push({ kind: "result", id: block.tool_use_id, text: block.is_error === true ? `Error: ${text}` : text });
        break;
      }
      default:
      // Thinking and the like are of another provider and mean nothing to this one.
    }
  }
  return parts;
}

function textOf(content: string | Block[]): string {
  if (typeof content === "string") {
    return content;
  }
  return content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n\n");
}

/** What is known of a model without asking it. */
export interface KnownModel {
  vendor: string;
  id: string;
  family: string;
}

/** How `baton.editorModels.*` names a model. */
export function nameOf(model: KnownModel): string {
  return `${model.vendor}/${model.id}`;
}

/**
 * The model for a tier: the one that the user set, and no other; where none is set, a small one for `fast` and another
 * one for the rest.
 */
export function chooseModel<M extends KnownModel>(tier: Tier, set: string, models: readonly M[]): M | undefined {
  if (set !== "") {
    return models.find((model) => nameOf(model) === set);
  }
  const isSmall = (model: M): boolean => /mini|nano|haiku|flash|small|lite/i.test(`${model.family} ${model.id}`);
  const fitting = models.filter((model) => isSmall(model) === (tier === "fast"));
  return fitting[0] ?? models[0];
}
