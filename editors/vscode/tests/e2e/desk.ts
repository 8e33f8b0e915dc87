/** A user's desk: a home, a project, VS Code with the extension installed from its .vsix, and a browser to see it in. */

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { createVSIX } from "@vscode/vsce";
import { chromium, type Browser } from "playwright-core";

import { packageRoot, type Installed } from "./install";
import { PROJECT } from "./story";
import { until, Window } from "./window";

export interface DeskOptions {
  /** Ask whether a workspace is trusted, as VS Code does by default. */
  asksForTrust?: boolean;
  /** Address of the scripted models. */
  messagesApi: string;
  /** A key in the environment that VS Code was started from. */
  key?: string;
  /** Install the extension that stands in for Copilot. */
  hasEditorModels?: boolean;
  /** Turn VS Code's git extension on. */
  hasGit?: boolean;
  /** The language of VS Code; English by default. */
  locale?: string;
}

export class Desk {
  private constructor(
    readonly project: string,
    private readonly root: string,
    private readonly port: number,
    private readonly codeServer: ChildProcess,
    private readonly browser: Browser,
    private readonly locale: string | undefined,
  ) {}

  static async set(installed: Installed, options: DeskOptions): Promise<Desk> {
    const root = mkdtempSync(join(tmpdir(), "baton-vscode-"));
    const project = join(root, "project");
    writeProject(project);
    const env = {
      // With npm, which comes beside the node that runs the tests.
      PATH: `${installed.node}:/usr/bin:/bin:${dirname(process.execPath)}`,
      HOME: join(root, "home"),
      XDG_CONFIG_HOME: join(root, "home/.config"),
      XDG_DATA_HOME: join(root, "home/.local/share"),
      XDG_STATE_HOME: join(root, "home/.local/state"),
      XDG_CACHE_HOME: join(root, "home/.cache"),
      LANG: "C.UTF-8",
      NO_PROXY: "127.0.0.1",
      ANTHROPIC_BASE_URL: options.messagesApi,
      SCRIPTED_MODELS: options.messagesApi,
      ...(options.key === undefined ? {} : { ANTHROPIC_API_KEY: options.key }),
    };
    const settings = join(root, "data/User/settings.json");
    mkdirSync(dirname(settings), { recursive: true });
    writeFileSync(settings, JSON.stringify({ ...SETTINGS, "git.enabled": options.hasGit === true }));
    const extensions = join(root, "extensions");
    const flags = [
      "--user-data-dir",
      join(root, "data"),
      "--extensions-dir",
      extensions,
      "--config",
      join(root, "code-server.yaml"),
    ];
    const node = join(installed.node, "node");
    execFileSync(node, [installed.codeServer, ...flags, "--install-extension", installed.vsix], { env, stdio: "pipe" });
    if (options.hasEditorModels === true) {
      const provider = join(packageRoot, "tests", "e2e", "lm-provider");
      execFileSync(node, [installed.codeServer, ...flags, "--install-extension", await packed(provider, root)], {
        env,
        stdio: "pipe",
      });
    }
    const port = await freePort();
    const trust = options.asksForTrust === true ? [] : ["--disable-workspace-trust"];
    const listen = ["--bind-addr", `127.0.0.1:${String(port)}`, "--auth", "none", "--reconnection-grace-time", "5"];
    const quiet = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"];
    const codeServer = spawn(node, [installed.codeServer, ...flags, ...listen, ...quiet, ...trust], {
      env,
      stdio: "ignore",
    });
    await isUp(`http://127.0.0.1:${String(port)}/healthz`);
    const browser = await chromium.launch({ executablePath: installed.chromium, args: BROWSER_FLAGS });
    return new Desk(project, root, port, codeServer, browser, options.locale);
  }

