local t = require('support')

local function plan_window()
  return vim.fn.win_findbuf(vim.fn.bufnr('^baton://plan$'))[1]
end

vim.cmd.edit('src/t1.rs')
local window = vim.api.nvim_get_current_win()
vim.cmd('Baton run Make both answer 1')

-- View: into the plan, and from there to the question again.
t.gate()
t.answer('Read the Plan')
t.wait('the cursor is in the plan', function()
  return vim.api.nvim_get_current_win() == plan_window()
end)
t.holds(vim.wo.winbar, 'Plan 1 (2 tasks) waits')
vim.api.nvim_feedkeys(vim.keycode('<CR>'), 'xm', false)

-- Revise: the next plan waits in its place.
t.lines = { 'Do it in one task.' }
t.answer('Ask for Changes')
t.wait('the second plan', function()
  local pending = require('baton.question').pending()
  return pending[1] and pending[1].gate and pending[1].gate.plan.plan_version == 2
end)
vim.api.nvim_set_current_win(window)

-- Left without an answer it goes on waiting.
local question = t.gate()
t.holds(question.prompt, 'Plan 2')
t.answer(nil)
t.hear('the plan still waits. :Baton gate')
t.wait('the statusline says so', function()
  return require('baton').statusline() == 'baton: plan waits for you'
end)
vim.api.nvim_set_current_win(plan_window())
vim.api.nvim_feedkeys('q', 'x', false)
t.same(vim.api.nvim_get_current_win(), window, 'q closes the plan')

-- Some of the tasks.
t.gate()
t.lines = { 'T1' }
t.answer('Approve Some')
t.hear('approved: T1')
t.same(t.ends(), 'merged')
t.holds(t.file('src/t1.rs'), '    1')
t.holds(t.file('src/t2.rs'), '    0')
t.same(plan_window(), nil)

-- What can be done now is asked, and no more of the plan.
vim.cmd('Baton gate')
question = t.answer(nil)
t.holds(question.prompt, 'Not approved and so not done: T2.')
t.same(question.titles, { 'Show Changes', 'Undo', 'Start' })

t.done()
