import { commands, ConfigurationTarget, ProgressLocation, QuickPickItemKind, window, workspace } from "vscode";
import type { LanguageModelChat, QuickPickItem } from "vscode";

import { keyedProviders, type KeyedProvider, type Keys } from "./keys";
import { editorModelFor, type LanguageModels } from "./languageModel";
import { nameOf } from "./lmMessages";
import type { Doctor, Tier } from "./protocol";
import { showError, type Gatekeeper, type Later, type Server } from "./server";

const TIERS: readonly { tier: Tier; label: string; detail: string }[] = [
  { tier: "fast", label: "Fast", detail: "Gathers context and does simple tasks" },
  { tier: "balanced", label: "Balanced", detail: "Does moderate and complex tasks" },
  { tier: "powerful", label: "Powerful", detail: "Plans and reviews" },
];

interface Choice extends QuickPickItem {
  model?: LanguageModelChat;
  /** The user writes its name. */
  isNamed?: boolean;
}

/** A start that waits for a model. */
interface Waiting {
  start: () => Promise<unknown>;
  isStarted: () => void;
}

/** What it asks of the window, and tells it. */
interface Surroundings {
  isAtWork: () => boolean;
  /** The demo needs no model: its answers are recorded. */
  isDemo: () => boolean;
  /** A key or a model turned out to work. */
  onUsable: () => void;
}

/** Whose models the agents use: a key, or the models that VS Code has. */
export class ModelChoice implements Gatekeeper {
  /** Started once there is a model. It is given up when the user closes the message about it. */
  private waiting: Waiting | undefined;
  /** A key was kept while a run was at work, and the server does not know it yet. */
  private isKeyDue = false;

  constructor(
    private readonly server: Server,
    private readonly keys: Keys,
    private readonly models: LanguageModels,
    private readonly surroundings: Surroundings,
  ) {}

  /**
   * Called from what a user did, before work starts: where it will use models of VS Code, the user is asked now whether
   * it may. Where nothing seems to serve at all, the server is asked.
   */
  async beforeStart(start: () => Promise<unknown>): Promise<Later | undefined> {
    if (this.surroundings.isDemo()) {
      return undefined;
    }
    const problem = (await this.usesEditorModels())
      ? await this.problemWithEditorModels()
      : await this.problemWithoutKey();
    return problem === undefined ? undefined : this.putOff(problem, start);
  }

  async afterRefusal(start: () => Promise<unknown>): Promise<Later | undefined> {
    const problem = await this.problemWithModels(["models", "key"]).catch(() => undefined);
    return problem === undefined ? undefined : this.putOff(problem, start);
  }

  /** The server was started with what there is now. */
  async onServerCaughtUp(): Promise<void> {
    if (this.isKeyDue) {
      this.isKeyDue = false;
      await this.startWaiting();
    }
  }

  private putOff(problem: string, start: () => Promise<unknown>): Later {
    const key = "Set API Key…";
    const choose = "Choose Model…";
    const started = new Promise<void>((isStarted) => {
      const waiting = { start, isStarted };
      this.waiting = waiting;
      // Not waited for: whoever asked to start need not wait for an answer.
      const message = `Baton: ${problem.replace(/[.\s]*$/, "")}. Once there is a model, the run starts by itself.`;
      void window.showWarningMessage(message, key, choose).then((answer) => {
        if (answer !== undefined) {
          void commands.executeCommand(answer === key ? "batonClient.setApiKey" : "batonClient.chooseModel");
        } else if (this.waiting === waiting) {
          this.waiting = undefined;
        }
      });
    });
    return { started };
  }

  private async startWaiting(): Promise<void> {
    const { waiting } = this;
    this.waiting = undefined;
    try {
      await waiting?.start();
      waiting?.isStarted();
    } catch (error) {
      showError(error);
    }
  }

  /** True when there is a key that may serve now. */
  async setApiKey(): Promise<boolean> {
    const items = keyedProviders.map((provider) => ({ label: provider.name, detail: provider.hint, provider }));
    const picked = await window.showQuickPick(items, { title: "Set API Key", placeHolder: "Whose key?" });
    if (picked === undefined) {
      return false;
    }
    const key = await window.showInputBox({
      title: `${picked.provider.name} API Key`,
      prompt: "Kept in VS Code's secret storage. Leave it empty to forget the key.",
      password: true,
      ignoreFocusOut: true,
    });
    return key !== undefined && (await this.use(picked.provider, key.trim() === "" ? undefined : key.trim()));
  }

  async chooseModel(): Promise<void> {
    const tier = await window.showQuickPick(
      [
        { label: "All", detail: "One model for everything", tiers: TIERS.map(({ tier }) => tier), description: "" },
        ...eachTier(),
      ],
      { title: "Choose Model", placeHolder: "For which work?" },
    );
    const picked = tier === undefined ? undefined : await this.pickModel(tier.label);
    if (tier === undefined || picked === undefined) {
      return;
    }
    const { model } = picked;
    if (model !== undefined && !(await this.mayUse(model))) {
      void window.showWarningMessage(`Baton may not use ${model.name}. The choice stays as it was.`);
      return;
    }
    const name = picked.isNamed ? await askForName() : undefined;
    if (picked.isNamed && name === undefined) {
      return;
    }
    for (const each of tier.tiers) {
      await choose(
        each,
        model === undefined ? name : `editor:${each}`,
        model === undefined ? undefined : nameOf(model),
      );
    }
    if (model !== undefined) {
      this.surroundings.onUsable();
    }
    const chosen = model?.name ?? name ?? "Baton's default";
    void window.showInformationMessage(`Baton uses ${chosen} from the next run on, for ${tier.tiers.join(", ")}.`);
    await this.startWaiting();
  }

