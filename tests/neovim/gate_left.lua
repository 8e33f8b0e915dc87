local t = require('support')

-- A plan waits when Neovim is left.
vim.cmd.edit('src/t1.rs')
vim.cmd('Baton run Make both answer 1')
local question = t.gate()
t.holds(question.prompt, 'Plan 1 (2 tasks) waits')
t.holds(t.text(vim.fn.bufnr('^baton://plan$')), 'about $')
local plan = t.text(vim.fn.bufnr('^baton://plan$'))
vim.fn.writefile(vim.split(plan, '\n'), '.git/plan-as-it-was-shown')
t.answer(nil)

t.done()
