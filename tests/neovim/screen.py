"""A user at a real screen: Neovim with a UI attached, keys typed, the screen read.

Prints the screens at the gate and after the review.
"""

import sys
import time

import terminal
from terminal import show


def main():
    neovim = terminal.start(int(sys.argv[1]), "{ idle_ms = 700 }", "notes.txt")
    try:
        session(neovim)
    finally:
        neovim.process.kill()


def session(neovim):
    neovim.type(":Baton run Make both answer 1<CR>")
    # The user goes on typing. The plan comes meanwhile, is announced, and takes nothing.
    neovim.type("i")
    typed = ""
    while "waits for your answer" not in neovim.screen():
        neovim.type("word ")
        typed += "word "
        assert len(typed) < 5 * 20 * terminal.PATIENCE, f"no plan came:\n{neovim.screen()}"
        neovim.read(0.05)
    # Longer than the user would have to be idle in normal mode.
    until = time.monotonic() + 2
    while time.monotonic() < until:
        neovim.type("x")
        typed += "x"
        neovim.read(0.1)
    neovim.settle()
    assert neovim.mode == "insert", f"mode {neovim.mode}:\n{neovim.screen()}"
    assert neovim.lua("return vim.api.nvim_buf_get_lines(0, 0, 1, true)[1]") == typed, "no key is lost"
    # In the corner that is away from the cursor.
    note = "Baton: Plan 1 (2 tasks) waits for your answer. :Baton gate"
    assert any(line.endswith(note) for line in neovim.screen().splitlines()), neovim.screen()
    show("while typing", neovim)
    windows = (
        "return vim.iter(vim.api.nvim_list_wins())"
        ":filter(function(window) return vim.api.nvim_win_get_config(window).focusable end)"
    )
    assert len(neovim.lua(windows + ":totable()")) == 1, "no window opened"
    assert "baton: plan waits for you" in neovim.screen(), neovim.screen()
    assert "Press ENTER" not in neovim.screen(), neovim.screen()

    # Back in normal mode and idle, the plan and its question open.
    neovim.type("<Esc>u:write<CR>")
    neovim.sees("2: Approve")
    screen = show("at the gate", neovim)
    for words in ["Plan, version 1", "Plan 1 (2 tasks) waits", "<CR> answer", "1: Read the Plan", "3: Approve Some"]:
        assert words in screen, f"{words!r} is not on the screen:\n{screen}"
    # Left, it stays so: it is not asked a second time.
    neovim.type("q<CR>")
    neovim.sees("the plan still waits")
    until = time.monotonic() + 2
    while time.monotonic() < until:
        neovim.read(0.1)
    assert "2: Approve" not in neovim.screen(), neovim.screen()
    neovim.type(":Baton gate<CR>")
    neovim.sees("2: Approve")
    neovim.choose("Approve")

    # The workflow goes to its end with no key pressed, and nothing asks for one.
    neovim.sees("The verdict is changes_requested")
    # What can be done is asked by itself, since the user is needed.
    neovim.sees("1: Accept as Is")
    show("at the end", neovim)
    neovim.type("q<CR>")
    neovim.settle()
    assert "Press ENTER" not in neovim.screen(), neovim.screen()
    assert neovim.lua("return #vim.api.nvim_list_wins()") == 1, "the plan's window is gone"
    neovim.type(":edit src/t1.rs<CR>")
    neovim.type(":lua vim.diagnostic.config({ virtual_text = true })<CR>")
    neovim.sees("It is wrong")
    neovim.type(":Baton issues<CR>")
    neovim.sees("error| critical: It loses data.")
    screen = show("after the review", neovim)
    for words in ["src/t1.rs|2 col", "src/t2.rs|2 col", "note| suggestion: It is long.", "■■ It is wrong."]:
        assert words in screen, f"{words!r} is not on the screen:\n{screen}"

    # A file that changes while the user types in it is read again when they are done.
    neovim.type(":cclose<CR>:edit src/t1.rs<CR>i")
    neovim.wait("insert mode", lambda: neovim.mode == "insert")
    neovim.lua("""
        vim.fn.writefile({ 'fn changed() {}' }, 'src/t1.rs')
        require('baton.buffers').check(vim.fs.normalize(vim.fn.getcwd()))
    """)
    neovim.settle()
    assert "pub fn t1" in neovim.screen() and neovim.mode == "insert", neovim.screen()
    neovim.type("<Esc>")
    neovim.sees("fn changed() {}")
    assert "Press ENTER" not in neovim.screen(), neovim.screen()
    print("all is well")


if __name__ == "__main__":
    sys.exit(main())
