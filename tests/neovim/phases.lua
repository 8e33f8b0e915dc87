local t = require('support')

-- No task anywhere: a template is opened, to be filled in.
vim.cmd('Baton run')
t.wait('task.md is open', function()
  return vim.fs.basename(vim.api.nvim_buf_get_name(0)) == 'task.md'
end)
vim.api.nvim_buf_set_lines(0, 0, -1, true, { 'Make both answer 1' })
vim.cmd('silent write')
vim.cmd.enew()

-- Phase by phase.
vim.cmd('Baton context')
t.same(t.ends(), 'done')
vim.cmd('Baton plan')
t.same(t.ends(), 'done')
vim.cmd('Baton show')
t.wait('plan.md is open', function()
  return vim.fs.basename(vim.api.nvim_buf_get_name(0)) == 'plan.md'
end)
t.holds(t.text(), '# Plan, version 1')
vim.cmd('Baton implement T1')
t.gate()
t.answer('Approve')
t.same(t.ends(), 'done')
t.holds(t.file('src/t1.rs'), '    1')
t.same(vim.fn.getcompletion('Baton phase ', 'cmdline'), { 'context', 'plan', 'implement', 'review' })
vim.cmd('Baton phase security')
t.hear('security is no phase; there are context, plan, implement, review')
vim.cmd('Baton phase')
t.hear('name a phase; there are context,')
vim.cmd('Baton phase review')
t.same(t.ends(), 'done')

-- Set aside.
vim.cmd('Baton reset')
t.hear('set aside, in ')
t.wait('nothing is at hand', function()
  return not vim.uv.fs_stat('.agent_memory/plan.json')
end)

-- Only a review, of what differs from a commit.
vim.cmd('Baton review main')
t.same(t.ends(), 'done')
t.same(t.ask('baton.status').issues[1].severity, 'critical')

vim.cmd('Baton task')
t.wait('task.md is open', function()
  return vim.fs.basename(vim.api.nvim_buf_get_name(0)) == 'task.md'
end)
vim.cmd('Baton doctor')
t.wait('the page of the doctor', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://doctor'
end)
t.holds(t.text(), 'ANTHROPIC_API_KEY')

t.done()
