import {
  CancellationTokenSource,
  LanguageModelChatMessage,
  LanguageModelError,
  LanguageModelTextPart,
  LanguageModelToolCallPart,
  LanguageModelToolResultPart,
  lm,
  workspace,
} from "vscode";
import type {
  CancellationToken,
  Event,
  ExtensionContext,
  LanguageModelChat,
  LanguageModelChatRequestOptions,
  LogOutputChannel,
} from "vscode";
import { LSPErrorCodes, ResponseError } from "vscode-languageclient/node";

import { answerOf, chooseModel, nameOf, turnsOf, wholeText, type Part, type Turn } from "./lmMessages";
import type { ModelAnswer, ModelRefusal, ModelTurn, Tier } from "./protocol";

const WHY = "Baton's agents gather context, plan, implement and review the task that you gave them.";

/** The models that VS Code has from Copilot and other extensions. */
export class LanguageModels {
  readonly onChanged: Event<void> = lm.onDidChangeChatModels;

  constructor(
    private readonly context: ExtensionContext,
    private readonly log: LogOutputChannel,
  ) {}

  async all(): Promise<LanguageModelChat[]> {
    try {
      return await lm.selectChatModels();
    } catch (error) {
      this.log.warn(`No language models: ${String(error)}`);
      return [];
    }
  }

  async areThere(): Promise<boolean> {
    return (await this.all()).length > 0;
  }

  /**
   * Let the user allow the use of a model. VS Code asks at the first request, which must follow from what a user did:
   * only commands call this.
   *
   * @returns whether it may be used
   */
  async askConsent(model: LanguageModelChat, token: CancellationToken): Promise<boolean> {
    const known = this.context.languageModelAccessInformation.canSendRequest(model);
    if (known !== undefined) {
      return known;
    }
    const hello = [LanguageModelChatMessage.User("Answer with OK.")];
    const source = new CancellationTokenSource();
    const onCancelled = token.onCancellationRequested(() => {
      source.cancel();
    });
    try {
      await model.sendRequest(hello, { justification: WHY }, source.token);
      return true;
    } catch (error) {
      this.log.warn(`${model.name}: ${String(error)}`);
      return false;
    } finally {
      // Only the question counted, not the answer.
      source.cancel();
      onCancelled.dispose();
    }
  }

  /** The models that a run may use, one for each tier that VS Code serves. */
  async chosen(): Promise<LanguageModelChat[]> {
    const models = await this.all();
    const chosen = (["fast", "balanced", "powerful"] as const).map((tier) =>
      chooseModel(tier, editorModelFor(tier), models),
    );
    return [...new Set(chosen.filter((model) => model !== undefined))];
  }

  /** One turn of an agent: the request `baton/languageModel`. */
  async turn(request: ModelTurn, token: CancellationToken): Promise<ModelAnswer> {
    const set = editorModelFor(request.tier);
    const model = chooseModel(request.tier, set, await this.all());
    if (model === undefined) {
      const missing = set === "" ? "VS Code has no language model" : `${set} is not among VS Code's language models`;
      throw refusal("not_found", `${missing}. Run "Baton: Choose Model…".`);
    }
    const allowed = this.context.languageModelAccessInformation.canSendRequest(model);
    if (allowed !== true) {
      // To ask now would put a dialog before somebody who is doing something else.
      const why = allowed === undefined ? "was not allowed yet" : "is not allowed, or is used up";
      throw refusal("no_permission", `${model.name} ${why}. Run "Baton: Choose Model…" to allow it.`);
    }
    try {
      return await this.ask(model, request, token);
    } catch (error) {
      throw asRefusal(error, model);
    }
  }

  private async ask(model: LanguageModelChat, request: ModelTurn, token: CancellationToken): Promise<ModelAnswer> {
    const turns = turnsOf(request);
    const tools = request.tools.map(({ name, description, input_schema }) => ({
      name,
      description,
      inputSchema: input_schema,
    }));
    const options: LanguageModelChatRequestOptions = {
      justification: WHY,
      tools,
      modelOptions: { max_tokens: request.max_tokens },
    };
    const response = await model.sendRequest(turns.map(message), options, token);
    const parts: Part[] = [];
    for await (const part of response.stream) {
      if (part instanceof LanguageModelTextPart) {
        parts.push({ kind: "text", text: part.value });
      } else if (part instanceof LanguageModelToolCallPart) {
        parts.push({ kind: "call", id: part.callId, name: part.name, input: part.input });
      }
    }
    // A cancelled stream just ends.
    if (token.isCancellationRequested) {
      throw refusal("cancelled", "The turn was cancelled.");
    }
    return answerOf(parts, nameOf(model), await count(model, turns, parts));
  }
}

/** VS Code's model that the user chose for a tier, or none. */
export function editorModelFor(tier: Tier): string {
  return workspace.getConfiguration("baton.editorModels").get<string>(tier, "");
}

/** A user says text and results of tools, a model text and calls of tools. */
function message({ role, parts }: Turn): LanguageModelChatMessage {
  if (role === "assistant") {
    const said = parts.flatMap<LanguageModelTextPart | LanguageModelToolCallPart>((part) => {
      switch (part.kind) {
        case "text":
          return [new LanguageModelTextPart(part.text)];
        case "call":
          return [new LanguageModelToolCallPart(part.id, part.name, part.input)];
        case "result":
          return [];
      }
    });
    return LanguageModelChatMessage.Assistant(said);
  }
  const said = parts.flatMap<LanguageModelTextPart | LanguageModelToolResultPart>((part) => {
    switch (part.kind) {
      case "text":
        return [new LanguageModelTextPart(part.text)];
      case "call":
        return [];
      case "result":
        return [new LanguageModelToolResultPart(part.id, [new LanguageModelTextPart(part.text)])];
    }
  });
  return LanguageModelChatMessage.User(said);
}

/** `vscode.lm` does not say what a turn used; the model counts texts. */
async function count(model: LanguageModelChat, turns: Turn[], said: Part[]): Promise<ModelAnswer["usage"]> {
  try {
    const [input_tokens, output_tokens] = await Promise.all([
      model.countTokens(wholeText(turns)),
      model.countTokens(wholeText([{ role: "assistant", parts: said }])),
    ]);
    return { input_tokens, output_tokens };
  } catch {
    return undefined;
  }
}

function refusal(kind: ModelRefusal, message: string): ResponseError<{ kind: ModelRefusal }> {
  const code = kind === "cancelled" ? LSPErrorCodes.RequestCancelled : LSPErrorCodes.RequestFailed;
  return new ResponseError(code, message, { kind });
}

function asRefusal(error: unknown, model: LanguageModelChat): unknown {
  if (!(error instanceof LanguageModelError)) {
    return error;
  }
  switch (error.code) {
    case LanguageModelError.Blocked.name:
      return refusal("blocked", `${model.name} refused this request: ${error.message}`);
    case LanguageModelError.NoPermissions.name:
      return refusal("no_permission", `${model.name} may not be used: ${error.message}. Run "Baton: Choose Model…".`);
    case LanguageModelError.NotFound.name:
      return refusal("not_found", `${model.name} is gone: ${error.message}. Run "Baton: Choose Model…".`);
    default:
      return error;
  }
}
