import { commands, ConfigurationTarget, ProgressLocation, QuickPickItemKind, window, workspace } from "vscode";
import type { LanguageModelChat, QuickPickItem } from "vscode";

import { keyedProviders, type KeyedProvider, type Keys } from "./keys";
import { settingFor, type LanguageModels } from "./languageModel";
import { settingOf } from "./lmMessages";
import type { Doctor, Tier } from "./protocol";
import type { Server } from "./server";

const TIERS: readonly { tier: Tier; label: string; detail: string }[] = [
  { tier: "fast", label: "Fast", detail: "Gathers context and does simple tasks" },
  { tier: "balanced", label: "Balanced", detail: "Does moderate and complex tasks" },
  { tier: "powerful", label: "Powerful", detail: "Plans and reviews" },
];

/** Whose models the agents use: a key, or the models that VS Code has. */
export class ModelChoice {
  constructor(
    private readonly server: Server,
    private readonly keys: Keys,
    private readonly models: LanguageModels,
    private readonly isAtWork: () => boolean,
  ) {}

  /**
   * Called from what a user did, before a run starts: where the run will use models of VS Code, the user is asked now
   * whether it may.
   */
  async isReady(): Promise<boolean> {
    if (!(await this.usesEditorModels())) {
      return true;
    }
    for (const model of await this.models.chosen()) {
      if (!(await this.mayUse(model))) {
        const choose = "Choose Model…";
        const answer = await window.showWarningMessage(`Baton may not use ${model.name}.`, choose, "Set API Key…");
        if (answer !== undefined) {
          await commands.executeCommand(answer === choose ? "batonClient.chooseModel" : "batonClient.setApiKey");
        }
        return false;
      }
    }
    return true;
  }

  async setApiKey(): Promise<void> {
    const items = keyedProviders.map((provider) => ({ label: provider.name, detail: provider.hint, provider }));
    const picked = await window.showQuickPick(items, { title: "Set API Key", placeHolder: "Whose key?" });
    if (picked === undefined) {
      return;
    }
    const key = await window.showInputBox({
      title: `${picked.provider.name} API Key`,
      prompt: "Kept in VS Code's secret storage. Leave it empty to forget the key.",
      password: true,
      ignoreFocusOut: true,
    });
    if (key !== undefined) {
      await this.use(picked.provider, key.trim() === "" ? undefined : key.trim());
    }
  }

  async chooseModel(): Promise<void> {
    const keep: QuickPickItem = {
      label: "$(key) By key",
      detail: "Anthropic's models, or what your own settings name",
    };
    const tierItems = TIERS.map((item) => ({ ...item, description: settingFor(item.tier) ?? "by default" }));
    const tier = await window.showQuickPick(
      [{ label: "All", detail: "One model for everything", tier: undefined, description: "" }, ...tierItems],
      { title: "Choose Model", placeHolder: "For which work?" },
    );
    if (tier === undefined) {
      return;
    }
    const models = await this.models.all();
    const named: QuickPickItem = {
      label: "$(edit) Another…",
      detail: "As provider:name, for example ollama:qwen3-coder",
    };
    const items: (QuickPickItem & { model?: LanguageModelChat })[] = [
      { label: "VS Code's models, on the account of their extension", kind: QuickPickItemKind.Separator },
      ...models.map((model) => ({
        label: model.name,
        description: `billed by ${model.vendor}`,
        detail: model.id,
        model,
      })),
      { label: "on your own key", kind: QuickPickItemKind.Separator },
      keep,
      named,
    ];
    const placeHolder =
      models.length === 0 ? "VS Code has no language models: Copilot or the like would bring some" : "Which model?";
    const picked = await window.showQuickPick(items, {
      title: `Choose Model: ${tier.label}`,
      placeHolder,
      matchOnDetail: true,
    });
    const setting =
      picked === undefined || (picked.model !== undefined && !(await this.mayUse(picked.model)))
        ? undefined
        : await this.settingFrom(picked, picked === keep, picked === named);
    if (setting !== undefined) {
      await this.save(tier.tier === undefined ? TIERS.map((item) => item.tier) : [tier.tier], setting.value);
    }
  }

  private async settingFrom(
    picked: QuickPickItem & { model?: LanguageModelChat },
    isDefault: boolean,
    isNamed: boolean,
  ): Promise<{ value: string | undefined } | undefined> {
    if (picked.model !== undefined || isDefault) {
      return { value: picked.model === undefined ? undefined : settingOf(picked.model) };
    }
    const value = isNamed
      ? await window.showInputBox({
          title: "Choose Model",
          placeHolder: "provider:name",
          validateInput: (text) =>
            /^\w+:\S+$/.test(text.trim()) ? undefined : "As provider:name, for example anthropic:claude-opus-5-5",
        })
      : undefined;
    return value === undefined ? undefined : { value: value.trim() };
  }

  private async save(tiers: readonly Tier[], value: string | undefined): Promise<void> {
    const configuration = workspace.getConfiguration("baton.models");
    for (const tier of tiers) {
      await configuration.update(tier, value, ConfigurationTarget.Global);
    }
    void window.showInformationMessage(
      `Baton uses ${value ?? "the default"} for ${tiers.join(", ")}, from the next run on.`,
    );
  }

  private async mayUse(model: LanguageModelChat): Promise<boolean> {
    return window.withProgress(
      { location: ProgressLocation.Window, title: `Baton: asking for ${model.name}` },
      (_progress, token) => this.models.askConsent(model, token),
    );
  }

  private async usesEditorModels(): Promise<boolean> {
    const settings = TIERS.map(({ tier }) => settingFor(tier));
    const named = settings.some((setting) => setting?.startsWith("editor:") === true);
    const environment = { ...process.env, ...(await this.keys.environment()) };
    const hasKey = "ANTHROPIC_API_KEY" in environment || "ANTHROPIC_AUTH_TOKEN" in environment;
    const byDefault = !hasKey && settings.some((setting) => setting === undefined);
    return named || (byDefault && (await this.models.areThere()));
  }

  /** Keep a key, give it to the server and see what it says. */
  private async use(provider: KeyedProvider, key: string | undefined): Promise<void> {
    const before = await this.keys.get(provider);
    await this.keys.set(provider, key);
    if (this.isAtWork()) {
      void window.showInformationMessage(
        "Baton: the key is kept. It is used and checked after the run that is at work.",
      );
      return;
    }
    await this.server.catchUp();
    if (key === undefined) {
      void window.showInformationMessage(`Baton: the ${provider.name} key is forgotten.`);
      return;
    }
    const problem = await this.checkKey(provider);
    if (problem === undefined) {
      void window.showInformationMessage(`Baton: the ${provider.name} key works.`);
      return;
    }
    const again = "Try Again";
    const anyway = "Keep It Anyway";
    const answer = await window.showErrorMessage(`Baton: ${problem}`, again, anyway);
    if (answer === anyway) {
      return;
    }
    await this.keys.set(provider, before);
    await this.server.catchUp();
    if (answer === again) {
      await this.setApiKey();
    }
  }

  /** What the server has against the models as they are now. */
  private async checkKey(provider: KeyedProvider): Promise<string | undefined> {
    const folder = workspace.workspaceFolders?.[0]?.uri.toString();
    const doctor = (await this.server.call("baton.doctor", folder === undefined ? {} : { folder })) as Doctor;
    const about = doctor.checks.find(
      ({ name, status, message }) =>
        status === "error" && (/model|key|provider/i.test(name) || message.includes(provider.variable)),
    );
    return about === undefined ? undefined : [about.message, about.fix].filter((part) => part != null).join(" ");
  }
}
