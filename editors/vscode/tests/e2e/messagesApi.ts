/** A scripted Messages API on loopback: it streams what its script says, and remembers what it was asked. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The one key that it knows. */
export const KEY = "test-key";

/** One turn of a model: a tool call. */
export interface Reply {
  tool: string;
  input: object;
}

/**
 * By agent (`context`, `plan`, `implement/T1`, `review`, `validate`): the replies of each of its conversations; the last go
 * on. Where the script says nothing of `validate`, every finding stands.
 */
export type Script = Record<string, Reply[][]>;

const STANDS: Reply = { tool: "submit_verdict", input: { reason: "The code is as it says.", refuted: false } };

interface Body {
  model: string;
  system?: unknown;
  messages: { role: string; content: unknown }[];
  tools?: { name: string }[];
}

export class MessagesApi {
  /** Requests that the script has no answer for; there should be none. */
  readonly violations: string[] = [];
  /** Which model of VS Code each agent asked, in their order. */
  readonly models: string[] = [];
  /** VS Code's models refuse everything. */
  isBlocked = false;
  private readonly requests: { agent: string; messages: string }[] = [];
  private readonly conversations = new Map<string, string[]>();
  private readonly held = new Map<string, Promise<void>>();

  private constructor(
    private readonly server: Server,
    private script: Script,
  ) {}

