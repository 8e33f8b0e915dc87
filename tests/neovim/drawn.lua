local fake = require('fake')
local t = require('support')

local way = fake.way
local START = way('start', 'Start', 'baton.workflow')
local APPROVE, REJECT = way('approve', 'Approve', 'baton.approve'), way('reject', 'Reject', 'baton.reject')
local RESUME, RETRY = way('resume', 'Resume', 'baton.workflow'), way('retry', 'Try Again', 'baton.workflow')
local CHANGES, UNDO = way('show_changes', 'Show Changes', 'baton.diff'), way('undo', 'Undo', 'baton.rollback')
local RESET = way('reset', 'Start Over', 'baton.reset')
local KEY, SAVE = way('set_key', 'Set API Key'), way('save', 'Save')
local BACK = way('bring_back', 'Bring It Back', 'baton.rollback', { undo = true })

--- Each situation that the server knows, as it answers: its own tests keep the file.
local folder = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
local file = assert(io.open(vim.fs.joinpath(folder, '..', 'fixtures', 'situations.json')))
---@type { name: string, status: table }[]
local SITUATIONS = vim.json.decode(file:read('*a'), { luanil = { object = true } })
file:close()

local function draw(status)
  fake.status = status
  local is_drawn = false
  require('baton.session').refresh(t.server(), function()
    is_drawn = true
  end)
  t.wait('the answer', function()
    return is_drawn
  end)
end

local function titles(ways)
  return vim.tbl_map(function(one)
    return one.title
  end, ways)
end

-- The client shows how a run ended by itself, and wants no diagnostics of phases.
vim.cmd('Baton status')
t.wait('the page', function()
  return t.text() == 'Nothing was run here yet. :Baton run {task}'
end)
local asked_for = fake.initialized.initializationOptions.baton
t.same({ asked_for.outcome, asked_for.statusDiagnostics }, { true, false })
t.same(require('baton').statusline(), '')

-- The statusline, the page and the question say what the server says, and nothing else.
for _, situation in ipairs(SITUATIONS) do
  local name, status = situation.name, situation.status
  draw(status)
  local line = status.state == 'fresh' and '' or 'baton: ' .. status.headline
  t.same(require('baton').statusline(), line, name)
  local lines = vim.api.nvim_buf_get_lines(0, 0, -1, true)
  local said = vim.tbl_filter(function(text)
    return vim.startswith(text, 'State  ')
  end, lines)
  t.same(said, { 'State  ' .. status.summary }, name)
  local numbered = vim.tbl_filter(function(text)
    return text:find('^%d+  ') ~= nil
  end, lines)
  local expected = {}
  for n, one in ipairs(status.ways_on) do
    expected[n] = ('%d  %s'):format(n, one.title)
  end
  t.same(numbered, expected, name)
  t.same(t.text():find('Next', 1, true), nil, 'nothing is said of its own')
  for _, check in ipairs(status.checks) do
    t.holds(t.text(), ('check %s %s'):format(check.name, check.words))
    local has_log = t.text():find('log: ' .. (check.file or '?'), 1, true) ~= nil
    t.same(has_log, check.state == 'failed', name .. ' ' .. check.name)
  end
  for _, task in ipairs(status.tasks) do
    for _, criterion in ipairs(task.criteria) do
      local says = (' %s: %s'):format(criterion.state, criterion.text)
      local is_named = criterion.state ~= nil and criterion.state ~= 'met'
      t.same(t.text():find(says, 1, true) ~= nil, is_named, name .. ' ' .. says)
    end
  end
  -- Where there is nothing yet, nothing is asked.
  if status.state ~= 'fresh' then
    vim.cmd('Baton gate')
    local question = t.wait('the ways on are asked: ' .. name, function()
      return t.asked[1]
    end)
    t.same(question.titles, titles(status.ways_on), name)
    t.holds(question.prompt, status.summary)
    t.answer(nil)
  end
end

--- Go the way of this title by its number on the page, or by <CR> on its line.
local function go(title, by)
  local row = vim.fn.search('\\v^\\d  ' .. title, 'cw')
  t.same(row > 0, true, title .. ' is on the page')
  vim.api.nvim_win_set_cursor(0, by == '<CR>' and { row, 0 } or { 1, 0 })
  local key = by or vim.fn.getline(row):match('^%d')
  vim.api.nvim_feedkeys(vim.keycode(key), 'xm', false)
end

local function ran(command)
  local last = t.wait(command .. ' is run', function()
    return fake.ran[1]
  end)
  fake.ran = {}
  t.same(last.command, command)
  last.arguments.folder = nil
  return last.arguments
end

