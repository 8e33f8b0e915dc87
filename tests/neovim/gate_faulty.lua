local t = require('support')

local PLAN = '.agent_memory/plan.json'

--- Another program writes the plan.
local function write(text)
  local file = assert(io.open(PLAN, 'wb'))
  file:write(text)
  file:close()
end

local function plan_page()
  return t.text(vim.fn.bufnr('^baton://plan$'))
end

vim.cmd.edit('src/t1.rs')
vim.cmd('Baton run Make both answer 1')
t.gate()
t.holds(plan_page(), 'to implement and review: about $')
t.answer(nil)

-- A plan that cannot be shown is told at its place; nothing can be approved, and the gate waits.
local good = assert(io.open(PLAN, 'rb')):read('*a')
write((good:gsub('"simple"', '"bogus"', 1)))
t.hear('"bogus" is not one of')
t.wait('nothing can be answered', function()
  return #require('baton.question').pending() == 0
end)
vim.cmd('Baton gate')
local faulty = t.wait('what can be done is asked', function()
  return t.asked[1]
end)
t.holds(faulty.prompt, '.agent_memory/plan.json:21:31: "bogus" is not one of')
t.same(vim.list_slice(faulty.titles, 1, 3), { 'Edit Plan', 'Ask for Changes', 'Reject' })
t.answer('Edit Plan')
t.wait('the fault is shown', function()
  return vim.fs.basename(vim.api.nvim_buf_get_name(0)) == 'plan.json' and vim.fn.line('.') == 21
end)
vim.cmd.close()

-- Mended into another plan than was shown, it is shown before it is approved.
write((good:gsub('The title of T2', 'A better title')))
t.wait('the fixed plan waits', function()
  return #require('baton.question').pending() > 0
end)
vim.cmd('Baton approve')
t.hear('read the plan as it is, then answer')
t.wait('the fixed plan is asked about', function()
  return t.asked[1]
end)
t.holds(plan_page(), 'A better title')

-- After a restart the same is shown from the files, and an answer to an earlier plan is none.
t.answer(nil)
t.server():stop()
t.same(t.ends(), 'cancelled')
t.wait('the server ends', function()
  return #vim.lsp.get_clients({ name = 'baton', _uninitialized = true }) == 0
end)
vim.cmd('Baton gate')
local question = t.wait('it is asked again', function()
  return t.asked[1]
end)
t.holds(plan_page(), 'to implement and review: about $')
write((good:gsub('The title of T2', 'The best title')))
question.answer('Approve')
t.hear('the plan has changed since it was shown')
t.wait('the plan is asked about as it is', function()
  return t.asked[1]
end)
t.holds(plan_page(), 'The best title')
t.answer('Approve')
t.same(t.ends(), 'merged')
t.holds(t.file('.agent_memory/plan.md'), 'The best title')

t.done()
