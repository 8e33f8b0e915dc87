"""The whole story on a screen of 80 columns and 24 lines: start, live, gate, a round of notes, approval, issues, a
change undone, and all of it undone by the history. Prints the screens."""

import pathlib
import sys
import time

import terminal
from terminal import show

terminal.LINES = 24


def shows(title, neovim, *words):
    screen = show(title, neovim)
    text = " ".join(screen.split())
    for one in words:
        assert one in text, f"{one!r} is not on the screen:\n{screen}"
    for bad in ["Press ENTER", "-- More --", "E5108", "Error"]:
        assert bad not in screen, f"{bad!r} is on the screen:\n{screen}"


def said(neovim, words):
    neovim.wait(repr(words), lambda: words in "\n".join(neovim.lua("return require('baton.log').lines()")))


def has(neovim, command):
    """Whether the server has this command: an older one has not all of them."""
    return neovim.lua(
        "return vim.list_contains(vim.lsp.get_clients({ name = 'baton' })[1]"
        ".server_capabilities.executeCommandProvider.commands, ...)", command
    )


def buffer_name(neovim):
    return neovim.lua("return vim.api.nvim_buf_get_name(0)")


def plan_waits(neovim, version):
    neovim.wait(f"plan {version}", lambda: neovim.lua(
        "local waiting = require('baton.question').pending()[1]"
        " return waiting and waiting.gate and waiting.gate.plan.plan_version == ... or false", version
    ))


def gate(neovim):
    neovim.type(":Baton run Make both answer 1<CR>")
    plan_waits(neovim, 1)
    neovim.type(":Baton<CR>")
    neovim.sees("Task Make both answer 1")
    shows("1 where it stands", neovim, "The plan (version 1, 2 tasks) waits", "1 Approve")
    neovim.type("q:Baton gate<CR>")
    neovim.sees("Your answer:")
    shows("2 the gate", neovim, "Plan, version 1", "1: Read the Plan", "2: Approve", "Ask for Changes")


def notes(neovim):
    """A round of notes: read, note, send, the next plan."""
    begun = time.monotonic()
    neovim.choose("Read the Plan")
    neovim.wait("the cursor in the plan", lambda: buffer_name(neovim) == "baton://plan")
    neovim.type("/### T2<CR>c")
    neovim.sees("Note on T2:")
    neovim.type("Keep its name.<CR>And its type.")
    shows("3 a note", neovim, "Keep its name.", "And its type.", "<C-s> takes it")
    neovim.type("<C-s>")
    neovim.sees("noted on T2; s sends all notes")
    text = pathlib.Path(".agent_memory/plan.md").read_text()
    assert "\n> Keep its name.\n> And its type.\n" in text, text
    neovim.sees("▌ Keep its name. ▌ And its type.")
    shows("4 the note at its place", neovim, "▌ Keep its name.")
    # Whoever approves now is asked.
    neovim.type("gg<CR>")
    neovim.choose("Approve")
    neovim.sees("1 note on the plan was not sent.")
    shows("5 approval asks about notes", neovim, "1: Send", "2: Approve Without", "3: Cancel")
    neovim.choose("Send")
    plan_waits(neovim, 2)
    seconds = time.monotonic() - begun
    sent = pathlib.Path(".agent_memory/history/0001-revise/feedback.md").read_text()
    assert "> Keep its name.\n> And its type." in sent, sent
    print(f"a round of notes took {seconds:.1f} s, of which the models took none")
    neovim.type(":Baton gate<CR>")
    neovim.sees("Plan 2 (2 tasks) waits. Your answer:")
    shows("6 the next plan", neovim, "Plan, version 2", "Changed since version 1")


def work(neovim):
    # Which tasks: all are picked, and what depends on one that is left out goes with it.
    neovim.choose("Approve Some of the Tasks")
    neovim.sees("[x] T2 The title of T2 (after T1)")
    neovim.type("<Space>")
    neovim.sees("[ ] T2 The title of T2 (after T1)")
    shows("7 which tasks", neovim, "[ ] T1 The title of T1", "<Space> pick")
    neovim.type("<Space>j<Space><CR>")
    said(neovim, "changes_requested")
    neovim.type(":Baton<CR>")
    neovim.sees("Accept as Is")
    shows("8 after the review", neovim, "Task Make both answer 1", "Undo")
    page = neovim.lua("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\\n')")
    summary = neovim.lua("return require('baton.issues').summary(vim.fs.normalize(vim.fn.getcwd()))")
    assert f"Review {summary}" in page, page
    neovim.type("q:Baton issues<CR>")
    neovim.sees("error| critical: It loses data.")
    shows("9 issues", neovim, "warning| major: It is wrong.")
    neovim.type(":cclose<CR>")


def back(neovim):
    neovim.type(":edit src/t1.rs<CR>")
    neovim.sees("    1".strip())
    if has(neovim, "baton.keep"):
        neovim.sees("▎T1")
        neovim.type("/    1<CR>")
        shows("10 a change of T1", neovim, "▎T1")
        neovim.type(":Baton undo change<CR>")
        neovim.wait("the change is gone", lambda: "    0" in pathlib.Path("src/t1.rs").read_text())
        shows("11 the change undone", neovim, "pub fn t1")
    if has(neovim, "baton.history"):
        neovim.type(":Baton history<CR>")
        neovim.sees("Workflows, newest first")
        shows("12 history", neovim, "Make both answer 1")
        neovim.type("1<CR>")
        neovim.sees("1: Undo")
        shows("13 what to do with it", neovim, "Log")
        neovim.choose("Undo")
        neovim.sees("Undo what agents did? It would restore")
        shows("14 what would be undone", neovim, "src/t2.rs", "2: Leave everything as it is")
        neovim.choose("Undo")
    else:
        neovim.type(":Baton! undo<CR>")
    neovim.wait("all is as it was", lambda: "    0" in pathlib.Path("src/t1.rs").read_text())
    neovim.sees("pub fn t1")
    shows("15 undone", neovim, "0")


def main():
    neovim = terminal.start(int(sys.argv[1]), "{ auto = false }", "src/t1.rs")
    try:
        gate(neovim)
        notes(neovim)
        work(neovim)
        back(neovim)
    finally:
        neovim.process.kill()
    print("all is well")


if __name__ == "__main__":
    sys.exit(main())
