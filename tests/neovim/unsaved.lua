local t = require('support')

vim.cmd.edit('src/t1.rs')
local buffer = vim.api.nvim_get_current_buf()
vim.cmd('Baton run Make both answer 1')
t.gate()
-- The user edits the file of T1 and does not save it.
vim.api.nvim_buf_set_lines(buffer, 0, 0, true, { '// Not saved' })
local edited = t.text(buffer)
t.answer('Approve')
local event = t.wait('the task waits for the file', function()
  return vim.iter(t.events):find(function(event)
    return event.task == 'T1' and event.message:find('src/t1.rs', 1, true) and event.message:lower():find('save') ~= nil
  end)
end)
t.same(event.phase, 'implement')
t.hear('T1 waits for you to save src/t1.rs (:Baton)')
local told = vim.tbl_filter(function(message)
  return message:find('to save src/t1.rs', 1, true) ~= nil
end, t.said)
t.same(#told, 1, vim.inspect(told))
t.same(t.text(buffer), edited)
t.same(vim.bo[buffer].modified, true)
t.holds(t.file('src/t1.rs'), '    0')

-- Saved, it goes on, and both edits are there. Saving is one of the ways on, and begins no run.
vim.cmd('Baton gate')
local question = t.wait('the ways on', function()
  return t.asked[1]
end)
t.holds(question.prompt, 'src/t1.rs')
t.same(question.titles, { 'Save', 'Cancel' })
t.answer('Save')
t.hear('saved src/t1.rs')
t.same(t.ends(), 'merged')
t.wait('the buffer is read again', function()
  return t.text(buffer) == '// Not saved\npub fn t1() -> u32 {\n    1\n}'
end)
t.same(t.file('src/t1.rs'), t.text(buffer))

-- A file that changes beneath unsaved edits: they stay, and it is said once.
vim.api.nvim_buf_set_lines(buffer, 0, 1, true, { '// Still not saved' })
vim.fn.writefile({ 'somebody else' }, 'src/t1.rs')
local before = #t.said
require('baton.buffers').check(t.server().root_dir)
require('baton.buffers').check(t.server().root_dir)
t.holds(t.said[#t.said], 'src/t1.rs changed on disk; your unsaved edits are kept')
t.same(#t.said, before + 1)
t.holds(t.text(buffer), '// Still not saved')
vim.cmd('silent edit!')

-- A file that is gone is told once, by us and not by Neovim; back again, it is read again.
vim.fn.delete('src/t1.rs')
require('baton.buffers').check(t.server().root_dir)
t.hear('src/t1.rs deleted on disk')
vim.v.errmsg = ''
vim.cmd.checktime()
t.same(vim.v.errmsg, '')
vim.fn.writefile({ 'back again' }, 'src/t1.rs')
require('baton.buffers').check(t.server().root_dir)
t.wait('the buffer is read again', function()
  return t.text(buffer) == 'back again'
end)

t.done()
