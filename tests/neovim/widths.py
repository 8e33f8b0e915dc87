"""The same story on screens of every width: everything is read whole, no key is asked for, nothing is left behind."""

import sys

import terminal
from terminal import show


def whole(neovim):
    """What is said stands whole on the screen, and waits for no key."""
    neovim.settle()
    screen = neovim.screen()
    for bad in ["Press ENTER", "-- More --", "…", "E5108"]:
        assert bad not in screen, f"{bad!r} is on the screen:\n{screen}"
    notes = neovim.lua("return package.loaded['baton.note'] and require('baton.note').shown() or {}")
    right = "".join(line[-1:] and line for line in screen.splitlines())
    for note in notes:
        words = note.split()
        for word in words:
            assert word in right, f"{word!r} of {note!r} is not on the screen:\n{screen}"


def said(neovim, words):
    neovim.wait(repr(words), lambda: words in "\n".join(neovim.lua("return require('baton.log').lines()")))


def opens(neovim, command, words):
    neovim.type(f":{command}<CR>")
    neovim.sees(words)


def main():
    columns = int(sys.argv[1])
    neovim = terminal.start(columns, "{ auto = false }", "src/t1.rs")
    try:
        story(neovim)
    finally:
        neovim.process.kill()
    print("all is well")


def story(neovim):
    neovim.type(":Baton run Make both answer 1<CR>")
    said(neovim, "waits for your answer. :Baton gate")
    whole(neovim)
    show("1 gate announced", neovim)
    opens(neovim, "Baton gate", "Ask for Changes")
    show("2 gate", neovim)
    neovim.choose("Approve")
    said(neovim, "changes_requested")
    whole(neovim)
    show("3 end", neovim)
    neovim.type(":Baton gate<CR>")
    neovim.settle()
    show("4 gate after end", neovim)
    neovim.type("<Esc>")
    opens(neovim, "Baton", "Make both answer 1")
    show("5 status page", neovim)
    page = neovim.lua("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\\n')")
    for row in ["check test passed", "check lint failed: exit code 1; passes without these changes"]:
        assert row in page, f"{row!r} is not on the page:\n{page}"
    neovim.type("G")
    neovim.settle()
    show("5 status page, its end", neovim)
    neovim.type("q")
    opens(neovim, "Baton undo", "Leave everything as it is")
    show("6 undo", neovim)
    neovim.type("<Esc>")
    neovim.settle()
    # Notes go by themselves.
    neovim.wait("no note", lambda: neovim.lua("return #vim.api.nvim_list_wins()") == 1)
    whole(neovim)


if __name__ == "__main__":
    sys.exit(main())
