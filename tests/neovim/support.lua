--- What the tests in the real Neovim share: the plugin as a user has it, and a user who looks and answers.

local M = {}

--- How long is waited for what must come, in milliseconds: it matters only when a test fails.
local PATIENCE = 30000

vim.opt.runtimepath:prepend(vim.env.TEST_PLUGIN)
vim.o.swapfile = false
vim.g.baton = { cmd = { vim.env.TEST_BATON, 'lsp' }, gate = { auto = false }, compose = 'line' }
vim.cmd.runtime('plugin/baton.lua')

--- Everything that was said.
---@type string[]
M.said = {}
vim.notify = function(message)
  table.insert(M.said, message)
end

--- Every event, as `User BatonPhase` tells it.
---@type baton.PhaseEvent[]
M.events = {}
vim.api.nvim_create_autocmd('User', {
  pattern = 'BatonPhase',
  callback = function(event)
    table.insert(M.events, event.data)
  end,
})

--- What the user was asked by `vim.ui.select` and has not answered.
---@type { prompt: string, titles: string[], answer: fun(title?: string) }[]
M.asked = {}
vim.ui.select = function(items, options, done)
  local titles = vim.tbl_map(options.format_item or tostring, items)
  table.insert(M.asked, {
    prompt = options.prompt,
    titles = titles,
    answer = function(title)
      table.remove(M.asked, 1)
      for n, known in ipairs(titles) do
        if title and vim.startswith(known, title) then
          return done(items[n], n)
        end
      end
      assert(title == nil, ('%s is none of %s'):format(title, vim.inspect(titles)))
      done(nil, nil)
    end,
  })
end

--- What the user types where a line is asked for.
---@type string[]
M.lines = {}
vim.ui.input = function(_, done)
  done(table.remove(M.lines, 1))
end

--- Wait until this is true, or not nil; what it is then.
---@generic T
---@param what string
---@param is fun(): T?
---@return T
function M.wait(what, is)
  local found
  vim.wait(PATIENCE, function()
    found = is()
    return found ~= nil and found ~= false
  end, 10)
  if not found then
    local log = table.concat(require('baton.log').lines(), '\n')
    error(
      ('waited in vain: %s\nsaid: %s\nasked: %s\nlog:\n%s'):format(
        what,
        vim.inspect(M.said),
        vim.inspect(vim.tbl_map(function(question)
          return question.prompt
        end, M.asked)),
        log
      )
    )
  end
  return found
end

--- Fail unless both are the same.
function M.same(actual, expected, what)
  if not vim.deep_equal(actual, expected) then
    error(('%s\nis       %s\nexpected %s'):format(what or '', vim.inspect(actual), vim.inspect(expected)), 2)
  end
end

--- Fail unless the text holds these words.
function M.holds(text, words)
  text = type(text) == 'table' and table.concat(text, '\n') or text
  if not text:find(words, 1, true) then
    error(('%q is not in:\n%s'):format(words, text), 2)
  end
end

--- Wait until something was said that holds these words.
function M.hear(words)
  return M.wait(('%q is said'):format(words), function()
    return vim.iter(M.said):find(function(message)
      return message:find(words, 1, true) ~= nil
    end)
  end)
end

--- Wait until the user is asked, and answer with the choice that begins so.
function M.answer(title)
  local question = M.wait('a question', function()
    return M.asked[1]
  end)
  question.answer(title)
  return question
end

--- The event that ended a run since the last call; its outcome.
local ended = 0
function M.ends()
  return M.wait('the end of a run', function()
    for n = ended + 1, #M.events do
      local event = M.events[n]
      local is_end = vim.list_contains({ 'done', 'waiting', 'failed', 'cancelled' }, event.status)
      if event.phase == 'workflow' and is_end then
        ended = n
        return event.outcome or event.status
      end
    end
  end)
end

--- The server.
---@return vim.lsp.Client
function M.server()
  return M.wait('a server', function()
    return vim.lsp.get_clients({ name = 'baton' })[1]
  end)
end

--- What a command of the server's answers.
function M.ask(command, arguments)
  local params = { command = command, arguments = { arguments or vim.empty_dict() } }
  local answer, fault = M.server():request_sync('workspace/executeCommand', params, PATIENCE)
  assert(answer, fault)
  assert(not answer.err, vim.inspect(answer.err))
  return answer.result
end

--- Wait until the plan waits at its gate, and put it to the user.
function M.gate()
  M.wait('the gate', function()
    local pending = require('baton.question').pending()
    return pending[1] and pending[1].gate
  end)
  vim.cmd('Baton gate')
  return M.wait('the gate is asked', function()
    return M.asked[1]
  end)
end

--- The whole text of a buffer.
function M.text(bufnr)
  return table.concat(vim.api.nvim_buf_get_lines(bufnr or 0, 0, -1, true), '\n')
end

--- A file as it is on the disk.
function M.file(path)
  return table.concat(vim.fn.readfile(path), '\n')
end

--- The test came to its end: let the servers go.
function M.done()
  local clients = vim.lsp.get_clients({ name = 'baton' })
  for _, client in ipairs(clients) do
    client:stop()
  end
  M.wait('the servers end', function()
    return #vim.lsp.get_clients({ name = 'baton', _uninitialized = true }) == 0
  end)
  print('all is well')
end

return M
