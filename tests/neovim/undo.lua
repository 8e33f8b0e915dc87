local t = require('support')

vim.cmd.edit('src/t1.rs')
local buffer = vim.api.nvim_get_current_buf()
local before = t.text(buffer)
vim.cmd('Baton undo')
t.wait('something is said', function()
  return t.said[1]
end)
vim.cmd('Baton run Make both answer 1')
t.gate()
t.answer('Approve')
t.same(t.ends(), 'merged')
t.wait('the buffer is read again', function()
  return t.text(buffer) ~= before
end)

-- It is asked first, and left alone.
vim.cmd('Baton undo')
local question = t.answer('Leave')
t.holds(question.prompt, 'src/t1.rs')
t.holds(t.file('src/t1.rs'), '    1')
-- One task.
vim.cmd('Baton undo T2')
t.answer('Undo')
t.hear('Rolled back: 1 file')
t.holds(t.file('src/t2.rs'), '    0')
t.holds(t.file('src/t1.rs'), '    1')
-- One file, without a question; the buffer follows.
vim.cmd('Baton! undo src/t1.rs')
t.wait('the buffer is read again', function()
  return t.text(buffer) == before
end)
-- And that is taken back.
vim.cmd('Baton! redo')
t.wait('the buffer is read again', function()
  return t.text(buffer) ~= before
end)

t.done()
