import type { ExtensionContext } from "vscode";

/** A provider whose models need a key, and the variable by which the server gets it. */
export interface KeyedProvider {
  name: string;
  variable: "ANTHROPIC_API_KEY" | "OPENAI_API_KEY";
  /** Where one gets a key. */
  hint: string;
}

export const keyedProviders: readonly KeyedProvider[] = [
  { name: "Anthropic", variable: "ANTHROPIC_API_KEY", hint: "from platform.claude.com, Settings, API keys" },
  {
    name: "OpenAI-compatible",
    variable: "OPENAI_API_KEY",
    hint: "for the address in baton.endpoints.openai, or OpenAI's own",
  },
];

/** Keys, in VS Code's secret storage and nowhere else. */
export class Keys {
  constructor(private readonly context: ExtensionContext) {}

  async get(provider: KeyedProvider): Promise<string | undefined> {
    return this.context.secrets.get(provider.variable);
  }

  /** Keep a key, or forget it. */
  async set(provider: KeyedProvider, key: string | undefined): Promise<void> {
    if (key === undefined) {
      await this.context.secrets.delete(provider.variable);
    } else {
      await this.context.secrets.store(provider.variable, key);
    }
  }

  /** What the server's environment gets of them. */
  async environment(): Promise<Record<string, string>> {
    const environment: Record<string, string> = {};
    for (const provider of keyedProviders) {
      const key = await this.get(provider);
      if (key !== undefined) {
        environment[provider.variable] = key;
      }
    }
    const kept = Object.keys(environment);
    if (kept.length > 0) {
      // Messages then say where the key is kept, not the variable that nobody has set.
      environment["BATON_EDITOR_KEYS"] = kept.join(" ");
    }
    return environment;
  }
}