-- By its number, and by <CR>.
local escalated = vim.iter(SITUATIONS):find(function(situation)
  return situation.name == 'escalated by review'
end)
draw(escalated.status)
go('Fix the Issues')
t.same(ran('baton.fixIssue'), { ids = { 'i1', 'i2' } })
go('Plan Again', '<CR>')
t.same(ran('baton.plan'), {})
t.lines = { ' It is good enough. ' }
go('Accept as Is')
t.same(ran('baton.accept'), { because = 'It is good enough.' })
t.lines = { '' }
go('Accept as Is')
t.same(ran('baton.accept'), {})
go('Accept as Is')
vim.wait(50)
t.same(fake.ran, {}, 'left, it accepts nothing')
-- The server asks about the checks, whenever it is.
local untrusted = vim.deepcopy(escalated.status)
table.insert(untrusted.ways_on, {
  id = 'trust',
  title = 'Trust the Check…',
  command = 'baton.trust',
  arguments = vim.NIL,
  cli = 'baton trust',
})
draw(untrusted)
go('Trust the Check…')
t.same(ran('baton.trust'), {})
draw(escalated.status)
fake.answers['baton.diff'] = { diff = '--- a/x\n+++ b/x\n', files = {} }
go('Show Changes')
ran('baton.diff')
t.wait('the changes', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://diff'
end)
vim.api.nvim_feedkeys('q', 'x', false)
vim.cmd.close()
vim.cmd('Baton status')
t.wait('the page', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://status'
end)
-- A stray <CR> does nothing.
fake.ran = {}
vim.api.nvim_feedkeys(vim.keycode('<CR>'), 'xm', false)
vim.wait(50)
t.same(fake.ran, {})
local restored = { path = 'src/t1.rs', outcome = 'restored' }
fake.answers['baton.rollback'] = { files = { restored }, message = 'Rolled back: 1 file' }
go('Undo')
t.same(ran('baton.rollback'), { dryRun = true })
t.answer('Undo')
t.same(ran('baton.rollback'), {})
draw(fake.status_of({ state = 'rolled_back', headline = 'undone', summary = 'S.', ways_on = { BACK } }))
go('Bring It Back')
t.same(ran('baton.rollback'), { dryRun = true, undo = true })
t.answer(nil)

-- The log of a check that does not pass is opened at its row; no other row of it does anything.
local proven = vim.iter(SITUATIONS):find(function(situation)
  return situation.name == 'merged, all proven'
end)
draw(proven.status)
t.holds(t.text(), 'all 2 criteria are met')
vim.api.nvim_win_set_cursor(0, { vim.fn.search('log: ', 'cw'), 0 })
vim.api.nvim_feedkeys(vim.keycode('<CR>'), 'xm', false)
t.holds(vim.fn.bufname(), proven.status.checks[2].file)
vim.cmd('bwipeout!')

-- A file with a fault is opened at it.
fake.status = fake.status_of({
  state = 'faulty',
  headline = 'h',
  summary = 'S.',
  ways_on = { way('edit', 'Open the File') },
  faults = { { file = 'src/t2.rs', line = 2, column = 5, message = 'm' } },
})
draw(fake.status)
go('Open the File')
t.same({ vim.fn.bufname(), vim.fn.line('.'), vim.fn.col('.') }, { 'src/t2.rs', 2, 5 })
vim.cmd.close()

-- With a task that is done, Start asks for another one; it begins nothing by itself.
draw(fake.status_of({ state = 'merged', headline = 'h', summary = 'S.', ways_on = { START } }))
go('Start')
vim.wait(50)
t.same(fake.ran, {})
t.lines = { 'Something else' }
go('Start')
t.same(ran('baton.workflow'), { task = 'Something else' })

-- What waits for a save is saved.
vim.cmd('split src/t1.rs')
vim.api.nvim_buf_set_lines(0, 0, 0, true, { '// Mine' })
vim.cmd.close()
draw(fake.status_of({ state = 'waiting_for_save', headline = 'waits', summary = 'S.', ways_on = { SAVE } }))
go('Save')
t.hear('saved src/t1.rs')
t.holds(t.file('src/t1.rs'), '// Mine')

-- A way that this plugin does not know is told, and does nothing.
draw(fake.status_of({ state = 'failed', headline = 'h', summary = 'S.', ways_on = { way('later', 'Not Yet') } }))
go('Not Yet')
t.hear('Not Yet: this needs a newer plugin')

-- A run ends: one message in Neovim's words, and only what can be done.
local function ends(outcome, message, ways)
  t.said = {}
  fake.event({ status = 'started', run = outcome })
  draw(fake.status_of({ state = outcome, headline = outcome, summary = message, ways_on = ways, run = outcome }))
  fake.event({ status = 'done', run = outcome, outcome = outcome, message = message, ways_on = ways })
  t.hear(message:sub(1, 8))
