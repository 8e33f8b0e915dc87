"""A real Neovim with a UI attached: keys are typed, the screen is read."""

import os
import re
import select
import subprocess
import time

import msgpack

LINES = 32
PATIENCE = 60  # Seconds; it matters only when the test fails.


class Neovim:
    """Neovim's end of a pipe, and the screen it draws."""

    def __init__(self, columns, arguments):
        self.columns = columns
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        self.answers, self.next_id = {}, 0
        self.grid = [[" "] * self.columns for _ in range(LINES)]
        self.mode = "normal"
        self.request("nvim_ui_attach", columns, LINES, {"ext_linegrid": True})

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
                    self.grid = [[" "] * self.columns for _ in range(LINES)]
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

    def text(self):
        """What stands on the screen, in one line: narrow screens wrap."""
        return " ".join(self.screen().split())

    def wait(self, what, is_there):
        deadline = time.monotonic() + PATIENCE
        while not is_there():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}; mode {self.mode}; the screen:\n{self.screen()}")
            self.read(0.05)

    def sees(self, words):
        self.wait(repr(words), lambda: words in self.text())

    def choose(self, words):
        """Answer the list in the command line by the number that stands before these words."""
        numbered = re.compile(r"(?m)^(\d+): " + re.escape(words))
        self.wait(f"the choice {words!r}", lambda: numbered.search(self.screen()))
        self.type(numbered.search(self.screen()).group(1) + "<CR>")

    def sleeps(self, seconds):
        """Nothing is done for so long, but what is drawn is drawn."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.read(0.05)

    def settle(self):
        """Take in what is drawn until nothing is drawn for a moment."""
        quiet_until = time.monotonic() + 0.3
        while time.monotonic() < quiet_until:
            before = self.screen()
            self.read(0.05)
            if self.screen() != before:
                quiet_until = time.monotonic() + 0.3


def start(columns, gate, *arguments):
    """A user's Neovim of so many columns, with the plugin and these options of the gate."""
    plugin, binary = os.environ["TEST_PLUGIN"], os.environ["TEST_BATON"]
    options = f"vim.g.baton = {{ cmd = {{ '{binary}', 'lsp' }}, gate = {gate} }}"
    status = "vim.o.laststatus, vim.o.statusline = 2, \"%f %m %= %{%v:lua.require'baton'.statusline()%} \""
    return Neovim(columns, [
        os.environ["NVIM"], "--embed", "--clean", "--cmd", f"set runtimepath^={plugin} noswapfile",
        "--cmd", f"lua {options} {status}", *arguments,
    ])


def show(title, neovim):
    """Print the screen, and keep it where TEST_SCREENS says."""
    neovim.settle()
    screen = neovim.screen()
    print(f"--- {title} " + "-" * (neovim.columns - len(title) - 5))
    print(screen)
    print("-" * neovim.columns)
    folder = os.environ.get("TEST_SCREENS")
    if folder:
        with open(os.path.join(folder, f"{neovim.columns:03}-{title.replace(' ', '-')}.txt"), "w") as file:
            file.write(screen + "\n")
    return screen
