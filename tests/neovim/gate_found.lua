local t = require('support')

-- Another Neovim, in which nothing runs: the same plan waits, as whole as it was.
vim.cmd.edit('src/t1.rs')
t.same(#vim.lsp.get_clients(), 0)
vim.cmd('Baton gate')
local question = t.wait('the gate', function()
  return t.asked[1]
end)
t.holds(question.prompt, 'Plan 1 (2 tasks) waits')
t.same(t.text(vim.fn.bufnr('^baton://plan$')), t.file('.git/plan-as-it-was-shown'))
local answers = { 'Read the Plan', 'Approve', 'Approve Some of the Tasks', 'Ask for Changes', 'Edit Plan', 'Reject' }
for _, title in ipairs(answers) do
  t.same(vim.list_contains(question.titles, title), true, title)
end

-- What should change can be said with nothing at work; what was said is in the next plan.
t.lines = { 'Do it in one task.' }
t.answer('Ask for Changes')
t.ends()
t.same(require('baton.drafts').of(t.server().root_dir, 'feedback'), nil)
vim.cmd('Baton gate')
question = t.answer('Approve')
t.holds(question.prompt, 'Plan 2 (2 tasks) waits')
t.same(t.ends(), 'merged')
t.holds(t.file('src/t2.rs'), '    1')

t.done()
