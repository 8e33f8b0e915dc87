"""A user at a real screen: Neovim with a UI attached, keys typed, the screen read.

Prints the screens at the gate and after the review.
"""

import os
import select
import subprocess
import sys
import time

import msgpack

COLUMNS, LINES = 100, 32
PATIENCE = 60  # Seconds; it matters only when the test fails.


class Neovim:
    """Neovim's end of a pipe, and the screen it draws."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        self.answers, self.next_id = {}, 0
        self.grid = [[" "] * COLUMNS for _ in range(LINES)]
        self.mode = "normal"
        self.request("nvim_ui_attach", COLUMNS, LINES, {"ext_linegrid": True})

    def read(self, seconds):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if ready:
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise EOFError("Neovim ended")
            self.unpacker.feed(data)
            for message in self.unpacker:
                if message[0] == 1:
                    self.answers[message[1]] = message[2:]
                elif message[0] == 2 and message[1] == "redraw":
                    self.redraw(message[2])

    def redraw(self, events):
        for name, *calls in events:
            for call in calls:
                if name == "grid_line":
                    _, row, column, cells = call[:4]
                    for text, *rest in cells:
                        for _ in range(rest[1] if len(rest) > 1 else 1):
                            self.grid[row][column] = text
                            column += 1
                elif name == "grid_clear":
                    self.grid = [[" "] * COLUMNS for _ in range(LINES)]
                elif name == "grid_scroll":
                    _, top, bottom, left, right, rows, _ = call
                    moved = [row[left:right] for row in self.grid]
                    for row in range(top, bottom):
                        if top <= row + rows < bottom:
                            self.grid[row][left:right] = moved[row + rows]
                elif name == "mode_change":
                    self.mode = call[0]

    def request(self, method, *arguments):
        self.next_id += 1
        wanted = self.next_id
        self.process.stdin.write(msgpack.packb([0, wanted, method, arguments]))
        self.process.stdin.flush()
        self.wait(method, lambda: wanted in self.answers)
        error, result = self.answers.pop(wanted)
        if error:
            raise RuntimeError(f"{method}: {error}")
        return result

    def type(self, keys):
        self.request("nvim_input", keys)

    def lua(self, code, *arguments):
        return self.request("nvim_exec_lua", code, list(arguments))

    def screen(self):
        return "\n".join("".join(row).rstrip() for row in self.grid)

    def wait(self, what, is_there):
        deadline = time.monotonic() + PATIENCE
        while not is_there():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}; mode {self.mode}; the screen:\n{self.screen()}")
            self.read(0.05)

    def sees(self, words):
        self.wait(repr(words), lambda: words in self.screen())

    def settle(self):
        """Take in what is drawn until nothing is drawn for a moment."""
        quiet_until = time.monotonic() + 0.3
        while time.monotonic() < quiet_until:
            before = self.screen()
            self.read(0.05)
            if self.screen() != before:
                quiet_until = time.monotonic() + 0.3


def show(title, screen):
    print(f"--- {title} " + "-" * (COLUMNS - len(title) - 5))
    print(screen)
    print("-" * COLUMNS)


def main():
    plugin, binary = os.environ["TEST_PLUGIN"], os.environ["TEST_BATON"]
    options = f"vim.g.baton = {{ cmd = {{ '{binary}', 'lsp' }}, gate = {{ idle_ms = 700 }} }}"
    status = "vim.o.laststatus, vim.o.statusline = 2, \"%f %m %= %{%v:lua.require'baton'.statusline()%} \""
    neovim = Neovim([
        os.environ["NVIM"], "--embed", "--clean", "--cmd", f"set runtimepath^={plugin} noswapfile",
        "--cmd", f"lua {options} {status}", "notes.txt",
    ])
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
        assert len(typed) < 5 * 20 * PATIENCE, f"no plan came:\n{neovim.screen()}"
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
    corner = neovim.screen().splitlines()[0]
    assert corner.endswith("Baton: Plan 1 (2 tasks) waits for your answer. :Baton gate"), neovim.screen()
    show("while typing", neovim.screen())
    windows = (
        "return vim.iter(vim.api.nvim_list_wins())"
        ":filter(function(window) return vim.api.nvim_win_get_config(window).focusable end)"
    )
    assert len(neovim.lua(windows + ":totable()")) == 1, "no window opened"
    assert "baton: plan waits" in neovim.screen(), neovim.screen()
    assert "Press ENTER" not in neovim.screen(), neovim.screen()

    # Back in normal mode and idle, the plan and its question open.
    neovim.type("<Esc>u:write<CR>")
    neovim.sees("1: Approve")
    neovim.settle()
    screen = neovim.screen()
    show("at the gate", screen)
    for words in ["Plan, version 1", "Plan 1 (2 tasks) waits", "<CR> answer", "2: Approve some", "6: View"]:
        assert words in screen, f"{words!r} is not on the screen:\n{screen}"
    # Left, it stays so: it is not asked a second time.
    neovim.type("q<CR>")
    neovim.sees("the plan still waits")
    until = time.monotonic() + 2
    while time.monotonic() < until:
        neovim.read(0.1)
    assert "1: Approve" not in neovim.screen(), neovim.screen()
    neovim.type(":Baton gate<CR>")
    neovim.sees("1: Approve")
    neovim.type("1<CR>")

    # The workflow goes to its end with no key pressed, and nothing asks for one.
    neovim.sees("The verdict is changes_requested")
    neovim.settle()
    assert "Press ENTER" not in neovim.screen(), neovim.screen()
    assert neovim.lua("return #vim.api.nvim_list_wins()") == 1, "the plan's window is gone"
    neovim.type(":edit src/t1.rs<CR>")
    neovim.type(":lua vim.diagnostic.config({ virtual_text = true })<CR>")
    neovim.sees("It is wrong")
    neovim.type(":Baton issues<CR>")
    neovim.sees("error| critical: It loses data.")
    neovim.settle()
    screen = neovim.screen()
    show("after the review", screen)
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