  static async start(script: Script): Promise<MessagesApi> {
    const server = createServer();
    const api = new MessagesApi(server, script);
    server.on("request", (request, response) => {
      api.answer(request, response).catch((error: unknown) => {
        api.violations.push(String(error));
        response.destroy();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  /** Answer so from now on, as if nothing had been asked yet. */
  restart(script: Script): void {
    this.script = script;
    this.conversations.clear();
  }

  /** What an agent was asked: the messages of each request, as JSON. */
  asked(agent: string): string[] {
    return this.requests.filter((request) => request.agent === agent).map(({ messages }) => messages);
  }

  /** Keep an agent waiting for its answers until the returned function is called. */
  hold(agent: string): () => void {
    let release!: () => void;
    this.held.set(agent, new Promise((resolve) => (release = resolve)));
    return () => {
      this.held.delete(agent);
      release();
    };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await bodyOf(request);
    if (request.url === "/scripted") {
      await this.scripted(JSON.parse(text) as Body, response);
      return;
    }
    if (request.headers["x-api-key"] !== KEY) {
      refuse(response, 401, "authentication_error", "invalid x-api-key");
    } else if (request.method === "GET" && request.url?.startsWith("/v1/models") === true) {
      response.writeHead(200, { "content-type": "application/json" }).end('{"data":[],"has_more":false}');
    } else if (request.method === "POST" && request.url === "/v1/messages") {
      await this.turn(JSON.parse(text) as Body, response);
    } else {
      refuse(response, 404, "not_found_error", "Not found");
    }
  }

  /** A turn for the extension that stands in for Copilot. */
  private async scripted(body: Body, response: ServerResponse): Promise<void> {
    const agent = agentOf(body);
    this.models.push(`${agent} ${body.model}`);
    this.requests.push({ agent, messages: JSON.stringify(body.messages) });
    await this.isFree(agent, response);
    const reply = this.isBlocked ? undefined : this.reply(agent, body);
    if (reply === undefined) {
      response.writeHead(403).end("the script has no answer");
    } else {
      response.writeHead(200).end(JSON.stringify(reply));
    }
  }

  private async isFree(agent: string, response: ServerResponse): Promise<void> {
    const gone = new Promise<void>((resolve) => response.on("close", resolve));
    await Promise.race([this.held.get(agent) ?? Promise.resolve(), gone]);
  }

  private async turn(body: Body, response: ServerResponse): Promise<void> {
    const agent = agentOf(body);
    this.requests.push({ agent, messages: JSON.stringify(body.messages) });
    const reply = this.reply(agent, body);
    if (reply === undefined) {
      this.violations.push(`the script has no reply for ${agent}`);
      refuse(response, 400, "invalid_request_error", `the script has no reply for ${agent}`);
      return;
    }
    await this.isFree(agent, response);
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    for (const event of eventsOf(reply, body.model, JSON.stringify(body).length)) {
      response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    }
    response.end();
  }

  private reply(agent: string, body: Body): Reply | undefined {
    const turn = body.messages.filter((message) => message.role === "assistant").length;
    const first = JSON.stringify(body.messages[0]?.content);
    const known = this.conversations.get(agent) ?? [];
    this.conversations.set(agent, known);
    if (!known.includes(first)) {
      known.push(first);
    }
    const rounds = this.script[agent] ?? (agent === "validate" ? [[STANDS]] : []);
    const reply = (rounds[known.indexOf(first)] ?? rounds.at(-1))?.[turn];
    return reply?.tool === "submit_review" ? { ...reply, input: { criteria: answered(body), ...reply.input } } : reply;
  }
}

/** Every criterion of the plan that a reviewer is told of first: met, where a file that is there was changed. */
function answered(body: Body): object[] {
  const text = [body.system, body.messages[0]?.content].map(textOf).join("\n");
  const section = (name: string): string => new RegExp(`<${name}>\\n(.*)\\n</${name}>`).exec(text)?.[1] ?? "{}";
  const { tasks = [] } = JSON.parse(section("plan")) as { tasks?: { id: string; acceptance_criteria: string[] }[] };
  const { results = [] } = JSON.parse(section("report")) as {
    results?: { changes: { path: string; change_type: string }[] }[];
  };
  const there = results.flatMap(({ changes }) => changes).find(({ change_type }) => change_type !== "deleted");
  // Each line of a quote is looked for by itself, in part too: one of these stands in nearly every text.
  const evidence = there === undefined ? null : { file: there.path, line: 1, quote: "e\na\nu\no\ni\n0\n1" };
  const state = evidence === null ? "unproven" : "met";
  return tasks.flatMap(({ id, acceptance_criteria }) =>
    acceptance_criteria.map((_, at) => ({ task_id: id, criterion: at + 1, evidence, state })),
  );
}

/** The text of a prompt or of a message's content. */
function textOf(content: unknown): string {
  const blocks = Array.isArray(content) ? (content as { text?: string }[]) : [];
  return typeof content === "string" ? content : blocks.map((block) => block.text ?? "").join("\n");
}

/** The submit tool on offer says who asks; an implementer's first message ends with its task. */
export function agentOf(body: { tools?: { name: string }[]; messages: { content: unknown }[] }): string {
  const offers = (tool: string): boolean => body.tools?.some(({ name }) => name === tool) ?? false;
  if (offers("submit_verdict")) {
    return "validate";
  }
  if (!offers("submit_result")) {
    return ["context", "plan", "review"].find((agent) => offers(`submit_${agent}`)) ?? "any";
  }
  const first = JSON.stringify(body.messages[0]?.content).replaceAll('\\"', '"');
  const ids = [...first.matchAll(/"id":\s*"(T\d+|FIX)"/g)].map((match) => match[1]);
  return `implement/${ids.at(-1) ?? ""}`;
}

function eventsOf(reply: Reply, model: string, characters: number): { type: string }[] {
  const json = JSON.stringify(reply.input);
  const usage = { input_tokens: Math.ceil(characters / 4), output_tokens: Math.ceil(json.length / 4) };
  const id = `toolu_${Math.random().toString(36).slice(2)}`;
  const message = { id: `msg_${id}`, type: "message", role: "assistant", model, content: [], stop_reason: null, usage };
  const delta = (partial_json: string): object => ({ type: "input_json_delta", partial_json });
  const block = { type: "tool_use", id, name: reply.tool, input: {} };
  const events: { type: string; [field: string]: unknown }[] = [
    { type: "message_start", message },
    { type: "content_block_start", index: 0, content_block: block },
    { type: "content_block_delta", index: 0, delta: delta(json.slice(0, 7)) },
    { type: "content_block_delta", index: 0, delta: delta(json.slice(7)) },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage },
    { type: "message_stop" },
  ];
  return events;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function refuse(response: ServerResponse, code: number, type: string, message: string): void {
  const body = JSON.stringify({ type: "error", error: { type, message } });
  response.writeHead(code, { "content-type": "application/json" }).end(body);
}
