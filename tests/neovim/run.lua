local t = require('support')

-- The user has a file open and starts a task on two lines of it; nothing runs yet.
vim.cmd.edit('src/t1.rs')
local buffer = vim.api.nvim_get_current_buf()
t.same(#vim.lsp.get_clients(), 0)
local progress, statuslines = {}, {}
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event)
    local value = event.data.params.value
    table.insert(progress, value.kind)
    table.insert(statuslines, require('baton').statusline())
  end,
})
local seen_status = false
vim.api.nvim_create_autocmd('LspProgress', {
  callback = function()
    seen_status = seen_status or vim.lsp.status():find('Baton', 1, true) ~= nil
  end,
})
vim.cmd('1,2Baton run Make it answer 1')
t.same(t.server().root_dir, vim.fs.normalize(vim.fn.getcwd()), 'the server starts')

-- The gate: the plan beside the question, the cursor where it was.
local window = vim.api.nvim_get_current_win()
local question = t.gate()
t.holds(question.prompt, 'Plan 1 (2 tasks) waits')
t.same(vim.api.nvim_get_current_win(), window, 'the focus stays')
local plan = vim.fn.bufnr('^baton://plan$')
t.same(#vim.fn.win_findbuf(plan), 1, 'the plan is shown')
t.holds(t.text(plan), '### T1 · The title of T1 · `simple`')
t.holds(t.text(plan), 'Used: ')
t.wait('the statusline says so', function()
  return require('baton').statusline() == 'baton: plan waits for you'
end)
t.same(t.text(buffer), 'pub fn t1() -> u32 {\n    0\n}', 'nothing is written before the answer')
t.answer('Approve')

t.same(t.ends(), 'escalated')
t.hear('The verdict is changes_requested.')
t.same(#vim.fn.win_findbuf(plan), 0, 'the plan is gone')
t.same(vim.api.nvim_get_current_win(), window)
t.wait('the statusline says so', function()
  return require('baton').statusline() == 'baton: needs you, 4 issues'
end)

-- Progress was seen.
t.wait('the progress ends', function()
  return progress[#progress] == 'end'
end)
t.same(progress[1], 'begin')
t.same(seen_status, true, 'vim.lsp.status()')
t.same(
  vim.iter(statuslines):any(function(line)
    return line:find('^baton: .* %d+%%%%') ~= nil
  end),
  true,
  vim.inspect(statuslines)
)
local phases = {}
for _, event in ipairs(t.events) do
  if not event.task and event.status == 'started' then
    table.insert(phases, event.phase)
  end
end
t.holds(phases, 'context\nplan\nimplement\nreview')

-- The buffer was read again, and is where it was.
t.wait('the buffer is read again', function()
  return t.text(buffer) == 'pub fn t1() -> u32 {\n    1\n}'
end)
t.same(vim.bo[buffer].modified, false)

-- The issues, at their lines, as what they are.
local function shown(file)
  local bufnr = vim.fn.bufnr(file)
  local found = vim.tbl_map(function(diagnostic)
    return { diagnostic.lnum, diagnostic.col, diagnostic.severity, diagnostic.code, diagnostic.source }
  end, bufnr > 0 and vim.diagnostic.get(bufnr) or {})
  table.sort(found, function(a, b)
    return a[3] < b[3]
  end)
  return found
end
t.same(shown('src/t1.rs'), {
  { 1, 4, vim.diagnostic.severity.ERROR, 'review.critical', 'baton' },
  { 1, 4, vim.diagnostic.severity.WARN, 'review.major', 'baton' },
})
t.same(shown('src/t2.rs'), {
  { 1, 4, vim.diagnostic.severity.INFO, 'review.minor', 'baton' },
  { 1, 4, vim.diagnostic.severity.HINT, 'review.suggestion', 'baton' },
})

-- The quickfix list has them all.
vim.cmd('Baton issues')
local list = t.wait('a quickfix list', function()
  local found = vim.fn.getqflist({ title = true, items = true })
  return vim.startswith(found.title, 'Baton: issues: ') and found.items
end)
t.same(#list, 4)
t.same({ vim.fn.bufname(list[1].bufnr), list[1].lnum, list[1].type, list[1].text }, {
  'src/t1.rs',
  2,
  'E',
  'critical: It loses data.',
})
vim.cmd.cclose()

-- Where it stands, and what was said.
vim.cmd('Baton')
t.wait('the status page', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://status'
end)
t.holds(t.text(), 'Task   Make it answer 1')
t.holds(t.text(), 'src/t1.rs:2: critical: It loses data.')
t.holds(t.text(), 'T2     completed The title of T2 (src/t2.rs)')
vim.api.nvim_feedkeys('q', 'x', false)
vim.cmd('Baton messages')
t.holds(t.text(), 'review done: ')
t.holds(t.text(), 'lsp.log')
vim.cmd.close()

-- What agents changed, and from there to the line.
vim.cmd('vertical Baton diff')
t.wait('the diff', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://diff'
end)
t.same(vim.bo.filetype, 'diff')
t.holds(t.text(), '+++ b/src/t2.rs')
vim.fn.search('^+    1')
vim.fn.search('^+    1')
vim.api.nvim_feedkeys(vim.keycode('<CR>'), 'x', false)
t.same({ vim.fn.bufname(), vim.fn.line('.') }, { 'src/t2.rs', 2 })
-- Or a file beside what it was.
vim.cmd.only()
vim.cmd('Baton diff %')
t.wait('two windows in diff mode', function()
  local windows = vim.api.nvim_list_wins()
  return #windows == 2 and vim.wo[windows[1]].diff and vim.wo[windows[2]].diff
end)
t.same(vim.fn.bufname(), 'src/t2.rs')
local before = vim.fn.bufnr('^baton:/before/*/src/t2.rs$')
t.wait('the file as it was', function()
  return t.text(before) == 'pub fn t2() -> u32 {\n    0\n}'
end)

-- Taken as it is, with a reason; it is said, and the statusline follows.
vim.cmd.diffoff({ bang = true })
vim.cmd('Baton accept It is good enough.')
t.hear('Accepted by you')
t.wait('the statusline says so', function()
  return require('baton').statusline():find('accepted', 1, true)
    or require('baton').statusline():find('approved', 1, true)
end)
t.same(require('baton.drafts').of(t.server().root_dir, 'reason'), nil)

t.done()
