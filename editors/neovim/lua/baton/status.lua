--- Where a workflow stands, as a page.

local baton = require('baton.client')
local view = require('baton.view')

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

local function tokens(usage)
  local count = usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens + usage.output_tokens
  local text = count < 1000 and tostring(count) or ('%.1fk'):format(count / 1000)
  if usage.cost_usd then
    return ('%s tokens, $%.3f'):format(text, usage.cost_usd)
  end
  return text .. ' tokens'
end

local function one_line(text)
  return vim.trim((text or ''):gsub('%s+', ' '))
end

local NEXT = {
  task = 'a task: :Baton run {task}',
  gate = 'your answer to the plan: :Baton gate',
  none = 'nothing',
}

--- The page.
---@param status? baton.Status
---@return string[]
function M.lines(status)
  if not status then
    return { 'Nothing was run here yet. :Baton run {task}' }
  end
  local lines = {}
  local function add(format, ...)
    lines[#lines + 1] = (format:format(...):gsub('%s+$', ''))
  end
  for n, line in ipairs(view.lines(status.task or '')) do
    add('%-8s %s', n == 1 and 'Task' or '', line)
  end
  add('%-8s %s%s', 'Run', status.run or 'none', status.outcome and ': ' .. status.outcome or '')
  add('%-8s %s', 'Next', NEXT[status.next] or (status.next:gsub('_', ' ')))
  add('%-8s %s', 'Used', tokens(status.usage))
  add('')
  local width = 10
  for _, phase in ipairs(status.phases) do
    width = math.max(width, #phase.phase)
  end
  local row = ('%%-%ds %%-11s %%7s  %%s'):format(width)
  for _, phase in ipairs(status.phases) do
    add(row, phase.phase, phase.status, elapsed(phase.elapsed_ms), one_line(phase.message))
  end
  if #status.tasks > 0 then
    add('')
    for _, task in ipairs(status.tasks) do
      add('%-6s %-9s %s (%s)', task.id, task.status, one_line(task.title), table.concat(task.files, ', '))
    end
  end
  if #status.issues > 0 then
    add('')
    for _, issue in ipairs(status.issues) do
      local state = issue.state == 'fixed' and 'fixed ' or ''
      add('%s:%d: %s%s: %s', issue.file, issue.line, state, issue.severity, one_line(issue.description))
    end
  end
  if status.faults and #status.faults > 0 then
    add('')
    for _, fault in ipairs(status.faults) do
      add('%s:%d:%d: %s', fault.file, fault.line, fault.column, one_line(fault.message))
    end
  end
  return lines
end

--- `:Baton status`.
---@param mods string
function M.open(mods)
  baton.call('baton.status', nil, function(status, client)
    view.open('status', M.lines(status), { mods = mods, root = client.root_dir, filetype = 'baton' })
  end)
end

local is_asked = false

--- Write the page anew while it is on the screen.
---@param client vim.lsp.Client
function M.refresh(client)
  local bufnr = vim.fn.bufnr('^baton://status$')
  if is_asked or bufnr < 0 or #vim.fn.win_findbuf(bufnr) == 0 or vim.b[bufnr].baton_root ~= client.root_dir then
    return
  end
  is_asked = true
  -- Many events come at once; one look at where they led is enough.
  vim.defer_fn(function()
    is_asked = false
    if client:is_stopped() or not vim.api.nvim_buf_is_valid(bufnr) then
      return
    end
    baton.execute(client, 'baton.status', nil, function(status)
      view.buffer('status', M.lines(status), { root = client.root_dir })
    end)
  end, 200)
end

return M
