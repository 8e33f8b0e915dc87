local t = require('support')

vim.cmd.edit('src/t1.rs')
vim.cmd('Baton run Make both answer 1')

-- The user edits plan.json, and approves what they made of it.
t.gate()
t.answer('Edit')
t.wait('plan.json is open', function()
  return vim.fs.basename(vim.api.nvim_buf_get_name(0)) == 'plan.json'
end)
vim.cmd([[silent %s/The title of T2/A better title/]])
vim.cmd('silent write')
t.wait('the edited plan waits', function()
  local pending = require('baton.question').pending()[1]
  return pending and pending.gate and pending.gate.markdown:find('A better title', 1, true)
end)
t.gate()
t.holds(t.text(vim.fn.bufnr('^baton://plan$')), 'A better title')
t.answer('Approve')
t.same(t.ends(), 'merged')
t.holds(t.file('.agent_memory/plan.md'), 'A better title')
t.holds(t.file('src/t2.rs'), '    1')

-- A new task, whose plan the user rejects.
vim.cmd('Baton run Make both answer 1 again')
t.gate()
t.answer('Reject')
t.same(t.ends(), 'rejected')
t.hear('the plan is rejected')

-- Approved from elsewhere, the question is past.
vim.cmd('Baton run Make both answer 1 once more')
local question = t.gate()
local approve = vim.system({ vim.env.TEST_BATON, 'approve' }, { text = true }):wait()
t.same(approve.code, 0, approve.stderr)
t.wait('nothing waits', function()
  return #require('baton.question').pending() == 0
end)
question.answer('Reject')
t.hear('this plan was answered in the meantime')
t.ends()

-- The plan may stand in a float, or nowhere.
vim.g.baton = vim.tbl_deep_extend('force', vim.g.baton, { gate = { window = 'float' } })
vim.cmd('Baton! run Make both answer 1 at last')
t.gate()
local plan = vim.fn.bufnr('^baton://plan$')
local float = vim.fn.win_findbuf(plan)[1]
t.same(vim.api.nvim_win_get_config(float).relative, 'editor')
t.answer(nil)
t.same(vim.api.nvim_win_is_valid(float), false, 'a float is not left over the code')
vim.g.baton = vim.tbl_deep_extend('force', vim.g.baton, { gate = { window = false } })
t.gate()
t.same(vim.fn.win_findbuf(plan), {})
t.answer(nil)
vim.cmd('Baton reject')
t.same(t.ends(), 'rejected')

t.done()
