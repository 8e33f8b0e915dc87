local t = require('support')

-- The command line made a review; the editor starts afterwards, with nothing but vim.lsp.enable().
local run = vim
  .system({ vim.env.TEST_BATON, 'run', '--task', 'Make both answer 1', '--auto-approve' }, { text = true })
  :wait()
t.same(run.code, 3, run.stderr)
vim.cmd('filetype on')
vim.lsp.enable('baton')
vim.cmd.edit('src/t1.rs')
local server = t.server()
t.same(server.root_dir, vim.fs.normalize(vim.fn.getcwd()))
t.wait('the review is shown', function()
  return #require('baton.issues').shown(0) == 2
end)

-- Other files of the project go to the same server, with or without a filetype; git's own and strangers go to none.
local function attached()
  return #vim.lsp.get_clients({ name = 'baton', bufnr = 0 })
end
vim.cmd.edit('notes')
t.same(vim.bo.filetype, '')
t.wait('it is attached', function()
  return attached() == 1
end)
vim.cmd.edit('.git/COMMIT_EDITMSG')
t.same(attached(), 0)
vim.cmd.edit(vim.fn.tempname() .. '.lua')
t.same(attached(), 0)
t.same(#vim.lsp.get_clients({ name = 'baton' }), 1)

-- Every command that the server has can be run here.
local used = {}
for _, subcommand in pairs(require('baton.command').subcommands) do
  for _, command in ipairs(subcommand.uses) do
    used[command] = true
  end
end
local known = {}
for _, command in ipairs(server.server_capabilities.executeCommandProvider.commands) do
  known[command] = true
end
t.same(used, known, 'the commands used here, and those of the server')
-- And the page on other editors names them all.
local page = t.file(vim.env.TEST_PLUGIN .. '/../README.md')
for command in pairs(known) do
  t.holds(page, ('`%s`'):format(command))
end

-- The reviewer is told what other servers say of a file.
vim.cmd.edit('src/t1.rs')
vim.diagnostic.set(vim.api.nvim_create_namespace('other'), 0, {
  { lnum = 0, col = 0, message = 'unused', source = 'other', severity = vim.diagnostic.severity.WARN },
})
local uri = vim.uri_from_bufnr(0)
local answer = require('baton.issues').on_editor_diagnostics(nil, { uris = { uri, uri .. 'x' } })
t.same({ answer[1].uri, #answer[1].diagnostics, answer[1].diagnostics[1].message }, { uri, 1, 'unused' })
t.same(answer[2], { uri = uri .. 'x', diagnostics = {} })

t.done()
