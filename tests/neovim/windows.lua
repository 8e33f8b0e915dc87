local fake = require('fake')
local t = require('support')

local MARKDOWN = '# Plan, version 1\n\nOne small step.\n'

local function gate(fields)
  return vim.tbl_extend('force', {
    run = 'r1',
    plan_sha256 = 'aa',
    markdown = MARKDOWN,
    tasks = { { id = 'T1', title = 'One' } },
  }, fields or {})
end

local function floats()
  return vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_config(window).relative ~= ''
  end, vim.api.nvim_list_wins())
end

local function no_float(what)
  t.wait('no float is left: ' .. what, function()
    return #floats() == 0
  end)
end

--- The plan is put to the user, in a float.
local function ask(fields)
  fake.event({ phase = 'plan', status = 'waiting', gate = gate(fields) })
  t.wait('the gate', function()
    return require('baton.question').pending()[1]
  end)
  vim.cmd('Baton gate')
  t.wait('the question', function()
    return t.asked[1]
  end)
  t.same(#floats(), 1, 'the plan is in a float')
end

vim.g.baton = vim.tbl_deep_extend('force', vim.g.baton, { gate = { window = 'float' } })
vim.cmd.edit('src/t1.rs')
local code = vim.api.nvim_get_current_win()
vim.cmd('Baton status')
t.wait('the page', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://status'
end)
vim.cmd.close()

-- Every answer takes the float away, also none, and one that fails.
for _, answer in ipairs({ 'Approve', 'Ask for Changes', 'Edit Plan', 'Reject' }) do
  ask()
  t.lines = { 'Otherwise.' }
  t.answer(answer)
  no_float(answer)
  vim.cmd('silent! only!')
end
ask()
t.answer(nil)
no_float('no answer')
fake.answers['baton.approve'] = function()
  return nil, { code = -32803, message = 'the disk is full' }
end
ask()
t.answer('Approve')
t.hear('the disk is full')
no_float('a failing answer')
fake.answers['baton.approve'] = nil
ask({ run = vim.NIL })
t.lines = {}
t.answer('Ask for Changes')
no_float('no word')

-- So do the end of the waiting by somebody else, a cancel, and the end of the server's knowing of it.
ask()
fake.event({ phase = 'implement', status = 'started' })
no_float('answered elsewhere')
t.answer(nil)
ask()
vim.cmd('Baton cancel')
fake.event({ status = 'cancelled', outcome = 'cancelled', message = 'Stopped.' })
no_float('cancelled')
t.answer(nil)
fake.status = fake.status_of({ state = 'gate', headline = 'plan waits', summary = 'S.', gate = gate({ run = nil }) })
fake.status.gate.run = nil
vim.cmd('Baton gate')
t.wait('the question', function()
  return t.asked[1]
end)
t.same(#floats(), 1)
fake.status = fake.status_of({ state = 'merged', headline = 'approved', summary = 'S.' })
vim.api.nvim_exec_autocmds('FocusGained', {})
no_float('answered in a terminal')
t.answer(nil)

-- Read, it stays until it is left.
local function read()
  ask()
  t.answer('Read the Plan')
  t.wait('the cursor is in the plan', function()
    return vim.api.nvim_get_current_win() == floats()[1]
  end)
end
read()
t.same(pcall(vim.cmd.edit, 'src/t2.rs'), false, 'no file goes with the float')
vim.api.nvim_set_current_win(code)
no_float('left')
read()
vim.api.nvim_feedkeys('q', 'x', false)
no_float('closed by q')
read()
vim.cmd.tabnew()
no_float('another tab page')
vim.cmd.tabclose()
-- Not entered, it stands on its own tab page only.
ask()
vim.cmd.tabnew()
no_float('another tab page')
vim.cmd.tabclose()
t.answer(nil)

-- On a smaller screen it finds room.
ask()
vim.o.columns, vim.o.lines = 40, 12
vim.api.nvim_exec_autocmds('VimResized', {})
local config = vim.api.nvim_win_get_config(floats()[1])
t.same(config.width + config.col + 2 <= 40, true, vim.inspect(config))
t.same(config.height + config.row + 2 <= 12, true, vim.inspect(config))
vim.o.columns, vim.o.lines = 80, 24
t.answer(nil)
no_float('resized')

-- A window that the user took for a file is theirs.
vim.g.baton = vim.tbl_deep_extend('force', vim.g.baton, { gate = { window = 'split' } })
fake.event({ phase = 'plan', status = 'waiting', gate = gate() })
t.wait('the gate', function()
  return require('baton.question').pending()[1]
end)
vim.cmd('Baton gate')
t.answer('Read the Plan')
t.wait('the cursor is in the plan', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://plan'
end)
vim.cmd('silent edit src/t2.rs')
local windows = #vim.api.nvim_list_wins()
fake.event({ phase = 'implement', status = 'started' })
t.wait('nothing waits', function()
  return #require('baton.question').pending() == 0
end)
t.same(#vim.api.nvim_list_wins(), windows)

-- Notes stand in the corner as long as they are read, on the tab page and screen of whoever reads.
local note = require('baton.note')
t.same(note.wrap('one two three', 7), { 'one two', 'three' })
t.same(note.wrap('abcdefghij k', 4), { 'abcd', 'efgh', 'ij k' })
local is_wanted = true
note.show('A long message that nobody should have to guess the end of.', {
  stays = true,
  still_true = function()
    return is_wanted
  end,
})
local function text_of_float()
  return (t.text(vim.api.nvim_win_get_buf(floats()[1])):gsub('%s+', ' '))
end
t.holds(text_of_float(), 'guess the end of.')
vim.o.columns = 30
vim.api.nvim_exec_autocmds('VimResized', {})
t.wait('it is drawn anew', function()
  local float = floats()[1]
  return float and vim.api.nvim_win_get_width(float) <= 30
end)
t.holds(text_of_float(), 'guess the end of.')
vim.cmd.tabnew()
t.wait('it follows', function()
  local float = floats()[1]
  return float and vim.api.nvim_win_get_tabpage(float) == vim.api.nvim_get_current_tabpage() and #floats() == 1
end)
-- They make way for the cursor.
vim.api.nvim_buf_set_lines(0, 0, -1, true, vim.fn['repeat']({ 'text' }, 15))
local function corner_is(corner)
  t.wait('it stands ' .. corner, function()
    local float = floats()[1]
    return float and vim.api.nvim_win_get_config(float).anchor == corner
  end)
end
vim.api.nvim_win_set_cursor(0, { 1, 0 })
corner_is('SE')
vim.api.nvim_win_set_cursor(0, { 15, 0 })
corner_is('NE')
vim.bo.modified = false
is_wanted = false
no_float('a note')
vim.cmd.tabclose()

for _, client in ipairs(vim.lsp.get_clients({ name = 'baton' })) do
  client:stop(true)
end
t.done()
