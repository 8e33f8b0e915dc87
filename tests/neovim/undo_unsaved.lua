local t = require('support')

vim.cmd.edit('src/t1.rs')
local buffer = vim.api.nvim_get_current_buf()
local before = t.text(buffer)
vim.cmd('Baton run Make both answer 1')
t.gate()
t.answer('Approve')
t.same(t.ends(), 'merged')
t.wait('the buffer is read again', function()
  return t.text(buffer) ~= before
end)

-- The user edits a file of the run and does not save it. It is named, and nothing is undone without it.
vim.api.nvim_buf_set_lines(buffer, 0, 0, true, { '// Mine' })
vim.cmd('Baton undo')
local question = t.wait('it is asked', function()
  return t.asked[1]
end)
t.holds(question.prompt, 'Not saved: src/t1.rs')
t.same(question.titles, { 'Save All and Undo', 'Leave everything as it is' })
t.answer('Leave')
t.same(vim.bo[buffer].modified, true)
t.holds(t.file('src/t2.rs'), '    1')

-- Not even where nothing is to be asked.
vim.cmd('Baton! undo')
t.wait('it is asked', function()
  return t.asked[1]
end)
t.answer('Save All and Undo')
t.hear('Rolled back: ')
t.wait('the buffer is read again', function()
  return t.text(buffer) == '// Mine\n' .. before
end)
t.same(t.file('src/t1.rs'), '// Mine\n' .. before)
t.holds(t.file('src/t2.rs'), '    0')
t.same(vim.bo[buffer].modified, false)
-- The buffer's own history goes on: `u` brings back what stood before.
vim.cmd('silent undo')
t.holds(t.text(buffer), '    1')
vim.cmd('silent redo')

-- What the user changed since in the very line is left alone and named; the rest of the undo is done, and Undo stays.
vim.cmd('Baton! redo')
t.wait('the buffer is read again', function()
  return t.text(buffer):find('    1', 1, true)
end)
vim.cmd('silent %s/    1/    3/')
vim.cmd('silent write')
-- At a line of a change it is asked which undo is meant; this is none.
vim.api.nvim_win_set_cursor(0, { 1, 0 })
vim.cmd('Baton undo')
question = t.answer('Undo')
t.holds(question.prompt, 'leave alone src/t1.rs')
t.wait('the other file is back', function()
  return t.file('src/t2.rs'):find('    0', 1, true)
end)
t.holds(t.text(buffer), '    3')
vim.cmd('Baton')
t.wait('Undo is still offered', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://status' and t.text():find('%d  Undo')
end)

t.done()
