local t = require('support')

-- The key is refused at the first request: nothing was written, and so nothing is to be undone.
vim.cmd.edit('src/t1.rs')
vim.cmd('Baton run Make both answer 1')
t.same(t.ends(), 'failed')
local question = t.wait('the end is asked about', function()
  return require('baton.question').pending()[1]
end)
t.same(question.ways, true)
vim.cmd('Baton gate')
local asked = t.wait('the ways on', function()
  return t.asked[1]
end)
t.same(vim.list_contains(asked.titles, 'Undo'), false, vim.inspect(asked.titles))
t.same(vim.list_contains(asked.titles, 'Show Changes'), false, vim.inspect(asked.titles))
t.same(vim.list_contains(asked.titles, 'Set API Key'), true, vim.inspect(asked.titles))
for _, text in ipairs(vim.list_extend({ asked.prompt }, t.said)) do
  t.same(text:find('`baton', 1, true), nil, text)
  t.same(text:find('…', 1, true), nil, text)
end
local about_the_end = vim.tbl_filter(function(text)
  return text:find('ANTHROPIC_API_KEY', 1, true) ~= nil
end, t.said)
t.same(#about_the_end, 1, 'it is said once: ' .. vim.inspect(t.said))

-- From there it goes on, with the task that was typed.
t.answer('Try Again')
t.gate()
t.holds(t.text(vim.fn.bufnr('^baton://plan$')), 'Make both answer 1')
t.answer('Approve')
t.same(t.ends(), 'merged')
t.wait('the statusline says so', function()
  return require('baton').statusline():find('approved', 1, true)
end)
vim.cmd('Baton')
t.wait('the page', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://status'
end)
t.holds(t.text(), 'Show Changes')
t.holds(t.text(), 'Undo')

-- Undone, the page says so, and the undo can be taken back from it.
local row = vim.fn.search('Undo', 'cw')
vim.api.nvim_win_set_cursor(0, { row, 0 })
vim.api.nvim_feedkeys(vim.keycode('<CR>'), 'xm', false)
t.answer('Undo')
t.hear('Rolled back: 2 files')
t.holds(t.file('src/t1.rs'), '    0')
t.wait('it can be brought back', function()
  return t.text():find('Bring It Back', 1, true)
end)
t.same(t.text():find('approved', 1, true), nil, t.text())

t.done()
