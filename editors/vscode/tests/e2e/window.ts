/** One window of VS Code, as its user handles it. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import type { FrameLocator, Locator, Page } from "playwright-core";

import { repository } from "./install";

/** Long, since it matters only when a test fails. */
const PATIENCE = 60_000;

export class Window {
  private pictures = 0;

  constructor(
    readonly page: Page,
    private readonly story: string,
  ) {
    page.setDefaultTimeout(PATIENCE);
  }

  async isUp(): Promise<void> {
    await this.page.locator(".monaco-workbench .statusbar").waitFor();
  }

  /** Run a command from the palette, by its whole title. The palette lists what makes sense when it opens. */
  async run(title: string): Promise<void> {
    await until(async () => {
      await this.page.keyboard.press("F1");
      const row = this.quickRows.filter({ has: this.page.getByText(title, { exact: true }) });
      try {
        // The focus may still be on its way from one part of the window to another, and take the key along.
        await this.quickInput.fill(`>${title}`, { timeout: 3000 });
        await row.first().click({ timeout: 1500 });
        return true;
      } catch {
        await this.page.keyboard.press("Escape");
        return false;
      }
    }, `the palette offers ${title}`);
  }

  /** What the palette offers of this category. */
  async offered(category: string): Promise<string[]> {
    await this.page.keyboard.press("F1");
    await this.quickInput.fill(`>${category}`);
    await this.quickRows.first().waitFor();
    const labels = await this.quickRows.locator(".label-name").allInnerTexts();
    await this.page.keyboard.press("Escape");
    return labels.filter((label) => label.startsWith(category));
  }

  /** Choose the row of the quick pick that has this text. */
  async pick(label: string): Promise<void> {
    await this.quickRows.filter({ hasText: label }).first().click();
  }

  /** Type into the input box that is open, and accept: until it is gone, as a person does. */
  async answer(text: string): Promise<void> {
    // The palette, which has no title, may still be there.
    const titles = this.page.locator(".quick-input-widget:visible .quick-input-title");
    await titles.filter({ hasText: /./ }).waitFor();
    const asked = titles.filter({ hasText: await titles.innerText() });
    await until(async () => {
      await this.quickInput.fill(text);
      await this.quickInput.press("Enter");
      try {
        await asked.waitFor({ state: "hidden", timeout: 5000 });
        return true;
      } catch {
        return false;
      }
    }, `the box takes ${text}`);
  }

  /** What is on the screen beside the editors, for the message of a step that failed. */
  async onScreen(): Promise<string> {
    const parts: [string, Locator][] = [
      ["notifications", this.page.locator(".notification-list-item")],
      ["question", this.dialog],
      ["box", this.page.locator(".quick-input-widget:visible")],
      ["status bar", this.statusBar],
    ];
    const texts = await Promise.all(parts.map(async ([name, part]) => [name, await part.allInnerTexts()] as const));
    return texts
      .filter(([, shown]) => shown.length > 0)
      .map(([name, shown]) => `${name}: ${shown.map((text) => JSON.stringify(text)).join(", ")}`)
      .join("\n");
  }

  get quickInput(): Locator {
    return this.page.locator(".quick-input-widget:visible input");
  }

  get quickRows(): Locator {
    return this.page.locator(".quick-input-widget:visible .quick-input-list .monaco-list-row");
  }

  /** The page of the gate. */
  get gate(): FrameLocator {
    return this.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
  }

  /** A page that is shown as Markdown: the one that is in sight. */
  get preview(): FrameLocator {
    return this.page.frameLocator("iframe.webview.ready:visible").frameLocator("#active-frame");
  }

  /** An offer above a line of the editor that is in sight. */
  lens(title: string): Locator {
    return this.page.locator(".editor-group-container.active .codelens-decoration a").getByText(title, { exact: true });
  }

  /** The user goes on in another window. */
  async looksAway(): Promise<void> {
    await this.focuses(false);
  }

  async looksBack(): Promise<void> {
    await this.focuses(true);
  }

  private async focuses(isHere: boolean): Promise<void> {
    await this.page.evaluate(`document.hasFocus = () => ${String(isHere)};
      window.dispatchEvent(new Event("${isHere ? "focus" : "blur"}"));`);
  }

  get statusBar(): Locator {
    return this.page.locator('.statusbar-item[id="baton.baton.baton"]');
  }

  /** Wait until the status bar says this. */
  async says(words: string): Promise<void> {
    await until(async () => (await this.statusBar.innerText()).includes(words), `the status bar says ${words}`);
  }

  /** The question that stands in front of everything. */
  get dialog(): Locator {
    return this.page.locator(".monaco-dialog-box");
  }

  /** A step of Baton's walkthrough, which is open. */
  walkthroughStep(id: string): Locator {
    return this.page.locator(`.getting-started-step[data-step-id$="#${id}"]`);
  }

  /** Whether a step of the walkthrough, which is open, is done. */
  async isTicked(id: string): Promise<boolean> {
    return (await this.walkthroughStep(id).locator(".codicon-getting-started-step-checked").count()) > 0;
  }