  read(file: string): string {
    return readFileSync(join(this.project, file), "utf8");
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.project, file)), { recursive: true });
    writeFileSync(join(this.project, file), text);
  }

  /** Run git in the project. */
  git(...args: string[]): string {
    return git(this.project, ...args);
  }

  /** Settings of the machine, which are not the user's own where VS Code runs in a browser. */
  setForMachine(settings: object): void {
    const file = join(this.root, "data/Machine/settings.json");
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(settings));
  }

  /** The programs of Baton's servers that run for this desk. */
  servers(): string[] {
    return this.serverProcesses().map(({ program }) => program);
  }

  private serverProcesses(): { pid: number; program: string }[] {
    const processes = readdirSync("/proc").map((pid) => {
      try {
        return { pid: Number(pid), program: readlinkSync(`/proc/${pid}/exe`) };
      } catch {
        // No process, or one that is gone.
        return { pid: 0, program: "" };
      }
    });
    return processes.filter(({ program }) => program.startsWith(this.root) && program.endsWith("/baton"));
  }

  has(file: string): boolean {
    return existsSync(join(this.project, file));
  }

  /** End the programs of Baton's servers at once, as a crash does. */
  crashServers(): void {
    for (const { pid } of this.serverProcesses()) {
      process.kill(pid, "SIGKILL");
    }
  }

  /** Another project of the same content, in a folder of this name beside the first. */
  addProject(name: string): string {
    const project = join(this.root, name);
    writeProject(project);
    return project;
  }

  /** Open the project in a window. */
  async open(screenshots: string): Promise<Window> {
    return this.openUrl(screenshots, `folder=${encodeURIComponent(this.project)}`);
  }

  /** Open a window with no folder. */
  async openEmpty(screenshots: string): Promise<Window> {
    return this.openUrl(screenshots, "ew=true");
  }

  /** Open several folders in one window. */
  async openFolders(screenshots: string, folders: string[]): Promise<Window> {
    const workspace = join(this.root, "all.code-workspace");
    writeFileSync(workspace, JSON.stringify({ folders: folders.map((path) => ({ path })) }));
    return this.openUrl(screenshots, `workspace=${encodeURIComponent(workspace)}`);
  }

  private async openUrl(screenshots: string, what: string): Promise<Window> {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1 });
    const page = await context.newPage();
    if (this.locale !== undefined) {
      // As a language pack sets it, of which there is none here: the words of VS Code itself stay English.
      const language = JSON.stringify(this.locale);
      const script = `Object.defineProperty(globalThis, "_VSCODE_NLS_LANGUAGE", { get: () => ${language}, set: () => {} });`;
      await page.addInitScript(script);
    }
    await page.goto(`http://127.0.0.1:${String(this.port)}/?${what}`);
    const window = new Window(page, screenshots);
    await window.isUp();
    return window;
  }

  async clear(): Promise<void> {
    await this.browser.close();
    const over = new Promise((resolve) => this.codeServer.once("exit", resolve));
    this.codeServer.kill();
    await over;
    try {
      // What is left of its group: extension hosts, each of which takes its server along.
      process.kill(-(this.codeServer.pid ?? Number.NaN), "SIGKILL");
    } catch {
      // Nothing is left.
    }
    await until(() => this.servers().length === 0, "the servers end with VS Code");
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.tips.enabled": false,
  "extensions.ignoreRecommendations": true,
  "files.autoSave": "off",
  "terminal.integrated.gpuAcceleration": "off",
  "workbench.quickOpen.closeOnFocusLost": false,
  "security.workspace.trust.startupPrompt": "always",
  "window.menuBarVisibility": "hidden",
  "workbench.layoutControl.enabled": false,
  "window.commandCenter": false,
};

const BROWSER_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

async function packed(extension: string, folder: string): Promise<string> {
  const packagePath = join(folder, "extension.vsix");
  const options = { cwd: extension, packagePath, dependencies: false, allowMissingRepository: true, skipLicense: true };
  await createVSIX(options);
  return packagePath;
}

function writeProject(project: string): void {
  for (const [path, text] of Object.entries(PROJECT)) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }
  git(project, "init", "--quiet", "--initial-branch=main");
  git(project, "add", ".");
  git(project, "commit", "--quiet", "--message=A greeter");
}

function git(project: string, ...args: string[]): string {
  const author = ["-c", "user.name=Ada", "-c", "user.email=ada@localhost"];
  return execFileSync("git", ["-C", project, ...author, ...args], { stdio: "pipe", encoding: "utf8" });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}

async function isUp(url: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      if ((await fetch(url)).ok) {
        return;
      }
    } catch {
      // It does not listen yet.
    }
    if (Date.now() > deadline) {
      throw new Error(`${url} does not answer`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
