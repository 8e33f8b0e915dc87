--- The gate: the plan beside its question, and what becomes of the answer.

local baton = require('baton.client')
local config = require('baton.config')
local view = require('baton.view')

local M = {}

--- `Plan 2 (3 tasks)`.
---@param gate baton.Gate
---@return string
function M.title(gate)
  local version = (gate.plan and gate.plan.plan_version) or gate.markdown:match('^# Plan, version (%d+)') or '1'
  local tasks = #(gate.tasks or {})
  return ('Plan %s (%d task%s)'):format(version, tasks, tasks == 1 and '' or 's')
end

local function dollars(usd)
  return usd > 0 and usd < 0.01 and '<$0.01' or ('$%.2f'):format(usd)
end

--- The plan as it is shown.
---@param gate baton.Gate
---@return string[]
local function shown(gate)
  local lines = view.lines(gate.markdown)
  local spent = gate.usage and gate.usage.cost_usd
  if spent and spent ~= vim.NIL then
    -- A paragraph of its own, below the title. What the plan touches and may cost stands below it.
    table.insert(lines, 2, '')
    table.insert(lines, 3, ('Cost: %s so far'):format(dollars(spent)))
  end
  for at, warning in ipairs(gate.warnings or {}) do
    -- Likewise: what was done elsewhere, what counts as absent.
    table.insert(lines, 2 * at, '')
    table.insert(lines, 2 * at + 1, '! ' .. table.concat(view.lines(warning), ' '))
  end
  return lines
end

--- The plan that was put to the user last, of each project.
---@type table<string, string>
local seen = {}

---@type integer?
local window

--- Close the window the plan stands in, if the gate opened it.
function M.close()
  if window and vim.api.nvim_win_is_valid(window) then
    -- It may have become the last one.
    pcall(vim.api.nvim_win_close, window, false)
  end
  window = nil
end

local function placement()
  local columns, lines = vim.o.columns, vim.o.lines
  if config.get().gate.window == 'float' then
    local width, height = math.min(100, math.floor(columns * 0.7)), math.floor(lines * 0.55)
    return {
      relative = 'editor',
      row = 1,
      col = columns - width - 3,
      width = width,
      height = height,
      border = 'rounded',
      title = ' Baton ',
    }
  elseif columns >= 160 then
    return { split = 'right', win = -1, width = math.floor(columns / 2) }
  end
  -- Above, since a list in the command line covers what stands below.
  return { split = 'above', win = -1, height = math.floor(lines * 0.55) }
end

--- Show the plan; the cursor stays where it is.
---@param client vim.lsp.Client
---@param gate baton.Gate
local function show(client, gate)
  local bufnr, is_new = view.buffer('plan', shown(gate), { filetype = 'markdown', root = client.root_dir })
  vim.keymap.set('n', '<CR>', '<Cmd>Baton gate<CR>', { buffer = bufnr, desc = 'Baton: answer' })
  local is_shown = window and vim.api.nvim_win_is_valid(window) and vim.api.nvim_win_get_buf(window) == bufnr
  if not is_shown then
    window = vim.api.nvim_open_win(bufnr, false, placement())
    view.plain_window(window)
    vim.wo[window][0].conceallevel = 2
  end
  vim.wo[window][0].winbar = (' %s waits  ·  <CR> answer  ·  q close'):format(M.title(gate))
  if is_new then
    vim.api.nvim_win_set_cursor(window, { 1, 0 })
  end
end

---@param client vim.lsp.Client
---@param gate baton.Gate
---@return boolean
local function still_waits(client, gate)
  local now = require('baton.session').of(client.root_dir).gate
  if gate.run and (not now or now.plan_sha256 ~= gate.plan_sha256) then
    view.say('this plan was answered in the meantime', vim.log.levels.WARN)
    return false
  end
  return true
end

--- Another plan than the one that was shown is not approved: save it where that is what is missing, and ask again.
---@param client vim.lsp.Client
---@param fault lsp.ResponseError
---@return boolean
local function ask_again(client, fault)
  local data = type(fault.data) == 'table' and fault.data or {}
  if data.kind ~= 'stale_plan' and data.kind ~= 'unsaved' then
    return false
  end
  local bufnr = data.uri and vim.fn.bufnr(vim.uri_to_fname(data.uri)) or -1
  if data.kind == 'unsaved' and bufnr > 0 and vim.api.nvim_buf_is_loaded(bufnr) then
    vim.api.nvim_buf_call(bufnr, function()
      vim.cmd('silent update')
    end)
  end
  local what = data.kind == 'unsaved' and 'the plan had unsaved changes, and is saved now'
    or 'the plan has changed since it was shown'
  view.say(what .. '; this is how it is', vim.log.levels.WARN)
  require('baton.question').ask_from_status(client)
  return true
