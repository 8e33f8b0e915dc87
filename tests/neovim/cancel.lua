local t = require('support')

vim.cmd.edit('src/t1.rs')
vim.cmd('Baton run Make both answer 1')
t.wait('the model is asked', function()
  return t.events[1] and vim.uv.fs_stat('.git/asked')
end)
local server = t.server()
local sent = {}
local notify = server.notify
server.notify = function(self, method, params)
  table.insert(sent, { method, params })
  return notify(self, method, params)
end

-- It is the progress that is cancelled.
local run = t.events[1].run
local began = vim.uv.now()
vim.cmd('Baton cancel')
t.same(sent[#sent], { 'window/workDoneProgress/cancel', { token = run } })
t.same(t.ends(), 'cancelled')
t.same(vim.uv.now() - began < 10000, true, 'it took ' .. vim.uv.now() - began .. ' ms')
t.same(require('baton.session').of(server.root_dir).run, nil)

-- What is to become of it is asked in the same way as the plan: it waits until it is wanted.
t.wait('the way out', function()
  return require('baton.question').pending()[1]
end)
t.same(#t.asked, 0)
t.wait('the statusline says so', function()
  return require('baton').statusline() == 'baton: stopped'
end)
vim.cmd('Baton gate')
local question = t.answer('Resume')
t.holds(question.prompt, 'Stopped in context.')
t.gate()
t.answer('Approve')
t.same(t.ends(), 'merged')

vim.cmd('Baton cancel')
t.hear('nothing runs here')

t.done()
