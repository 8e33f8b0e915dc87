local t = require('support')

-- No project is needed for it, and a model of the user's own is not asked.
vim.g.baton = vim.tbl_extend('force', vim.g.baton, { settings = { models = { fast = 'anthropic:claude-haiku-5-5' } } })
vim.cmd.enew()
local window = vim.api.nvim_get_current_win()
vim.cmd('Baton demo')
t.hear('no key, no network, no cost')
t.same(#vim.api.nvim_list_tabpages(), 2)
local folder = vim.fn.getcwd()
t.same(vim.fn.haslocaldir(-1), 1, 'the tab has its own folder')
t.same(vim.startswith(folder, vim.fn.stdpath('data') .. '/baton/demo/links-'), true, folder)
t.holds(vim.api.nvim_buf_get_name(0), '/.agent_memory/task.md')
t.holds(t.text(), 'Check anchors too')
t.same(t.server().root_dir, folder)

local question = t.gate()
t.holds(question.prompt, 'Plan 1')
t.holds(t.text(vim.fn.bufnr('^baton://plan$')), 'no cost')
t.answer('Approve')
t.same(t.ends(), 'merged')

-- What the review found stands at its line, and is fixed.
vim.cmd.edit('src/link.rs')
local buffer = vim.api.nvim_get_current_buf()
local function issues()
  return require('baton.issues').shown(buffer)
end
t.wait('the issue', function()
  return #issues() == 1
end)
local line = vim.api.nvim_buf_get_lines(buffer, issues()[1].lnum, issues()[1].lnum + 1, true)[1]
t.holds(line, 'then_some(fragment)')
vim.cmd('Baton fix ' .. t.ask('baton.status').issues[1].id)
t.same(t.ends(), 'merged')
t.wait('it is fixed', function()
  return #issues() == 0 and t.text(buffer):find('percent_decode(fragment)', 1, true)
end)

vim.cmd('Baton! undo')
t.wait('all of it is undone', function()
  return not t.text(buffer):find('fragment(&self)', 1, true)
end)
t.same(vim.uv.fs_stat(folder .. '/src/heading.rs'), nil)

-- Where it was started from nothing has changed.
vim.api.nvim_set_current_win(window)
t.same(vim.fn.haslocaldir(-1), 0)

t.done()
