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
for command in pairs(known) do
  t.same(used[command], true, command .. ' cannot be run here')
end
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

-- An outline is what another server knows of a file that is open; of any other, nothing.
local symbols = { { name = 'made', kind = 12, range = vim.lsp.util.make_range_params(0, 'utf-16').range } }
vim.lsp.start({
  name = 'other',
  cmd = function()
    return {
      request = function(method, _, callback)
        local is_start = method == 'initialize'
        callback(nil, is_start and { capabilities = { documentSymbolProvider = true } } or symbols)
        return true, 1
      end,
      notify = function() end,
      is_closing = function() end,
      terminate = function() end,
    }
  end,
})
local function symbols_of(asked)
  local found
  coroutine.wrap(function()
    found = require('baton.symbols').on_document_symbols(nil, { uri = asked })
  end)()
  t.wait('an answer', function()
    return found ~= nil
  end)
  return found
end
t.wait('the other server has started', function()
  return #vim.lsp.get_clients({ name = 'other', bufnr = 0, method = 'textDocument/documentSymbol' }) == 1
end)
t.same(symbols_of(uri), symbols)
t.same(symbols_of(uri .. 'x'), vim.NIL)

t.done()
