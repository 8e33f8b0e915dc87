--- `:Baton history`: the workflows that ran here; each can be undone, brought back, and read.

local baton = require('baton.client')
local session = require('baton.session')
local view = require('baton.view')

local M = {}

---@class baton.PastWorkflow
---@field workflow string
---@field runs string[]
---@field task string
---@field outcome? string
---@field at string
---@field files integer
---@field current boolean
---@field can_undo boolean
---@field can_bring_back boolean

--- What an outcome is called elsewhere too: nothing is merged into a branch.
local WORDS = { merged = 'approved', rolled_back = 'rolled back' }

local function known(value)
  if value ~= vim.NIL then
    return value
  end
end

--- `2026-11-28 07:46 · approved · 2 files · Make both answer 1`, and whether it is at hand.
---@param past baton.PastWorkflow
---@return string
function M.line(past)
  local parts = {
    ((known(past.at) or ''):gsub('T(%d%d:%d%d).*$', ' %1')),
    WORDS[known(past.outcome)] or known(past.outcome) or 'no end',
    ('%d file%s'):format(past.files, past.files == 1 and '' or 's'),
    (table.concat(view.lines(known(past.task) or ''), ' '):gsub('%s+', ' ')),
  }
  if past.current then
    table.insert(parts, 2, 'at hand')
  end
  return table.concat(
    vim.tbl_filter(function(part)
      return part ~= ''
    end, parts),
    ' · '
  )
end

---@param client vim.lsp.Client
---@param past baton.PastWorkflow
local function ask_what(client, past)
  local ways = {}
  local function add(title, act)
    ways[#ways + 1] = { title = title, act = act }
  end
  local function roll_back(undo)
    return function()
      local arguments = { workflow = past.workflow, undo = undo }
      require('baton.diff').undo({}, false, arguments, client)
    end
  end
  if past.can_undo then
    add('Undo', roll_back())
  end
  if past.can_bring_back then
    add('Bring It Back', roll_back(true))
  end
  for n = #past.runs, 1, -1 do
    add(#past.runs == 1 and 'Log' or ('Log of %s'):format(past.runs[n]), function()
      require('baton.documents').open_log(past.runs[n], '', client)
    end)
  end
  if #ways == 0 then
    return view.say('nothing can be done with this one', nil, { root = client.root_dir })
  end
  -- A list in the command line would begin below the one before.
  vim.cmd.redraw()
  vim.ui.select(ways, {
    prompt = session.labelled(client.root_dir, M.line(past) .. ' '),
    kind = 'baton_past_workflow',
    format_item = function(way)
      return way.title
    end,
  }, function(way)
    if way then
      -- Pickers close their windows after they have called back.
      vim.schedule(way.act)
    end
  end)
end

--- Choose a workflow, then what to do with it.
function M.open()
  baton.call('baton.history', nil, function(result, client)
    local workflows = result and result.workflows or {}
    if #workflows == 0 then
      return view.say('nothing has been run here yet', nil, { root = client.root_dir })
    end
    vim.ui.select(workflows, {
      prompt = session.labelled(client.root_dir, 'Workflows, newest first: '),
      kind = 'baton_history',
      format_item = M.line,
    }, function(past)
      if past then
        vim.schedule(function()
          ask_what(client, past)
        end)
      end
    end)
  end)
end

return M