  private async pickModel(tier: string): Promise<Choice | undefined> {
    const models = await this.models.all();
    const separator = (label: string): Choice => ({ label, kind: QuickPickItemKind.Separator });
    const items: Choice[] = [
      separator("VS Code's models, on the account of their extension"),
      ...models.map((model) => ({
        label: model.name,
        description: `billed by ${model.vendor}`,
        detail: model.id,
        model,
      })),
      separator("on your own key"),
      { label: "$(key) By default", detail: "Anthropic's models, or what your own settings name" },
      { label: "$(edit) Another…", detail: "As provider:name, for example ollama:qwen3-coder", isNamed: true },
    ];
    const none = "VS Code has no language models; Copilot or the like would bring some";
    const placeHolder = models.length === 0 ? none : "Which model?";
    return window.showQuickPick(items, { title: `Choose Model: ${tier}`, placeHolder, matchOnDetail: true });
  }

  private async problemWithEditorModels(): Promise<string | undefined> {
    for (const model of await this.models.chosen()) {
      if (!(await this.mayUse(model))) {
        return `VS Code does not let Baton use ${model.name}.`;
      }
    }
    return undefined;
  }

  private async problemWithoutKey(): Promise<string | undefined> {
    return (await this.hasKey()) ? undefined : this.problemWithModels(["models"]);
  }

  private async hasKey(): Promise<boolean> {
    const environment = { ...process.env, ...(await this.keys.environment()) };
    return "ANTHROPIC_API_KEY" in environment || "ANTHROPIC_AUTH_TOKEN" in environment;
  }

  private async mayUse(model: LanguageModelChat): Promise<boolean> {
    return window.withProgress(
      { location: ProgressLocation.Window, title: `Baton: asking for ${model.name}` },
      (_progress, token) => this.models.askConsent(model, token),
    );
  }

  private async usesEditorModels(): Promise<boolean> {
    const settings = TIERS.map(({ tier }) => modelFor(tier));
    const named = settings.some((setting) => setting.startsWith("editor:"));
    const byDefault = !(await this.hasKey()) && settings.some((setting) => setting === "");
    return named || (byDefault && (await this.models.areThere()));
  }

  /** Keep a key, give it to the server and see what it says; true when it may serve now. */
  private async use(provider: KeyedProvider, key: string | undefined): Promise<boolean> {
    const before = await this.keys.get(provider);
    await this.keys.set(provider, key);
    if (this.surroundings.isAtWork()) {
      this.isKeyDue = key !== undefined;
      void window.showInformationMessage(
        "Baton: the key is kept. It is used and checked after the run that is at work.",
      );
      return false;
    }
    await this.server.catchUp();
    if (key === undefined) {
      void window.showInformationMessage(`Baton: the ${provider.name} key is forgotten.`);
      return false;
    }
    const problem = await this.problemWithModels(["key", "endpoint", "models"], provider.variable);
    if (problem !== undefined) {
      const again = "Try Again";
      const anyway = "Keep It Anyway";
      const message = `Baton: the ${provider.name} key does not work: ${problem}`;
      const answer = await window.showErrorMessage(message, again, anyway);
      if (answer !== anyway) {
        await this.keys.set(provider, before);
        await this.server.catchUp();
        return answer === again && (await this.setApiKey());
      }
    } else {
      this.surroundings.onUsable();
      void window.showInformationMessage(`Baton: the ${provider.name} key works.`);
    }
    await this.startWaiting();
    return true;
  }

  /** What the server has against the models as they are now: the fault of one of these checks, or about a word. */
  private async problemWithModels(names: string[], about?: string): Promise<string | undefined> {
    const folder = workspace.workspaceFolders?.[0]?.uri.toString();
    const doctor = (await this.server.call("baton.doctor", folder === undefined ? {} : { folder })) as Doctor;
    const isMeant = ({ name, message }: Doctor["checks"][number]): boolean =>
      names.includes(name) || (about !== undefined && message.includes(about));
    const wrong = doctor.checks.find((check) => check.status === "error" && isMeant(check));
    return wrong?.message;
  }
}

/** `provider:name` as it is set for a tier, or nothing. */
function modelFor(tier: Tier): string {
  return workspace.getConfiguration("baton.models").get<string | null>(tier) ?? "";
}

function eachTier(): (QuickPickItem & { tiers: Tier[] })[] {
  return TIERS.map(({ tier, label, detail }) => {
    const set = modelFor(tier);
    const editor = editorModelFor(tier);
    const description = set.startsWith("editor:") && editor !== "" ? editor : set === "" ? "by default" : set;
    return { label, detail, description, tiers: [tier] };
  });
}

async function choose(tier: Tier, model: string | undefined, editorModel: string | undefined): Promise<void> {
  const configuration = workspace.getConfiguration("baton");
  await configuration.update(`models.${tier}`, model, ConfigurationTarget.Global);
  await configuration.update(`editorModels.${tier}`, editorModel, ConfigurationTarget.Global);
}

async function askForName(): Promise<string | undefined> {
  const hint = "As provider:name, for example anthropic:claude-opus-5-5";
  const name = await window.showInputBox({
    title: "Choose Model",
    placeHolder: "provider:name",
    prompt: hint,
    validateInput: (text) => (/^\w+:\S+$/.test(text.trim()) ? undefined : hint),
  });
  return name?.trim();
}
