--- `:Baton`: its subcommands in one table, which both runs and completes them.

local project = require('baton.project')
local view = require('baton.view')

local M = {}

---@class baton.Call
---@field words string[] What follows the subcommand,
---@field text string as it was typed.
---@field bang boolean
---@field mods string
---@field selection? { first: integer, last: integer }

---@class baton.Subcommand
---@field run fun(call: baton.Call)
---@field uses string[] The server's commands behind it.
---@field takes? string What may follow, for the help.
---@field complete? fun(lead: string): string[]

local function task_ids()
  return project.task_ids(project.here())
end

local function git_refs()
  local root = project.here()
  local format = '--format=%(refname:short)'
  local asked = root and vim.fn.executable('git') == 1
  local done = asked and vim.system({ 'git', '-C', root, 'for-each-ref', format }, { text = true }):wait(1000)
  return done and done.code == 0 and vim.split(done.stdout, '\n', { trimempty = true }) or {}
end

local function tasks_and_files(lead)
  return vim.list_extend(task_ids(), vim.fn.getcompletion(lead, 'file'))
end

local function issue_ids()
  return vim.list_extend({ 'all' }, require('baton.issues').ids())
end

--- A refused start: the task that was typed is kept, and where a key is missing it can be given.
---@param client vim.lsp.Client
---@param message string
---@param task? string
local function refused(client, message, task)
  local words = require('baton.words').here(message)
  view.fail(task and words .. ' Your task is kept: :Baton run' or words, client.root_dir)
  if require('baton.key').variable(message) then
    require('baton.question').key(client, words)
  end
  return true
end

--- Run a command that starts a run.
---@param client vim.lsp.Client
---@param command string
---@param arguments? table
function M.start(client, command, arguments)
  local drafts, task = require('baton.drafts'), arguments and arguments.task
  if task then
    drafts.keep(client.root_dir, 'task', task)
  end
  require('baton.client').execute(client, command, arguments, function(result)
    drafts.keep(client.root_dir, 'task', nil)
    require('baton.session').started(client, result)
  end, function(fault)
    return refused(client, fault.message, task)
  end)
end

---@param command string
---@param arguments? table
local function start(command, arguments)
  if arguments and arguments.task then
    -- There may be no server to take it.
    require('baton.drafts').keep(project.here() or vim.fs.normalize(vim.fn.getcwd()), 'task', arguments.task)
  end
  require('baton.client').with(function(client)
    M.start(client, command, arguments)
  end)
end

--- The names of the phases, in their order.
---@param status? baton.Status
---@return string[]
local function phases_of(status)
  return vim.tbl_map(function(row)
    return row.phase
  end, status and status.phases or {})
end

--- The same for completion: none while there is no server.
local function phase_names()
  local client = require('baton.client').here()
  return client and phases_of(require('baton.client').ask(client, 'baton.status')) or {}
end

