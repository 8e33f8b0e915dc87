--- Where a workflow stands, as a page: what the server says, and what can be done.

local cost = require('baton.cost')
local issues = require('baton.issues')
local session = require('baton.session')
local view = require('baton.view')
local ways = require('baton.ways')

local M = {}

local function elapsed(milliseconds)
  if not milliseconds then
    return ''
  end
  local seconds = milliseconds / 1000
  if seconds < 10 then
    return ('%.1f s'):format(seconds)
  elseif seconds < 60 then
    return ('%d s'):format(seconds)
  end
  return ('%d m %d s'):format(seconds / 60, seconds % 60)
end

local function one_line(text)
  return (table.concat(view.lines(text or ''), ' '):gsub('%s+', ' '))
end

--- The workflow as a whole.
---@param add fun(format: string, ...)
---@param status baton.Status
local function add_head(add, status)
  local words = require('baton.words')
  for n, line in ipairs(view.lines(status.task or '')) do
    add('%-6s %s', n == 1 and 'Task' or '', line)
  end
  if status.summary then
    add('%-6s %s', 'State', one_line(words.here(status.summary)))
  else
    -- An older server.
    add('%-6s %s%s', 'Run', status.run or 'none', status.outcome and ': ' .. status.outcome or '')
    add('%-6s %s', 'Next', (status.next:gsub('_', ' ')))
  end
  local used, last = cost.words(status.usage), status.run_usage and cost.words(status.run_usage)
  if last and last ~= used and not vim.startswith(last, '0 tokens') then
    used = ('%s in all, %s in the last run'):format(used, last)
  end
  add('%-6s %s', 'Used', used)
end

