--- What can be done where a workflow stands: the server lists it, and this runs what is chosen.

local baton = require('baton.client')
local view = require('baton.view')

local M = {}

---@param client vim.lsp.Client
---@param way baton.Way
local function run_command(client, way)
  if not way.command then
    return view.fail(('%s: this needs a newer plugin for Neovim'):format(way.title), client.root_dir)
  end
  baton.execute(client, way.command, way.arguments, function(result)
    require('baton.session').started(client, result)
  end)
end

---@param client vim.lsp.Client
---@param way baton.Way
---@param status baton.Status
local function start(client, way, status)
  if status.state == 'ready' or (way.arguments and way.arguments.task) then
    return run_command(client, way)
  end
  -- What was done is done: another task is needed.
  require('baton.command').ask_and_run({ client = client })
end

---@param client vim.lsp.Client
local function accept(client)
  local prompt = 'Accept as it is. Why? (for the reviewers to come; may be empty) '
  vim.ui.input({
    prompt = require('baton.session').labelled(client.root_dir, prompt),
    default = require('baton.drafts').of(client.root_dir, 'reason'),
  }, function(because)
    if because then
      M.accept(client, because)
    end
  end)
end

--- Accept what stands, as it is.
---@param client vim.lsp.Client
---@param because? string
function M.accept(client, because)
  because = because and vim.trim(because) ~= '' and vim.trim(because) or nil
  local drafts = require('baton.drafts')
  drafts.keep(client.root_dir, 'reason', because)
  baton.execute(client, 'baton.accept', { because = because }, function(result)
    drafts.keep(client.root_dir, 'reason', nil)
    require('baton.session').started(client, result)
    if result and result.message then
      view.say(result.message, nil, { root = client.root_dir })
    end
  end)
end

--- Save the files that are waited for: those that are named, else all of the project.
---@param client vim.lsp.Client
---@param way baton.Way
local function save(client, way)
  local unsaved = require('baton.unsaved')
  local named = way.arguments and (way.arguments.files or (way.arguments.file and { way.arguments.file }))
  local paths = named
    and vim.tbl_map(function(file)
      return require('baton.project').relative(client.root_dir, (file:gsub('^file://', '')))
    end, named)
  local buffers = unsaved.of(client.root_dir, paths)
  if #buffers == 0 then
    return view.say('nothing here is unsaved; the file may be open in another editor', nil, { root = client.root_dir })
  end
  local names = unsaved.names(client.root_dir, buffers)
  if unsaved.save(buffers) then
    view.say('saved ' .. names, nil, { root = client.root_dir })
  end
end

--- Let the checks run: the server shows them and asks, and offers to run those that were skipped.
---@param client vim.lsp.Client
function M.trust(client)
  baton.execute(client, 'baton.trust', nil, function(result)
    if result and type(result.message) == 'string' then
      view.say(result.message, nil, { root = client.root_dir })
    end
  end)
end

--- What the server cannot ask is trusted at a terminal, by who has read it there.
---@param client vim.lsp.Client
---@param way baton.Way
local function trust(client, way)
  if way.command == 'baton.trust' then
    return M.trust(client)
  elseif way.command then
    return run_command(client, way)
  end
  local cmd = client.config.cmd
  local program = vim.split(way.cli or 'baton trust', ' ')
  program[1] = type(cmd) == 'table' and cmd[1] or program[1]
  vim.cmd('botright new')
  vim.fn.jobstart(program, { term = true, cwd = client.root_dir })
  vim.cmd.startinsert()
end

--- The file that has to be edited: the one with the fault, at its place, else the plan.
---@param client vim.lsp.Client
---@param way baton.Way
---@param status baton.Status
local function edit(client, way, status)
  local fault = status.state == 'faulty' and status.faults and status.faults[1] or {}
  local place = way.arguments and way.arguments.file and way.arguments or fault
  if not place.file then
    return require('baton.gate').edit(client)
  end
  require('baton.gate').close(client.root_dir)
  local path = vim.fs.joinpath(client.root_dir, place.file)
  vim.cmd.split(vim.fn.fnameescape(vim.fn.fnamemodify(path, ':.')))
  local line = math.max(1, math.min(place.line or 1, vim.api.nvim_buf_line_count(0)))
  vim.api.nvim_win_set_cursor(0, { line, math.max(0, (place.column or 1) - 1) })
end

--- What this client has an interface of its own for. Everything else is a command of the server's.
---@type table<string, fun(client: vim.lsp.Client, way: baton.Way, status: baton.Status)>
local OWN = {
  start = start,
  approve = function(client)
    require('baton.gate').approve(client)
  end,
  revise = function(client)
    require('baton.gate').ask_for_changes(client)
  end,
  edit = edit,
  reject = function(client)
    require('baton.gate').reject(client)
  end,
  cancel = function(client)
    require('baton.command').cancel(client)
  end,
  accept = accept,
  show_changes = function(client)
    require('baton.diff').open({}, '', client)
  end,
  undo = function(client)
    require('baton.diff').undo({}, false, nil, client)
  end,
  bring_back = function(client)
    require('baton.diff').redo(false, client)
  end,
  set_key = function(client, _, status)
    require('baton.key').ask(client, status.summary or '')
  end,
  save = save,
  trust = trust,
  reset = function(client)
    require('baton.command').reset(client)
  end,
}

--- The ways on that a status lists; none from a server that does not know them.
---@param status? baton.Status
---@return baton.Way[]
function M.of(status)
  return status and status.ways_on or {}
end

--- Go one way.
---@param client vim.lsp.Client
---@param way baton.Way
---@param status baton.Status
function M.run(client, way, status)
  local own = OWN[way.id] or run_command
  own(client, way, status)
end

--- Let the user choose one.
---@param client vim.lsp.Client
---@param status baton.Status
---@param done? fun() Called when the question is no longer on the screen.
function M.ask(client, status, done)
  local prompt = require('baton.words').here(status.summary or status.headline or 'What now?')
  local fault = status.faults and status.faults[1]
  if fault and not prompt:find(fault.file, 1, true) then
    prompt = ('%s %s:%d:%d: %s'):format(prompt, fault.file, fault.line, fault.column, fault.message)
  end
  vim.ui.select(M.of(status), {
    prompt = require('baton.session').labelled(client.root_dir, prompt .. ' '),
    kind = 'baton_ways',
    format_item = function(way)
      return (way.title:gsub('%s+', ' '))
    end,
  }, function(way)
    if done then
      done()
    end
    if way then
      -- Pickers close their windows after they have called back.
      vim.schedule(function()
        M.run(client, way, status)
      end)
    end
  end)
end

return M
