local t = require('support')

local drafts = require('baton.drafts')
local root = vim.fs.normalize(vim.fn.getcwd())
local asked_with = {}
vim.ui.input = function(options, done)
  table.insert(asked_with, options)
  done(table.remove(t.lines, 1))
end

-- No key is set. The task that was typed is kept, and a key is asked for.
vim.cmd.edit('src/t1.rs')
vim.cmd('Baton run Make both answer 1')
t.hear('Your task is kept: :Baton run')
t.holds(t.said, 'ANTHROPIC_API_KEY')
t.same(drafts.of(root, 'task'), 'Make both answer 1')
local question = t.wait('the key is asked for', function()
  return t.asked[1]
end)
t.same(question.titles, { 'Set API Key' })
t.answer(nil)

-- It is offered when a task is asked for again, and after a second refusal too.
t.lines = { 'Make both answer 1' }
vim.cmd('Baton run')
t.wait('it is asked for', function()
  return asked_with[1]
end)
t.same(asked_with[1].default, 'Make both answer 1')
t.wait('the key is asked for', function()
  return t.asked[1]
end)
t.same(drafts.of(root, 'task'), 'Make both answer 1')

-- With a key the run goes on, and nothing has to be typed again.
vim.fn.inputsecret = function(prompt)
  t.holds(prompt, 'ANTHROPIC_API_KEY')
  return 'test-key'
end
t.answer('Set API Key')
t.hear('the key is set')
t.gate()
t.same(drafts.of(root, 'task'), nil)
t.holds(t.text(vim.fn.bufnr('^baton://plan$')), 'Make both answer 1')

-- A second start while one is at work is refused; its words are kept as well.
vim.cmd('Baton run Another task altogether')
t.hear('is at work here')
t.same(drafts.of(root, 'task'), 'Another task altogether')
t.answer('Reject')
t.same(t.ends(), 'rejected')
drafts.keep(root, 'task', nil)

-- On first use task.md is made and opened. What is written there is the task, saved or not.
vim.cmd('Baton reset')
t.hear('set aside')
vim.fn.delete('.agent_memory/task.md')
for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
  if vim.fs.basename(vim.api.nvim_buf_get_name(bufnr)) == 'task.md' then
    vim.api.nvim_buf_delete(bufnr, { force = true })
  end
end
vim.cmd('silent! only!')
vim.cmd('Baton run')
t.wait('task.md is open', function()
  return vim.fs.basename(vim.api.nvim_buf_get_name(0)) == 'task.md'
end)
vim.api.nvim_buf_set_lines(0, -1, -1, true, { 'Make both answer 1, as it is written here.' })
vim.cmd('Baton run')
t.gate()
t.same(vim.bo[vim.fn.bufnr('task.md')].modified, false)
t.holds(t.text(vim.fn.bufnr('^baton://plan$')), 'as it is written here')
t.answer('Reject')
t.same(t.ends(), 'rejected')

t.done()
