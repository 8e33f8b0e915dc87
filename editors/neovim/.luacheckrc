-- luacheck knows plain Lua; these are Neovim's.
std = 'luajit'
read_globals = { 'vim' }
globals = { 'vim.g', 'vim.b', 'vim.bo', 'vim.wo', 'vim.o', 'vim.ui', 'vim.notify', 'vim.env', 'vim.fn', 'vim.v' }
max_line_length = 120
self = false