end

--- Approve the plan that the user was shown, or only these of its tasks.
---@param client vim.lsp.Client
---@param plan_sha256 string
---@param ids? string[]
local function approve(client, plan_sha256, ids)
  ids = ids and #ids > 0 and ids or nil
  baton.execute(client, 'baton.approve', { tasks = ids, planSha256 = plan_sha256 }, function(result)
    M.close()
    require('baton.session').started(client, result)
    view.say(ids and 'approved: ' .. table.concat(ids, ', ') or 'the plan is approved')
  end, function(fault)
    return ask_again(client, fault)
  end)
end

--- `:Baton approve`: of a plan that was not shown yet this shows it and asks.
---@param client vim.lsp.Client
---@param ids? string[]
function M.approve(client, ids)
  local plan_sha256 = seen[client.root_dir]
  local waiting = require('baton.session').of(client.root_dir).gate
  if plan_sha256 and (not waiting or waiting.plan_sha256 == plan_sha256) then
    return approve(client, plan_sha256, ids)
  end
  view.say('read the plan as it is, then answer')
  require('baton.question').ask_from_status(client)
end

--- Reject the plan.
---@param client vim.lsp.Client
function M.reject(client)
  baton.execute(client, 'baton.reject', nil, function()
    M.close()
    view.say('the plan is rejected')
  end)
end

--- Have the plan changed.
---@param client vim.lsp.Client
---@param feedback? string
function M.revise(client, feedback)
  baton.execute(client, 'baton.plan', { feedback = feedback }, function(result)
    M.close()
    require('baton.session').started(client, result)
  end)
end

local function approve_some(client, gate)
  local ids = vim.tbl_map(function(task)
    return task.id
  end, gate.tasks or {})
  vim.ui.input({ prompt = 'Approve these tasks: ', default = table.concat(ids, ' ') }, function(text)
    local chosen = text and vim.split(text, '[%s,]+', { trimempty = true }) or {}
    if #chosen > 0 and still_waits(client, gate) then
      approve(client, gate.plan_sha256, chosen)
    end
  end)
end

local function ask_for_changes(client, gate)
  vim.ui.input({ prompt = 'What should change? ' }, function(text)
    if text and vim.trim(text) ~= '' and still_waits(client, gate) then
      M.revise(client, vim.trim(text))
    end
  end)
end

local function edit(client, gate)
  local path = gate.plan_json and vim.uri_to_fname(gate.plan_json)
    or vim.fs.joinpath(client.root_dir, require('baton.project').MEMORY, 'plan.json')
  M.close()
  vim.cmd.split(vim.fn.fnameescape(path))
  view.say('write your changes, then :Baton gate asks about them')
end

local function read()
  if window and vim.api.nvim_win_is_valid(window) then
    vim.api.nvim_set_current_win(window)
  else
    vim.cmd('Baton show')
  end
end

---@type { title: string, act: fun(client: vim.lsp.Client, gate: baton.Gate) }[]
local ANSWERS = {
  {
    title = 'Approve',
    act = function(client, gate)
      approve(client, gate.plan_sha256)
    end,
  },
  { title = 'Approve some of the tasks', act = approve_some },
  { title = 'Revise: say what should change', act = ask_for_changes },
  { title = 'Edit plan.json', act = edit },
  {
    title = 'Reject',
    act = function(client)
      M.reject(client)
    end,
  },
  { title = 'View: read the plan first', act = read },
}

--- Put the plan to the user.
---@param client vim.lsp.Client
---@param gate baton.Gate
---@param done? fun() Called when the question is no longer on the screen.
function M.open(client, gate, done)
  seen[client.root_dir] = gate.plan_sha256
  if config.get().gate.window then
    show(client, gate)
  end
  vim.cmd.redraw()
  vim.ui.select(ANSWERS, {
    prompt = M.title(gate) .. ' waits. Your answer:',
    kind = 'baton_gate',
    format_item = function(answer)
      return answer.title
    end,
  }, function(answer)
    if done then
      done()
    end
    if not answer then
      view.say('the plan still waits. :Baton gate')
    elseif answer.act == read or still_waits(client, gate) then
      -- Pickers close their windows after they have called back.
      vim.schedule(function()
        answer.act(client, gate)
      end)
    end
  end)
end

return M
