local t = require('support')

--- The first lens of the current buffer whose title begins so.
local function lens(words)
  return t.wait(('a lens %q'):format(words), function()
    local found = vim.lsp.codelens.get(0)
    table.sort(found, function(a, b)
      return a.range.start.line < b.range.start.line
    end)
    return vim.iter(found):find(function(one)
      return vim.startswith(one.command.title, words)
    end)
  end)
end

local function run(found)
  vim.api.nvim_win_set_cursor(0, { found.range.start.line + 1, 0 })
  vim.lsp.codelens.run()
  local question = #t.asked > 0 and t.asked[1]
  if question then
    question.answer(found.command.title)
  end
end

-- The plan is approved by its lens.
vim.cmd('Baton run Make both answer 1')
t.wait('the gate', function()
  return require('baton.question').pending()[1]
end)
vim.cmd.edit('.agent_memory/plan.json')
run(lens('Approve plan'))
t.same(t.ends(), 'escalated')

-- All issues are fixed by the lens of the review.
vim.cmd.edit('.agent_memory/review.json')
run(lens('Fix'))
t.same(t.ends(), 'merged')
t.holds(t.file('src/t1.rs'), '    2')

t.done()