--- Run a phase by its name, which may be one of the user's own.
---@param name? string
local function run_phase(name)
  require('baton.client').call('baton.status', nil, function(status, client)
    local names = phases_of(status)
    if not name then
      return view.fail('name a phase' .. (#names > 0 and '; there are ' .. table.concat(names, ', ') or ''))
    elseif #names > 0 and not vim.list_contains(names, name) then
      return view.fail(('%s is no phase; there are %s'):format(name, table.concat(names, ', ')))
    end
    require('baton.client').execute(client, 'baton.' .. name, nil, function(result)
      require('baton.session').started(client, result)
    end)
  end)
end

--- The words of a list of ids, with or without commas; nil for none.
local function ids(call)
  local found = vim.split(call.text, '[%s,]+', { trimempty = true })
  return #found > 0 and found or nil
end

local function text(call)
  return call.text ~= '' and call.text or nil
end

--- The selection as a part of the task.
---@param selection { first: integer, last: integer }
---@return string
function M.quote(selection)
  local lines = vim.api.nvim_buf_get_lines(0, selection.first - 1, selection.last, false)
  local root, name = project.here(), vim.api.nvim_buf_get_name(0)
  local file = name == '' and 'an unnamed buffer' or ('`%s`'):format(root and project.relative(root, name) or name)
  local place = selection.first == selection.last and 'line ' .. selection.first
    or ('lines %d to %d'):format(selection.first, selection.last)
  local fence = '```'
  while table.concat(lines, '\n'):find(fence, 1, true) do
    fence = fence .. '`'
  end
  return ('This is about %s of %s:\n\n%s%s\n%s\n%s'):format(
    place,
    file,
    fence,
    vim.bo.filetype,
    table.concat(lines, '\n'),
    fence
  )
end

---@class baton.RunCall
---@field bang? boolean
---@field selection? { first: integer, last: integer }
---@field client? vim.lsp.Client Of another project than the one at hand.
---@field quick? boolean Context and plan in one conversation.

--- task.md as it is being written: what stands there is the task.
local function save_task_file()
  local root = project.here()
  local path = root and vim.fs.joinpath(root, project.MEMORY, 'task.md')
  local bufnr = path and require('baton.unsaved').of_file(path)
  return not bufnr or require('baton.unsaved').save({ bufnr })
end

--- Start with these words and this selection.
---@param words? string
---@param call baton.RunCall
local function run(words, call)
  local task = words
  if task and call.selection then
    task = task .. '\n\n' .. M.quote(call.selection)
  end
  if not task and not save_task_file() then
    return
  end
  local arguments = { task = task, reset = call.bang or nil, quick = call.quick }
  if call.client then
    M.start(call.client, 'baton.workflow', arguments)
  else
    start('baton.workflow', arguments)
  end
end

--- Ask for the task, and start. Nothing typed starts nothing.
---@param call? baton.RunCall
function M.ask_and_run(call)
  call = call or {}
  local root = call.client and call.client.root_dir or project.here() or vim.fs.normalize(vim.fn.getcwd())
  local prompt = call.selection and 'Task for these lines: ' or 'Task: '
  require('baton.drafts').ask(root, 'task', prompt, function(words)
    run(words, call)
  end)
end

--- Start with what was typed behind the command, or with what was kept or selected.
---@param call baton.Call
---@param quick? boolean
local function begin(call, quick)
  local root = project.here() or vim.fs.normalize(vim.fn.getcwd())
  local is_kept = require('baton.drafts').of(root, 'task') ~= nil
  local more = { bang = call.bang, selection = call.selection, quick = quick }
  if call.text == '' and (call.selection or is_kept) then
    M.ask_and_run(more)
  else
    run(text(call), more)
  end
end

--- Stop the run of a project, this one's unless another is named.
---@param client? vim.lsp.Client
function M.cancel(client)
  client = client or require('baton.client').here()
  local current = client and require('baton.session').of(client.root_dir)
  if client and current.run then
    -- What an editor's own cancel button sends.
    client:notify('window/workDoneProgress/cancel', { token = current.run })
    view.say('stopping…', nil, { passing = true, root = client.root_dir })
  elseif client then
    require('baton.client').execute(client, 'baton.cancel')
  else
    view.say('nothing runs here')
  end
end

--- The tasks that agents are at, for completion; all where none is.
local function running_task_ids()
  local root = project.here()
  local running = root and vim.tbl_keys(require('baton.session').of(root).tasks) or {}
  table.sort(running)
  return #running > 0 and running or task_ids()
end

--- Tell the agents at work something; what begins with a task's id, with or without a colon, is for its agent.
---@param words? string
local function tell(words)
  require('baton.client').with(function(client)
    local drafts = require('baton.drafts')
    local function say(typed)
      local task, rest = typed:match('^(%w[%w._-]*):?%s+(.+)$')
      local is_task = task and vim.list_contains(project.task_ids(client.root_dir), task)
      local arguments = is_task and { text = rest, task = task } or { text = typed }
      drafts.keep(client.root_dir, 'tell', typed)
      require('baton.client').execute(client, 'baton.tell', arguments, function(result)
        drafts.keep(client.root_dir, 'tell', nil)
        view.say('told ' .. table.concat(result.told, ', '), nil, { root = client.root_dir })
      end)
    end
    if words then
      say(words)
    else
      drafts.ask(client.root_dir, 'tell', 'Tell the agents: ', say)
    end
  end)
end

--- Set the workflow aside.
---@param of? vim.lsp.Client
function M.reset(of)
  require('baton.client').call('baton.reset', nil, function(result, client)
    local moved = result and result.moved
    local words = moved and 'set aside, in ' .. moved .. '; your files stay' or 'there was nothing to set aside'
    view.say(words, nil, { root = client.root_dir })
  end, of)
end

--- Undo what is meant: a change where the cursor or the range is, a task, a file, or everything.
---@param call baton.Call
local function undo(call)
  local diff = require('baton.diff')
  local is_change = call.words[1] == 'change'
  if is_change or (call.selection and #call.words == 0) then
    if not diff.undo_hunks(call.selection) then
      view.say('no change of an agent stands here')
    end
    return
  end
  local here = #call.words == 0 and not call.bang and require('baton.hunks').on() or {}
  if #here > 0 then
    return diff.ask_what_to_undo(here)
  end
  diff.undo(call.words, call.bang)
end

local function doctor(mods)
  require('baton.client').call('baton.doctor', nil, function(result, client)
    local lines = {}
    for _, check in ipairs(result and result.checks or {}) do
      lines[#lines + 1] = ('%-8s %s: %s'):format(check.status, check.name, (check.message:gsub('%s+', ' ')))
      if check.fix then
        lines[#lines + 1] = ('%-8s %s'):format('', (check.fix:gsub('%s+', ' ')))
      end
    end
    view.open('doctor', lines, { mods = mods, root = client.root_dir, filetype = 'baton' })
  end)
end

---@type table<string, baton.Subcommand>
M.subcommands = {
  run = {
    uses = { 'baton.workflow' },
    takes = '[task]',
    run = function(call)
      begin(call)
    end,
  },
  quick = {
    uses = { 'baton.workflow' },
    takes = '[task]',
    run = function(call)
      begin(call, true)
    end,
  },
  context = {
    uses = { 'baton.context' },
    takes = '[task]',
    run = function(call)
      start('baton.context', { task = text(call) })
    end,
  },
  plan = {
    uses = { 'baton.plan' },
    takes = '[feedback]',
    run = function(call)
      local feedback = text(call)
      require('baton.client').with(function(client)
        require('baton.drafts').keep(client.root_dir, 'feedback', feedback)
        require('baton.gate').revise(client, feedback)
      end)
    end,
  },
  implement = {
    uses = { 'baton.implement' },
    takes = '[ids]',
    complete = task_ids,
    run = function(call)
      start('baton.implement', { only = ids(call) })
    end,
  },
  review = {
    uses = { 'baton.review' },
    takes = '[base]',
    complete = git_refs,
    run = function(call)
      start('baton.review', { base = text(call) })
    end,
  },
  phase = {
    -- And the command of the phase, whatever its name.
    uses = { 'baton.status' },
    takes = '{name}',
    complete = phase_names,
    run = function(call)
      run_phase(call.words[1])
    end,
  },
  notes = {
    uses = { 'baton.sendNotes', 'baton.discardNotes' },
    takes = '[discard]',
    complete = function()
      return { 'discard' }
    end,
    run = function(call)
      local does = call.words[1] == 'discard' and 'discard' or not call.words[1] and 'send'
      if not does then
        return view.fail(':Baton notes takes `discard` or nothing')
      end
      require('baton.client').with(function(client)
        require('baton.plan_notes')[does](client)
      end)
    end,
  },
  compare = {
    uses = { 'baton.status' },
    run = function()
      require('baton.client').with(function(client)
        require('baton.plan_notes').compare(client)
      end)
    end,
  },
  approve = {
    uses = { 'baton.approve' },
    takes = '[ids]',
    complete = task_ids,
    run = function(call)
      require('baton.client').with(function(client)
        require('baton.gate').approve(client, ids(call))
      end)
    end,
  },
  reject = {
    uses = { 'baton.reject' },
    run = function()
      require('baton.client').with(function(client)
        require('baton.gate').reject(client)
      end)
    end,
  },
  status = {
    uses = { 'baton.status' },
    run = function(call)
      require('baton.status').open(call.mods)
    end,
  },
  cancel = {
    uses = { 'baton.cancel' },
    run = function()
      M.cancel()
    end,
  },
  tell = {
    uses = { 'baton.tell' },
    takes = '[task] [text]',
    complete = running_task_ids,
    run = function(call)
      tell(text(call))
    end,
  },
  accept = {
    uses = { 'baton.accept' },
    takes = '[reason]',
    run = function(call)
      require('baton.client').with(function(client)
        require('baton.ways').accept(client, text(call))
      end)
    end,
  },
  trust = {
    uses = { 'baton.trust' },
    run = function()
      require('baton.client').with(function(client)
        require('baton.ways').trust(client)
      end)
    end,
  },
  diff = {
    uses = { 'baton.diff' },
    takes = '[id|file]',
    complete = tasks_and_files,
    run = function(call)
      require('baton.diff').open(call.words, call.mods)
    end,
  },
  undo = {
    uses = { 'baton.rollback' },
    takes = '[change|id|file]',
    complete = function(lead)
      return vim.list_extend({ 'change' }, tasks_and_files(lead))
    end,
    run = function(call)
      undo(call)
    end,
  },
  redo = {
    uses = { 'baton.rollback' },
    run = function(call)
      require('baton.diff').redo(call.bang)
    end,
  },
  reset = {
    uses = { 'baton.reset' },
    run = function()
      M.reset()
    end,
  },
  fix = {
    uses = { 'baton.fixIssue' },
    takes = '[all|ids]',
    complete = issue_ids,
    run = function(call)
      require('baton.issues').fix(call.words)
    end,
  },
  dismiss = {
    uses = { 'baton.dismissIssue' },
    takes = '[all|ids]',
    complete = issue_ids,
    run = function(call)
      require('baton.issues').dismiss(call.words)
    end,
  },
  restore = {
    uses = { 'baton.restoreIssue' },
    takes = '[id]',
    complete = function()
      return require('baton.issues').dismissed
    end,
    run = function(call)
      require('baton.issues').restore(call.words)
    end,
  },
  issues = {
    uses = { 'baton.status' },
    run = function()
      require('baton.issues').list()
    end,
  },
  task = {
    uses = { 'baton.openTask' },
    run = function()
      require('baton.client').call('baton.openTask')
    end,
  },
  show = {
    uses = { 'baton.openPlan' },
    run = function()
      require('baton.client').call('baton.openPlan')
    end,
  },
  gate = {
    uses = {},
    run = function()
      require('baton.question').open_next()
    end,
  },
  doctor = {
    uses = { 'baton.doctor' },
    run = function(call)
      doctor(call.mods)
    end,
  },
  demo = {
    uses = { 'baton.demo', 'baton.workflow' },
    run = function()
      require('baton.demo').open()
    end,
  },
  keep = {
    uses = { 'baton.keep' },
    run = function(call)
      require('baton.hunks').keep(call.selection, call.bang)
    end,
  },
  why = {
    uses = { 'baton.openTask' },
    run = function()
      require('baton.hunks').why()
    end,
  },
  history = {
    uses = { 'baton.history' },
    run = function()
      require('baton.history').open()
    end,
  },
  log = {
    uses = { 'baton.log' },
    takes = '[run]',
    run = function(call)
      require('baton.documents').open_log(call.words[1], call.mods)
    end,
  },
  messages = {
    uses = {},
    run = function(call)
      require('baton.log').open(call.mods)
    end,
  },
}

--- Their names, in order.
---@return string[]
function M.names()
  local names = vim.tbl_keys(M.subcommands)
  table.sort(names)
  return names
end

--- `:Baton …`.
---@param given vim.api.keyset.create_user_command.command_args
function M.run(given)
  local name, rest = given.args:match('^%s*(%S*)%s*(.-)%s*$')
  name = name == '' and 'status' or name
  local subcommand = M.subcommands[name]
  if not subcommand then
    return view.fail(('%s is no subcommand; there are %s'):format(name, table.concat(M.names(), ', ')))
  end
  if rest ~= '' and not subcommand.takes then
    return view.fail((':Baton %s takes nothing more'):format(name))
  end
  if package.loaded['baton.note'] then
    require('baton.note').clear()
  end
  subcommand.run({
    words = vim.split(rest, '%s+', { trimempty = true }),
    text = rest,
    bang = given.bang,
    mods = given.mods,
    selection = given.range > 0 and { first = given.line1, last = given.line2 } or nil,
  })
end

--- Completion of `:Baton`.
---@param lead string
---@param line string
---@param position integer
---@return string[]
function M.complete(lead, line, position)
  -- Before the command may stand a range and modifiers.
  local before = line:sub(1, position):match('Baton!?%s+(.*)$') or ''
  local name = before:match('^(%S+)%s')
  local subcommand = name and M.subcommands[name]
  local found = {}
  if not name then
    found = M.names()
  elseif subcommand and subcommand.complete then
    found = subcommand.complete(lead)
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, found)
end

return M
