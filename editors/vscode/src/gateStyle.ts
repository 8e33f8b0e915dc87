/** The looks of the gate's page, in VS Code's own colours: also in high contrast, in a narrow group, and enlarged. */
export const STYLE = `
body { padding: 0 1.2em 2em; line-height: 1.5; max-width: 60em; overflow-wrap: anywhere; }
[hidden] { display: none !important; }
header { position: sticky; top: 0; z-index: 1; background: var(--vscode-editor-background); padding: 0.6em 0;
  border-bottom: 1px solid var(--vscode-contrastBorder, var(--vscode-panel-border)); }
/* Where little is in sight, the answers do not stand before the plan. */
@media (max-height: 30em), (max-width: 22em) { header { position: static; } }
.buttons, .row { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5em; }
button { font: inherit; padding: 0.3em 0.9em; border: 1px solid var(--vscode-contrastBorder, var(--vscode-button-border, transparent));
  border-radius: 3px; cursor: pointer; color: var(--vscode-button-secondaryForeground); background: var(--vscode-button-secondaryBackground); }
button:hover { background: var(--vscode-button-secondaryHoverBackground); }
button.primary { color: var(--vscode-button-foreground); background: var(--vscode-button-background); }
button.primary:hover { background: var(--vscode-button-hoverBackground); }
button:disabled { opacity: 0.5; cursor: default; }
button:focus-visible, input:focus-visible { outline: 1px solid var(--vscode-focusBorder); outline-offset: 2px; }
button.add, .row button { padding: 0.1em 0.6em; font-size: 0.9em; }
button.file { display: inline; padding: 0; border: 0; text-align: left; background: none; color: var(--vscode-textLink-foreground); }
button.file code { color: inherit; background: none; text-decoration: underline; }
button.file:hover { color: var(--vscode-textLink-activeForeground); background: none; }
.said { margin: 0.5em 0 0; }
.said:empty { display: none; }
.head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.6em; }
.head h1, .head h2, .head h3 { flex: 0 1 auto; min-width: 0; }
.head input { align-self: center; margin: 1.4em 0 1em; }
.head input + h3 { max-width: calc(100% - 2.6em); }
.head:has(input.pick:not(:checked)) h3 { text-decoration: line-through 1px; font-weight: normal; }
textarea { box-sizing: border-box; display: block; width: 100%; max-height: 60vh; field-sizing: content; min-height: 4.6em; margin: 0.2em 0 0.4em;
  padding: 0.4em; font: inherit; resize: vertical; color: var(--vscode-input-foreground); background: var(--vscode-input-background);
  border: 1px solid var(--vscode-contrastBorder, var(--vscode-input-border, var(--vscode-panel-border))); }
textarea::placeholder { color: var(--vscode-input-placeholderForeground); }
textarea:focus-visible { outline: 1px solid var(--vscode-focusBorder); outline-offset: -1px; }
.editor { margin-bottom: 0.8em; }
.note { margin: 0.3em 0 0.7em; padding: 0.3em 0.7em 0.5em; border: 1px solid var(--vscode-contrastBorder, var(--vscode-panel-border));
  border-left: 3px solid var(--vscode-textLink-foreground); background: var(--vscode-textBlockQuote-background); }
.note p { margin: 0 0 0.3em; white-space: pre-wrap; }
.hint, .costs, .models { color: var(--vscode-descriptionForeground); }
.hint { font-size: 0.9em; }
#changes { margin-top: 0.6em; }
.warning { margin: 0.4em 0; padding: 0.3em 0.7em; border-left: 3px solid var(--vscode-editorWarning-foreground);
  background: var(--vscode-textBlockQuote-background); }
.warning.severe { border-color: var(--vscode-editorError-foreground); }
.question { margin: 0.6em 0; }
.question label { font-weight: 600; }
.check { display: block; margin: 0.4em 0; }
.check code { white-space: pre-wrap; }
.mark { color: var(--vscode-editorWarning-foreground); font-weight: 600; }
.mark.severe { color: var(--vscode-editorError-foreground); }
.mark svg { vertical-align: -1px; }
.tag { padding: 0 0.5em; border: 1px solid var(--vscode-descriptionForeground); border-radius: 1em; font-size: 0.85em;
  color: var(--vscode-descriptionForeground); }
h1 { font-size: 1.5em; margin: 0.6em 0; } h2 { font-size: 1.2em; margin: 1.2em 0 0.4em; } h3 { font-size: 1em; margin: 1.2em 0 0.4em; }
h3 code { padding: 0.1em 0.6em; border-radius: 1em; font-size: 0.85em; color: var(--vscode-badge-foreground);
  background: var(--vscode-badge-background); }
ul, ol { padding-left: 1.5em; }
pre { margin: 0.6em 0; padding: 0.5em 0.8em; white-space: pre-wrap; border-left: 3px solid var(--vscode-textBlockQuote-border);
  background: var(--vscode-textBlockQuote-background); }
code { font-family: var(--vscode-editor-font-family); font-size: 0.95em; color: var(--vscode-textPreformat-foreground); }
pre code { color: inherit; background: none; }
@media (forced-colors: active) {
  button, textarea, .note, .warning, .tag { border: 1px solid CanvasText; }
  .warning.severe { border-width: 2px; }
}
@media (prefers-reduced-motion: reduce) { * { scroll-behavior: auto !important; transition: none !important; } }
`;
