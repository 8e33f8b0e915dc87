local t = require('support')

-- A server of this file's own, with a phase that the user added. It knows no other.
local names = { 'context', 'plan', 'implement', 'security', 'review' }
local ran = {}
local status = {
  run = 'r1',
  task = 'Make both answer 1',
  phases = vim.tbl_map(function(phase)
    return { phase = phase, status = phase == 'security' and 'running' or 'pending', message = '' }
  end, names),
  tasks = {},
  issues = {},
  next = 'security',
  usage = { input_tokens = 0, cache_write_tokens = 0, cache_read_tokens = 0, output_tokens = 0, cost_usd = 0 },
}
local capabilities = {
  executeCommandProvider = { commands = { 'baton.status', 'baton.review', 'baton.security' } },
}
local speak

local function answer(method, params)
  if method == 'initialize' then
    return { capabilities = capabilities }
  elseif method == 'workspace/executeCommand' and params.command == 'baton.status' then
    return status
  elseif method == 'workspace/executeCommand' then
    table.insert(ran, params.command)
    return { run = 'r2' }
  end
  return vim.NIL
end

vim.lsp.config('baton', {
  cmd = function(dispatchers)
    speak = dispatchers.notification
    local is_closing = false
    return {
      request = function(method, params, callback)
        vim.schedule(function()
          callback(nil, answer(method, params))
        end)
        return true, 1
      end,
      notify = function(method)
        is_closing = is_closing or method == 'exit'
        return true
      end,
      is_closing = function()
        return is_closing
      end,
      terminate = function()
        is_closing = true
        dispatchers.on_exit(0, 0)
      end,
    }
  end,
})

-- Its row stands in its place, and the page holds names that are longer than ours.
vim.cmd('Baton status')
t.wait('the page', function()
  return t.text():find('security   running', 1, true)
end)
local lines = require('baton.status').lines(vim.tbl_extend('force', status, {
  phases = { { phase = 'a-long-name-of-a-phase', status = 'done', message = 'm' }, status.phases[1] },
}))
t.same(lines[#lines - 1]:find('done', 1, true), lines[#lines]:find('pending', 1, true))

-- It is completed, and run by its name.
t.same(vim.fn.getcompletion('Baton phase ', 'cmdline'), names)
t.same(vim.fn.getcompletion('Baton phase s', 'cmdline'), { 'security' })
vim.cmd('Baton phase securty')
t.hear('securty is no phase; there are context, plan, implement, security, review')
vim.cmd('Baton phase security')
t.wait('the phase is run', function()
  return vim.deep_equal(ran, { 'baton.security' })
end)

-- Its events are those of any phase.
local root = t.server().root_dir
speak('baton/phase', {
  folder = vim.uri_from_fname(root),
  run = 'r2',
  phase = 'security',
  status = 'started',
  message = 'Looks for holes',
})
t.wait('the phase is heard of', function()
  return #t.events > 0
end)
t.holds(require('baton.log').lines(), 'security started: Looks for holes')
t.same(require('baton').statusline(), 'baton: security 0%%')

-- Its issues are issues; its status, and other codes, are none.
local function id_of(code, data)
  return require('baton.issues').id_of({ source = 'baton', code = code, user_data = { lsp = { data = data } } })
end
t.same(id_of('security.major', { id = 'i1' }), 'i1')
t.same(id_of('code-style2.suggestion', { id = 'i1' }), 'i1')
t.same(id_of('review.critical', { id = 'i1' }), 'i1')
for _, code in ipairs({ 'phase.security', 'task.failed', 'security.loud', 'schema', 'review.branch' }) do
  t.same(id_of(code, { id = 'i1' }), nil, code)
end
t.same(id_of('security.major', nil), nil)

for _, client in ipairs(vim.lsp.get_clients({ name = 'baton' })) do
  client:stop(true)
end
t.done()
