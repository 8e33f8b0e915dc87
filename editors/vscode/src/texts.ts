import { EventEmitter, Uri, workspace } from "vscode";
import type { Disposable, TextDocumentContentProvider } from "vscode";

const SCHEME = "baton-text";

/** Texts that are shown and stand in no file, read-only. */
export class Texts implements TextDocumentContentProvider, Disposable {
  private readonly kept = new Map<string, string>();
  private readonly changed = new EventEmitter<Uri>();
  private readonly registration: Disposable;
  readonly onDidChange = this.changed.event;

  constructor() {
    this.registration = workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  provideTextDocumentContent(uri: Uri): string {
    return this.kept.get(uri.toString()) ?? "";
  }

  /** Show this text under a path, whose last part is the title. */
  keep(path: string, text: string): Uri {
    const uri = Uri.from({ scheme: SCHEME, path });
    if (this.kept.get(uri.toString()) !== text) {
      this.kept.set(uri.toString(), text);
      this.changed.fire(uri);
    }
    return uri;
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}
