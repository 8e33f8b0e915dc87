/** The server's settings that VS Code may hold. A test compares them with the server's table. */

import { workspace, type ConfigurationScope } from "vscode";

export const serverSettings = [
  "memory_dir",
  "context_staleness_hours",
  "models.fast",
  "models.balanced",
  "models.powerful",
  "effort.fast",
  "effort.balanced",
  "effort.powerful",
  "max_parallel_tasks",
  "max_review_cycles",
  "max_repair_rounds",
  "review_validation",
  "budget_usd",
  "budget_tokens",
  "checkpoint",
  "sandbox",
  "keep_runs",
] as const;

/**
 * What the user or the workspace set, as the object the server asks for. Defaults are left out: VS Code would give them
 * as if they were set, and they would win over baton.toml.
 */
export function settingsThatAreSet(scope: ConfigurationScope | undefined): Record<string, unknown> {
  const configuration = workspace.getConfiguration("baton", scope);
  const set: Record<string, unknown> = {};
  for (const key of serverSettings) {
    const found = configuration.inspect(key);
    const value = found?.workspaceFolderValue ?? found?.workspaceValue ?? found?.globalValue;
    if (value !== undefined && value !== null) {
      put(set, key.split("."), value);
    }
  }
  return set;
}

function put(into: Record<string, unknown>, [name, ...rest]: string[], value: unknown): void {
  if (name === undefined) {
    return;
  }
  if (rest.length === 0) {
    into[name] = value;
  } else {
    const inner = (into[name] ??= {}) as Record<string, unknown>;
    put(inner, rest, value);
  }
}
