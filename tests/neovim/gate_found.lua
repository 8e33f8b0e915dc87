local t = require('support')

-- Another Neovim, in which nothing runs: it says once that a plan waits.
vim.cmd('filetype on')
vim.lsp.enable('baton')
vim.cmd.edit('src/t1.rs')
t.hear('waits for your answer; nothing of it is written before. (:Baton)')
vim.wait(300)
t.same(#t.said, 1, vim.inspect(t.said))
t.same(require('baton').statusline(), 'baton: plan waits for you')

-- The same plan waits, as whole as it was.
vim.cmd('Baton gate')
local question = t.wait('the gate', function()
  return t.asked[1]
end)
t.holds(question.prompt, 'Plan 1 (2 tasks) waits')
-- The models of the tests answer at another port.
local function without_port(text)
  return (text:gsub('127%.0%.0%.1:%d+', 'HOST'))
end
local is, was = t.text(vim.fn.bufnr('^baton://plan$')), t.file('.git/plan-as-it-was-shown')
t.same(without_port(is), without_port(was))
t.holds(is, 'Models: fast anthropic:')
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
