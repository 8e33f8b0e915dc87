import os, sys, time
import terminal
from terminal import show
os.environ["TEST_PLUGIN"]="/tmp/h6/main_editors/neovim"
def main():
    c=int(sys.argv[1])
    n = terminal.start(c, "{ auto = false }", "src/t1.rs")
    try:
        n.type(":Baton run Make both answer 1<CR>")
        n.wait("gate", lambda: n.lua("return package.loaded['baton.question'] and #require('baton.question').pending() or 0")>0)
        show("1 gate announced", n)
        n.type(":Baton gate<CR>"); n.sleeps(1); show("2 gate", n)
        n.choose("Approve"); n.sleeps(0.3)
        n.wait("end", lambda: 'changes_requested' in "\n".join(n.lua("return require('baton.log').lines()")))
        n.sleeps(1); show("3 end", n)
        n.type(":Baton gate<CR>"); n.sleeps(1); show("4 gate after end", n)
        n.type("<Esc>q<CR>:Baton<CR>"); n.sleeps(1); show("5 status page", n)
        n.type("q:Baton undo<CR>"); n.sleeps(1); show("6 undo", n)
    finally: n.process.kill()
    print("all is well")
main()
