const vscode = require("vscode");

/** The test's server, which has the script. */
const url = process.env["SCRIPTED_MODELS"];

const model = (id) => ({
  id,
  name: `Scripted ${id}`,
  family: id,
  version: "1",
  maxInputTokens: 100_000,
  maxOutputTokens: 10_000,
  capabilities: { toolCalling: true },
});

/** A message as the Messages API has it. */
function plain({ role, content }) {
  const parts = [...content].map((part) => {
    if (part instanceof vscode.LanguageModelTextPart) return part.value;
    if (part instanceof vscode.LanguageModelToolResultPart) return part.content.map(({ value }) => value).join("\n");
    return "a call";
  });
  return { role: role === vscode.LanguageModelChatMessageRole.User ? "user" : "assistant", content: parts.join("\n") };
}

/** What a language's tools know of a file: something that no grammar sees in it. */
const symbols = {
  provideDocumentSymbols(document) {
    const line = document.lineAt(2).range;
    return [new vscode.DocumentSymbol("shown", "", vscode.SymbolKind.Function, line, line)];
  },
};

/** Calls the tool of Baton's, as an agent does, and shows what it answers in an editor. */
let call;
async function reviewByTool() {
  const base = await vscode.window.showInputBox({ title: "Base" });
  if (base === undefined) return;
  call = new vscode.CancellationTokenSource();
  const answer = (text) => vscode.workspace.openTextDocument({ content: text }).then(vscode.window.showTextDocument);
  try {
    const options = { input: base ? { base } : {}, toolInvocationToken: undefined };
    const { content } = await vscode.lm.invokeTool("baton_review", options, call.token);
    await answer(content.map(({ value }) => value).join("\n"));
  } catch (error) {
    await answer(`The tool failed: ${error.name}: ${error.message}`);
  }
}

exports.activate = (context) => {
  context.subscriptions.push(
    vscode.commands.registerCommand("scripted.review", reviewByTool),
    vscode.commands.registerCommand("scripted.stop", () => call?.cancel()),
  );
  context.subscriptions.push(vscode.languages.registerDocumentSymbolProvider({ pattern: "**/main.py" }, symbols));
  const provider = {
    provideLanguageModelChatInformation: () => [model("mini"), model("large")],
    provideTokenCount: (_model, text) => Math.ceil((typeof text === "string" ? text : JSON.stringify(text)).length / 4),
    async provideLanguageModelChatResponse(model, messages, options, progress, token) {
      const stop = new AbortController();
      token.onCancellationRequested(() => stop.abort());
      // The first message is the system prompt, which vscode.lm has no other place for.
      const [system, ...turns] = messages.map(plain);
      const body = { model: model.id, system: system.content, messages: turns, tools: options.tools ?? [] };
      let response;
      try {
        response = await fetch(`${url}/scripted`, { method: "POST", body: JSON.stringify(body), signal: stop.signal });
      } catch (error) {
        if (token.isCancellationRequested) return;
        throw error;
      }
      if (response.status === 403) throw vscode.LanguageModelError.Blocked(await response.text());
      const { tool, input } = await response.json();
      progress.report(new vscode.LanguageModelTextPart("I answer by a tool."));
      progress.report(new vscode.LanguageModelToolCallPart(`call_${Math.random()}`, tool, input));
    },
  };
  context.subscriptions.push(vscode.lm.registerLanguageModelChatProvider("scripted", provider));
};