  /** How many groups of editors have nothing in them. */
  async emptyGroups(): Promise<number> {
    return this.page.locator(".editor-group-container.empty").count();
  }

  /** How many tabs have this title. */
  async tabs(title: string): Promise<number> {
    return this.page.locator(".tab").filter({ hasText: title }).count();
  }

  /** Replace a text in a file that is open, as a user does. */
  async replaceAll(file: string, old: string, by: string): Promise<void> {
    await this.page.locator(".tab").filter({ hasText: file }).click();
    await this.page.locator(".monaco-editor.focused").waitFor();
    await this.page.keyboard.press("Control+h");
    const widget = this.page.locator(".find-widget.visible");
    await widget.locator(".find-part textarea").fill(old);
    await widget.locator(".replace-part textarea").fill(by);
    await widget.locator(".matchesCount").filter({ hasText: / of / }).waitFor({ state: "attached" });
    await widget.locator(".replace-part textarea").press("Control+Alt+Enter");
    await this.page.locator(".editor-group-container.active .tab.active.dirty").waitFor();
    await this.page.keyboard.press("Escape");
  }

  /** A notification that has this text. */
  notification(text: string | RegExp): Locator {
    // The end of a progress says the same for a moment.
    return this.page.locator(".notification-list-item").filter({ hasText: text }).first();
  }

  /** The buttons of a notification that has this text, of which it has some. */
  async buttons(text: string | RegExp): Promise<string[]> {
    const buttons = this.notification(text).locator(".notification-list-item-buttons-container .monaco-button");
    // They come after the text.
    await buttons.first().waitFor();
    return buttons.allInnerTexts();
  }

  /** A row of Baton's view. */
  row(label: string): Locator {
    return this.page.locator(".sidebar .monaco-list-row").filter({ hasText: label }).first();
  }

  /** Press a button of a notification. */
  async press(button: string): Promise<void> {
    await this.page.locator(".notification-list-item").getByRole("button", { name: button }).first().click();
  }

  async clearNotifications(): Promise<void> {
    await this.run("Notifications: Clear All Notifications");
  }

  /** A row of the Problems panel. */
  problem(text: string): Locator {
    return this.page.locator(".markers-panel .monaco-list-row").filter({ hasText: text });
  }

  async showProblems(): Promise<void> {
    await this.run("Problems: Focus on Problems View");
    await this.page.locator(".markers-panel").waitFor();
  }

  /** Where the cursor stands, as the status bar has it. */
  async cursor(): Promise<string> {
    return this.page.locator('.statusbar-item[id="status.editor.selection"]').innerText();
  }

  /** Choose from the quick fixes at the cursor. */
  async quickFix(title: string, look?: () => Promise<void>): Promise<void> {
    const menu = this.page.locator(".action-widget .monaco-list-row.action");
    await until(async () => {
      await this.page.keyboard.press("Control+.");
      try {
        await menu.filter({ hasText: title }).first().waitFor({ timeout: 2000 });
        return true;
      } catch {
        await this.page.keyboard.press("Escape");
        return false;
      }
    }, `there is a quick fix ${title}`);
    await look?.();
    await menu.filter({ hasText: title }).first().click();
  }

  /** Which of these extensions were started; the first of them must be. */
  async runningExtensions(...names: [string, ...string[]]): Promise<string[]> {
    await this.run("Developer: Show Running Extensions");
    const rows = this.page.locator(".runtime-extensions-editor .extension");
    await rows.filter({ hasText: names[0] }).first().waitFor();
    const all = await rows.locator(".name").allInnerTexts();
    await this.page.keyboard.press("Escape");
    return names.filter((name) => all.includes(name));
  }

  async reload(): Promise<void> {
    const loaded = this.page.waitForEvent("load");
    await this.run("Developer: Reload Window");
    await loaded;
    await this.isUp();
  }

  async openFile(path: string): Promise<void> {
    await this.page.keyboard.press("Control+p");
    await this.quickInput.fill(path);
    await this.quickRows
      .filter({ hasText: path.split("/").at(-1) ?? path })
      .first()
      .waitFor();
    await this.page.keyboard.press("Enter");
    await this.page
      .locator(".tab.active")
      .filter({ hasText: path.split("/").at(-1) ?? path })
      .waitFor();
  }

  /** Type at the end of the line in the editor. */
  async type(text: string): Promise<void> {
    await this.page.locator(".editor-instance .view-line").first().click();
    await this.page.locator(".monaco-editor.focused").waitFor();
    await this.page.keyboard.press("End");
    await this.page.keyboard.type(text);
  }

  /** Keep a picture, for people to look at. */
  async picture(name: string): Promise<void> {
    const folder = join(repository, "target", "vscode-screenshots");
    mkdirSync(folder, { recursive: true });
    this.pictures += 1;
    const file = `${this.story}-${String(this.pictures).padStart(2, "0")}-${name}.png`;
    await this.page.screenshot({ path: join(folder, file) });
  }
}

/** Look again and again, until it is so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while (!(await isSo())) {
    if (Date.now() > deadline) {
      throw new Error(`not so: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
