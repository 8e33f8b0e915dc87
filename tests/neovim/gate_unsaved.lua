local t = require('support')

vim.cmd.edit('src/t1.rs')
vim.cmd('Baton run Make both answer 1')

--- The user edits plan.json at the gate and does not save it; the buffer.
local function edits(from, to)
  t.gate()
  t.answer('Edit Plan')
  t.wait('plan.json is open', function()
    return vim.fs.basename(vim.api.nvim_buf_get_name(0)) == 'plan.json'
  end)
  vim.cmd(('silent %%s/%s/%s/'):format(from, to))
  return vim.api.nvim_get_current_buf()
end

local function asks()
  local question = t.wait('it is asked what to approve', function()
    return t.asked[1]
  end)
  t.holds(question.prompt, 'plan.json has unsaved changes')
  t.same(question.titles, { 'Save and Approve', 'Discard: approve the plan as it was shown', 'Cancel' })
  return question
end

local bufnr = edits('The title of T2', 'A better title')
local saved = t.file('.agent_memory/plan.json')

-- Cancelled, nothing is written, approved or lost.
vim.cmd('Baton approve')
asks()
t.answer('Cancel')
t.hear('the plan still waits. :Baton gate')
t.same(t.file('.agent_memory/plan.json'), saved)
t.holds(t.text(bufnr), 'A better title')
t.same(vim.bo[bufnr].modified, true)

-- A lens asks the same.
require('baton.gate').on_lens({ command = 'baton.approve', arguments = { { planSha256 = 'aa' } } }, {
  client_id = t.server().id,
})
asks()
t.answer(nil)

-- Saved, it is the plan that is carried out: not another one that came in between.
vim.cmd('Baton approve')
asks()
t.answer('Save and Approve')
t.same(t.ends(), 'merged')
t.holds(t.file('.agent_memory/plan.md'), 'A better title')
local approval = vim.json.decode(t.file('.agent_memory/approval.json'))
local file = assert(io.open('.agent_memory/plan.json', 'rb'))
t.same(approval.plan_sha256, vim.fn.sha256(file:read('*a')))
file:close()
t.holds(t.file('src/t2.rs'), '    1')

-- Discarded, the plan as it was shown is carried out; `u` brings the edit back.
vim.cmd('Baton run Make both answer 1 again')
vim.cmd.close()
bufnr = edits('The title of T2', 'A worse title')
vim.cmd('Baton approve')
asks()
t.answer('Discard')
t.hear('the plan is approved')
t.same(t.text(bufnr):find('A worse title', 1, true), nil)
t.ends()
t.same(t.file('.agent_memory/plan.md'):find('A worse title', 1, true), nil)

t.done()
