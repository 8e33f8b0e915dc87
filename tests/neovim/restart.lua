local t = require('support')

vim.cmd.edit('src/t1.rs')
vim.cmd('Baton run Make both answer 1')
t.gate()
t.answer(nil)

-- The server is killed.
local first = t.server()
local lock = vim.json.decode(t.file('.agent_memory/lock'))
vim.uv.kill(lock.pid, 'sigkill')
t.hear('the server ended (signal 9); :Baton run starts it again and goes on')
t.same(#require('baton.question').pending(), 0)
t.same(require('baton').statusline(), '')
t.wait('it is gone', function()
  return first:is_stopped()
end)

-- Another is started, and knows that the plan waits.
vim.cmd('Baton gate')
local question = t.wait('the plan is asked for', function()
  return t.asked[1]
end)
t.same(t.server().id ~= first.id, true)
t.holds(question.prompt, 'Plan 1 (2 tasks) waits')
question.answer('Approve')
t.same(t.ends(), 'merged')
t.holds(t.file('src/t2.rs'), '    1')
t.wait('the buffer is read again', function()
  return t.text():find('    1', 1, true)
end)

t.done()