--- What can be done; the rows of the page that stand for it.
---@return table<integer, baton.Way>
local function add_ways(add, lines, status)
  local rows = {}
  if #ways.of(status) > 0 then
    add('')
    for n, way in ipairs(ways.of(status)) do
      add('%d  %s', n, one_line(way.title))
      rows[#lines] = way
    end
  end
  return rows
end

local MARKS = { met = '✓', unmet = '✗', unproven = '?', passed = '✓', skipped = '–' }

--- The criteria of a task that are not met; where there are none, that all are met.
---@param add fun(format: string, ...)
---@param task baton.Task
local function add_criteria(add, task)
  local met = 0
  for _, criterion in ipairs(task.criteria or {}) do
    local state = criterion.state
    if state == 'met' then
      met = met + 1
    elseif state then
      add('  %s %s: %s', MARKS[state] or '?', state, one_line(criterion.text))
    end
  end
  if met > 0 and met == #task.criteria then
    add(met == 1 and '  ✓ its criterion is met' or '  ✓ all %d criteria are met', met)
  end
end

--- The checks, and below one that does not pass its log; the rows of the page that stand for a log.
---@param add fun(format: string, ...)
---@param lines string[]
---@param status baton.Status
---@return table<integer, string>
local function add_checks(add, lines, status)
  local logs = {}
  local checks = status.checks or {}
  if #checks > 0 then
    add('')
  end
  for _, check in ipairs(checks) do
    local mark = MARKS[check.state]
    add('%s check %s %s', mark or '✗', one_line(check.name), one_line(check.words or check.state))
    if not mark and check.file then
      add('  log: %s', check.file)
      logs[#lines] = check.file
    end
  end
  if #checks > 0 and status.sandbox then
    add('sandbox of the checks: %s', one_line(status.sandbox))
  end
  return logs
end

--- Narrower pages have no columns.
local NARROW = 60

---@param add fun(format: string, ...)
---@param status baton.Status
local function add_work(add, status)
  local width = 9
  for _, phase in ipairs(status.phases) do
    width = math.max(width, #phase.phase)
  end
  local row = (vim.o.columns < NARROW and '%%-%ds %%s %%s  %%s' or '%%-%ds  %%-11s %%7s  %%s'):format(width)
  add('')
  for _, phase in ipairs(status.phases) do
    add(row, phase.phase, (phase.status:gsub('_', ' ')), elapsed(phase.elapsed_ms), one_line(phase.message))
  end
  if #status.tasks > 0 then
    add('')
    for _, task in ipairs(status.tasks) do
      local activity = task.activity and ' · ' .. one_line(task.activity) or ''
      local state = task.status:gsub('_', ' ') .. activity
      add('%-6s %-9s %s (%s)', task.id, state, one_line(task.title), table.concat(task.files, ', '))
      add_criteria(add, task)
    end
  end
end

---@param add fun(format: string, ...)
---@param status baton.Status
---@param root? string
local function add_findings(add, status, root)
  local summary = issues.summary(root)
  if #status.issues > 0 or summary then
    add('')
    if summary then
      add('%-6s %s', 'Review', summary)
    end
    for _, issue in ipairs(status.issues) do
      local state = vim.list_contains({ 'fixed', 'dismissed' }, issue.state) and issue.state .. ' ' or ''
      local place = issue.placed == false and issue.file .. ' (no place in the code was found)'
        or ('%s:%d'):format(issue.file, issue.line)
      add('%s: %s%s: %s', place, state, issue.severity, one_line(issue.description))
    end
  end
  if status.faults and #status.faults > 0 then
    add('')
    for _, fault in ipairs(status.faults) do
      add('%s:%d:%d: %s', fault.file, fault.line, fault.column, one_line(fault.message))
    end
  end
end

--- The page, what the rows of it stand for that can be done, and the rows that stand for a log.
---@param status? baton.Status
---@param root? string The project, whose review may say more.
---@return string[]
---@return table<integer, baton.Way>
---@return table<integer, string>
function M.lines(status, root)
  if not status then
    return { 'Nothing was run here yet. :Baton run {task}' }, {}, {}
  end
  local lines = {}
  local function add(format, ...)
    lines[#lines + 1] = (format:format(...):gsub('%s+$', ''))
  end
  add_head(add, status)
  local rows = add_ways(add, lines, status)
  add_work(add, status)
  local logs = add_checks(add, lines, status)
  add_findings(add, status, root)
  return lines, rows, logs
end

---@type table<integer, baton.Way>
local shown = {}
---@type table<integer, string>
local logs_shown = {}
---@type baton.Status?
local status_shown

--- Go the way of this row, or open the log that it names.
---@param row integer
local function go(row)
  local way, root = shown[row], vim.b.baton_root
  if root and logs_shown[row] then
    vim.cmd.split(vim.fn.fnameescape(vim.fs.joinpath(root, logs_shown[row])))
    return
  end
  local client = root and require('baton.client').of(root)
  if way and client and status_shown then
    ways.run(client, way, status_shown)
  end
end

---@param number integer
local function go_numbered(number)
  local rows = vim.tbl_keys(shown)
  table.sort(rows)
  go(rows[number])
end

---@param bufnr integer
---@param rows table<integer, baton.Way>
---@param logs table<integer, string>
---@param status? baton.Status
local function bind(bufnr, rows, logs, status)
  shown, logs_shown, status_shown = rows, logs, status
  vim.keymap.set('n', '<CR>', function()
    go(vim.api.nvim_win_get_cursor(0)[1])
  end, { buffer = bufnr, desc = 'Baton: do what this line says' })
  for number = 1, 9 do
    vim.keymap.set('n', tostring(number), function()
      go_numbered(number)
    end, { buffer = bufnr, nowait = true, desc = ('Baton: do number %d'):format(number) })
  end
end

---@param root string
local function title(root)
  local label = session.label(root)
  return label and ' ' .. label:gsub('%%', '%%%%') or ''
end

--- `:Baton status`.
---@param mods string
function M.open(mods)
  require('baton.client').with(function(client)
    session.refresh(client, function(status)
      local lines, rows, logs = M.lines(status, client.root_dir)
      local bufnr = view.open('status', lines, { mods = mods, root = client.root_dir, filetype = 'baton' })
      bind(bufnr, rows, logs, status)
      vim.wo[0][0].winbar = title(client.root_dir)
      -- Where a stray <CR> does nothing.
      vim.api.nvim_win_set_cursor(0, { 1, 0 })
    end)
  end)
end

--- Write the page anew while it is on the screen.
---@param root string
---@param status? baton.Status
function M.refresh(root, status)
  local bufnr = vim.fn.bufnr('^baton://status$')
  if bufnr < 0 or #vim.fn.win_findbuf(bufnr) == 0 or vim.b[bufnr].baton_root ~= root then
    return
  end
  local lines, rows, logs = M.lines(status, root)
  view.buffer('status', lines, { root = root })
  bind(bufnr, rows, logs, status)
end

return M
