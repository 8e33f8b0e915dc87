local t = require('support')

local first = vim.fs.normalize(vim.fn.getcwd())
local second = vim.fs.dirname(first) .. '/second'

-- One project alone is not named.
vim.cmd.edit('src/t1.rs')
vim.cmd('Baton run Make both answer 1')
t.gate()
t.holds(t.asked[1].prompt, 'Plan 1 (2 tasks) waits')
t.answer(nil)

-- A run in it keeps none from starting in another one.
vim.cmd.edit(second .. '/src/t1.rs')
vim.cmd('Baton run Make these answer 1')
t.wait('both wait', function()
  return #require('baton.question').pending() == 2
end)
t.same(#vim.lsp.get_clients({ name = 'baton' }), 2)
t.hear('second: Plan 1 (2 tasks) waits')

-- Each window tells of its own project; so do the questions.
t.holds(require('baton').statusline(), 'baton second: ')
vim.cmd('Baton gate')
local question = t.wait('the gate', function()
  return t.asked[1]
end)
t.holds(question.prompt, 'Plan 1 (2 tasks) of second waits')
t.holds(t.text(vim.fn.bufnr('^baton://plan$')), 'Make these answer 1')
t.answer(nil)
vim.cmd.edit(first .. '/src/t1.rs')
t.holds(require('baton').statusline(), 'baton work: ')
vim.cmd('Baton gate')
question = t.wait('the gate', function()
  return t.asked[1]
end)
t.holds(question.prompt, 'Plan 1 (2 tasks) of work waits')
t.holds(t.text(vim.fn.bufnr('^baton://plan$')), 'Make both answer 1')

-- What becomes of one leaves the other's question alone.
local plan = vim.fn.bufnr('^baton://plan$')
require('baton.gate').reject(require('baton.client').of(second))
t.same(t.ends(), 'rejected')
t.hear('second: the plan is rejected')
t.same(#vim.fn.win_findbuf(plan), 1, "this project's plan stays")
t.answer('Approve')
t.same(t.ends(), 'merged')
t.hear('work: the plan is approved')
t.holds(t.file('src/t1.rs'), '    1')
t.holds(t.file(second .. '/src/t1.rs'), '    0')

-- Two folders of one name are told apart by what is above them.
local name = require('baton.project').name
t.same(name('/a/x', { '/a/x', '/b/x' }), 'a/x')
t.same(name('/a/x', { '/a/x', '/b/y' }), 'x')

t.done()