end
-- Whoever looks at the page sees it there, and the cursor stays on the line it is on.
local lines = vim.api.nvim_buf_get_lines(0, 0, -1, true)
vim.api.nvim_win_set_cursor(0, { #lines, 0 })
t.said = {}
fake.event({ status = 'started', run = 'seen' })
local seen = { state = 'failed', headline = 'failed', summary = 'It broke.', ways_on = { RETRY, CHANGES, UNDO } }
draw(fake.status_of(seen))
fake.event({ status = 'done', run = 'seen', outcome = 'failed', message = 'It broke.', ways_on = { RETRY } })
t.same(t.said, {})
t.holds(t.text(), 'It broke.')
t.same(vim.api.nvim_get_current_line(), lines[#lines])
-- Whoever is elsewhere is told.
vim.api.nvim_exec_autocmds('FocusLost', {})
ends('failed', 'The key was refused; baton.workflow goes on, or `baton run`.', { KEY, RETRY })
t.same(t.said, { 'The key was refused; :Baton run goes on, or :Baton run. (:Baton)' })
t.same(#require('baton.question').pending(), 1)
vim.cmd('Baton gate')
t.same(t.answer(nil).titles, { 'Set API Key', 'Try Again' })
t.same(#require('baton.question').pending(), 0)
ends('done', 'The context phase is done.', {})
t.same(t.said, { 'The context phase is done.' })
t.same(#require('baton.question').pending(), 0, 'nothing is asked where nothing can be done')
ends('merged', 'Approved. Nothing was committed.', { CHANGES, UNDO })
fake.event({ status = 'started', run = 'next' })
t.wait('the next run takes the question back', function()
  return #require('baton.question').pending() == 0
end)
fake.event({ status = 'done', run = 'next', outcome = 'done', message = 'Done.', ways_on = {} })

local here = require('baton.words').here
t.same(here('baton.workflow with a task makes one'), ':Baton run {task} makes one')
t.same(here('baton.rollback with {"undo": true}, baton.toml, `baton diff`'), ':Baton redo, baton.toml, :Baton diff')
t.same(here('baton.plan with {"feedback": "…"} asks'), ':Baton plan {feedback} asks')

-- A task that waits for files names each once.
t.said = {}
local function waits(files)
  local message = 'waits for you to save ' .. table.concat(files, ', ')
  fake.event({ phase = 'implement', task = 'T1', status = 'waiting', message = message, files = files })
end
waits({ 'a', 'b' })
waits({ 'b' })
t.same(t.said, { 'T1 waits for you to save a, b (:Baton)' })
fake.event({ phase = 'implement', task = 'T1', status = 'progress', message = 'thinking' })
waits({ 'b' })
t.same(#t.said, 2)
fake.event({ status = 'done', run = 'r1', outcome = 'done', message = 'Done.', ways_on = {} })

-- A server that knows none of this: the page and the statusline say what it does know.
local older = fake.status_of({ outcome = 'escalated', next = 're_plan' })
older.ways_on = nil
draw(older)
t.holds(t.text(), 'Run    r1: escalated')
t.holds(t.text(), 'Next   re plan')
t.same(require('baton').statusline(), '')
vim.cmd('Baton gate')
t.hear('nothing waits for an answer')

-- What waits is told when a file of the project is opened.
t.server():stop(true)
t.wait('the server ends', function()
  return #vim.lsp.get_clients() == 0
end)
local function opened(state, ways)
  t.said = {}
  fake.status = fake.status_of({ state = state, headline = 'h', summary = 'It is ' .. state .. '.', ways_on = ways })
  vim.lsp.enable('baton')
  vim.cmd('silent edit! src/t2.rs')
  vim.api.nvim_exec_autocmds('FileType', {})
  t.wait('it is known', function()
    local client = vim.lsp.get_clients({ name = 'baton' })[1]
    return client and require('baton.session').of(client.root_dir).status == fake.status
  end)
  vim.wait(50)
  local said = t.said
  vim.lsp.enable('baton', false)
  for _, client in ipairs(vim.lsp.get_clients()) do
    client:stop(true)
  end
  t.wait('the server ends', function()
    return #vim.lsp.get_clients() == 0
  end)
  return said
end
-- What was used is told in dollars only where there is a price to pay.
local function used(fields)
  local usage = { input_tokens = 12000, cache_write_tokens = 0, cache_read_tokens = 0, output_tokens = 345 }
  return require('baton.cost').words(vim.tbl_extend('force', usage, fields))
end
t.same(used({ cost_usd = 0.124 }), '12.3k tokens, $0.12')
t.same(used({ cost_usd = vim.NIL, estimated = true }), 'about 12.3k tokens')
t.same(used({ cost_usd = 0, ['local'] = true }), '12.3k tokens, local, no cost')
t.same(used({ cost_usd = 0 }), '12.3k tokens, no cost')
t.same(used({ priced_usd = 0.06, unpriced_tokens = 10000 }), '12.3k tokens, $0.06 and 10.0k tokens without a price')
t.same(used({ input_tokens = 0, output_tokens = 0, cost_usd = 0 }), '0 tokens')

vim.cmd('filetype on')
t.same(opened('gate', { APPROVE, REJECT }), { 'It is gate. (:Baton)' })
t.same(opened('interrupted', { RESUME, RESET }), { 'It is interrupted. (:Baton)' })
t.same(opened('merged', { UNDO }), {})
t.same(opened('fresh', { START }), {})

t.done()
