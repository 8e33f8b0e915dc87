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
-- T2 depends on T1: left out alone, T1 stays picked.
t.gate()
t.answer('Approve Some')
t.wait('the tasks', function()
  return t.text() == '[x] T1 The title of T1\n[x] T2 The title of T2 (after T1)'
end)
vim.api.nvim_feedkeys('j ', 'xm', false)
t.same(t.text(), '[x] T1 The title of T1\n[ ] T2 The title of T2 (after T1)')
vim.api.nvim_feedkeys('k ', 'xm', false)
t.same(t.text(), '[ ] T1 The title of T1\n[ ] T2 The title of T2 (after T1)')
vim.api.nvim_feedkeys('j ', 'xm', false)
t.same(t.text(), '[x] T1 The title of T1\n[x] T2 The title of T2 (after T1)')
vim.api.nvim_feedkeys(' ' .. vim.keycode('<CR>'), 'xm', false)
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
