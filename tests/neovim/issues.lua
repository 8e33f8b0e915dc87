local t = require('support')

vim.cmd.edit('src/t1.rs')
local buffer = vim.api.nvim_get_current_buf()
vim.cmd('Baton run Make both answer 1')
t.gate()
t.answer('Approve')
t.same(t.ends(), 'escalated')

local function severities()
  local found = vim.tbl_map(function(diagnostic)
    return diagnostic.severity
  end, require('baton.issues').shown(buffer))
  table.sort(found)
  return found
end
t.wait('the issues', function()
  return vim.deep_equal(severities(), { 1, 2 })
end)
t.wait('the buffer is read again', function()
  return vim.api.nvim_buf_get_lines(buffer, 1, 2, true)[1] == '    1'
end)

-- They move with the edits.
vim.api.nvim_buf_set_lines(buffer, 0, 0, true, { '// A remark' })
vim.cmd('silent write')
t.wait('they have moved', function()
  return vim.iter(require('baton.issues').shown(buffer)):all(function(diagnostic)
    return diagnostic.lnum == 2
  end) and #severities() == 2
end)

-- A code action dismisses one, and it comes back.
vim.api.nvim_win_set_cursor(0, { 3, 4 })
vim.lsp.buf.code_action()
local question = t.wait('code actions', function()
  return t.asked[1]
end)
local titles = table.concat(question.titles, '\n')
local dismiss = vim.iter(question.titles):find(function(title)
  return title:find('ismiss') ~= nil
end)
assert(dismiss, titles)
t.holds(titles:lower(), 'fix')
question.answer(dismiss)
t.wait('one is dismissed', function()
  return #severities() == 1
end)
local gone = severities()[1] == 1 and 'major' or 'critical'
local dismissed = vim.iter(t.ask('baton.status').issues):find(function(issue)
  return issue.severity == gone
end)
t.same(dismissed.state, 'dismissed')
-- The same by the command: dismiss what is left, and take it back.
vim.cmd('Baton dismiss')
t.hear('dismissed; :Baton restore')
t.wait('none is left', function()
  return #severities() == 0
end)
vim.cmd('Baton restore')
t.hear('the issue is back')
t.wait('it is back', function()
  return #severities() == 1
end)

-- The one under the cursor is fixed.
vim.cmd('Baton fix')
t.same(t.ends(), 'merged')
t.wait('what was fixed is read again', function()
  return t.text(buffer):find('    2', 1, true)
end)
t.holds(t.text(buffer), '// A remark')
t.wait('no issue is left', function()
  return #severities() == 0
end)
-- Those of the other file stand, since nobody asked to fix them. Where none is under the cursor, one is chosen.
vim.cmd('Baton fix all')
t.hear('no issue is open in this file')
vim.cmd('Baton fix')
local choice = t.answer(nil)
t.same(choice.prompt, 'Which issue to fix?')
table.sort(choice.titles)
t.same(choice.titles, { 'src/t2.rs:2 It is long.', 'src/t2.rs:2 It is slow.' })
vim.cmd.edit('src/t2.rs')
vim.cmd('Baton fix all')
t.same(t.ends(), 'merged')
t.wait('what was fixed is read again', function()
  return t.text():find('    2', 1, true)
end)
vim.cmd('Baton issues')
t.hear('no issue is open')

t.done()
