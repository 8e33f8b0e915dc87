local t = require('support')

-- The plan says which check is skipped, and one of the answers lets it run.
vim.cmd('Baton run Make both answer 1')
local question = t.gate()
local plan = t.text(vim.fn.bufnr('^baton://plan$'))
t.holds(plan, 'check **test** is skipped (not trusted yet): `true`')
t.same(vim.list_slice(question.titles, 1, 4), {
  'Read the Plan',
  'Approve',
  'Approve Some of the Tasks',
  'Approve and Trust the Check',
})
t.answer('Approve and Trust the Check')
t.hear('the plan is approved')
t.same(t.ends(), 'merged')

t.done()
