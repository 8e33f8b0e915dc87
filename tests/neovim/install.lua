local t = require('support')

local readme = t.file(vim.env.TEST_PLUGIN .. '/README.md')
local help = t.file(vim.env.TEST_PLUGIN .. '/doc/baton.txt')
local home = vim.env.HOME

--- The blocks of the README in a language.
local function blocks(language)
  local found = {}
  for block in readme:gmatch('```' .. language .. '\n(.-)\n```') do
    table.insert(found, block)
  end
  return found
end

--- Run a program as a user does who has no other configuration.
local function run(cmd, cwd)
  local env = { HOME = home, PATH = vim.fs.dirname(vim.v.progpath) .. ':' .. vim.env.PATH }
  local done = vim.system(cmd, { cwd = cwd, clear_env = true, env = env, text = true }):wait()
  t.same(done.code, 0, done.stderr .. done.stdout)
  return done.stdout .. done.stderr
end

--- What a new Neovim of this user knows: the command, and the help.
local function knows(...)
  local look =
    [[lua io.stdout:write(vim.fn.exists(':Baton'), ' ', #vim.api.nvim_get_runtime_file('lsp/baton.lua', true))]]
  local said = run({ vim.v.progpath, '--headless', ..., '-c', look, '-c', 'quit' }, home)
  t.same(said, '2 1')
end

local function has_help(...)
  local look = [[lua vim.cmd('help baton') io.stdout:write(vim.fn.expand('%:t'))]]
  local said = run({ vim.v.progpath, '--headless', ..., '-c', look, '-c', 'qall' }, home)
  t.holds(said, 'baton.txt')
end

local function clone(folder)
  vim.fn.mkdir(folder .. '/editors', 'p')
  t.same(vim.system({ 'cp', '-r', vim.env.TEST_PLUGIN, folder .. '/editors/neovim' }):wait().code, 0)
  return folder
end

-- With Neovim's own packages: the very lines, but for the binary, which is not built anew here.
local shell = blocks('sh')
t.holds(shell[1], 'cargo install --locked --path server')
t.holds(help, 'cargo install --locked --path server')
run({ 'sh', '-e', '-c', shell[2] }, clone(home .. '/somewhere'))
knows()
has_help()
for line in shell[2]:gmatch('[^\n]+') do
  t.same(line:find('^nvim') ~= nil or help:find(line, 1, true) ~= nil, true, line .. ' is in the help too')
end
vim.fn.delete(home .. '/.local', 'rf')

-- By init.lua.
clone(home .. '/src/baton')
local lua = blocks('lua')
local config = home .. '/.config/nvim'
vim.fn.mkdir(config, 'p')
vim.fn.writefile(vim.split(lua[1], '\n'), config .. '/init.lua')
knows()
vim.cmd('silent helptags ' .. home .. '/src/baton/editors/neovim/doc')
has_help()

-- The plugin managers' lines hold the same folder, and are Lua.
t.holds(lua[2], "dir = '~/src/baton/editors/neovim'")
t.same(loadstring('return ' .. lua[2]) ~= nil, true)
-- What vim.pack does with its lines where there is none yet: it calls `load` with its clone.
local pack = [[
  vim.pack = {
    add = function(specs, options)
      local path = specs[1]:gsub('^file://', '')
      assert(vim.uv.fs_stat(path), path)
      options.load({ spec = { src = specs[1] }, path = path })
    end,
  }
]]
vim.fn.writefile(vim.split(pack .. lua[3], '\n'), config .. '/init.lua')
knows()

t.done()
