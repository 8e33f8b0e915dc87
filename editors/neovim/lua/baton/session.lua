--- What is known of each project's workflow, from what the server tells. The server's files are the truth; this is for
--- the screen.

local config = require('baton.config')
local view = require('baton.view')

local M = {}

---@class baton.Session
---@field root string
---@field run? string The run at work.
---@field phase? string What it is at.
---@field percent? integer How far it is.
---@field message? string The last thing it said.
---@field tasks table<string, 'works'|'waits'> The tasks that agents are at.
---@field named table<string, string[]> The files that a waiting task was said to wait for.
---@field outcome? string How the last run ended.
---@field last_run? string The run that ended last.
---@field status? baton.Status What the server said last of where the workflow stands.
---@field gate? baton.Gate The plan that waits for an answer.

---@type table<string, baton.Session>
local sessions = {}

--- The session of a project.
---@param root string
---@return baton.Session
function M.of(root)
  sessions[root] = sessions[root] or { root = root, tasks = {}, named = {} }
  return sessions[root]
end

--- All of them.
---@return baton.Session[]
function M.all()
  return vim.tbl_values(sessions)
end

--- The name of a project where there are several; nil where there is nothing to tell it from.
---@param root string
---@return string?
function M.label(root)
  local roots = vim.tbl_map(function(client)
    return client.root_dir
  end, vim.lsp.get_clients({ name = 'baton' }))
  return #roots > 1 and require('baton.project').name(root, roots) or nil
end

--- A question about a project, which is named where there are several.
---@param root string
---@param question string
---@return string
function M.labelled(root, question)
  local label = M.label(root)
  return label and ('%s: %s'):format(label, question) or question
end

--- What goes on has changed; so has the statusline.
function M.redraw()
  if require('baton').is_in_statusline then
    vim.cmd.redrawstatus({ bang = true })
  end
end

---@param client vim.lsp.Client
---@param uri? string
---@return baton.Session
local function of_event(client, uri)
  local root = uri and vim.fs.normalize(vim.uri_to_fname(uri)):gsub('(.)/$', '%1')
  return M.of(root or client.root_dir)
end

--- How long after an answer the next one is asked for at the earliest, in milliseconds: many events come at once.
local PAUSE = 200

---@type table<integer, 'asked'|'again'>
local asking = {}

--- Answers may overtake each other: the number of the last question, and that of the last answer taken.
---@type table<integer, integer>
local asked, taken = {}, {}

---@param client vim.lsp.Client
---@param number integer
---@param status? baton.Status
local function know(client, number, status)
  if number < (taken[client.id] or 0) then
    return
  end
  taken[client.id] = number
  local session = M.of(client.root_dir)
  session.status = status
  require('baton.question').follow(client, status)
  require('baton.status').refresh(client.root_dir, status)
  require('baton.plan_notes').draw(client.root_dir, status)
  M.redraw()
end

--- Ask the server where the workflow stands: the page and the statusline draw what it says.
---@param client vim.lsp.Client
---@param done? fun(status?: baton.Status) Called with the first answer.
function M.refresh(client, done)
  if not client.initialized or client:is_stopped() then
    return
  elseif asking[client.id] and not done then
    asking[client.id] = 'again'
    return
  end
  asking[client.id] = 'asked'
  local number = (asked[client.id] or 0) + 1
  asked[client.id] = number
  require('baton.client').execute(client, 'baton.status', nil, function(status)
    know(client, number, status)
    if done then
      done(status)
    end
    vim.defer_fn(function()
      local is_again = asking[client.id] == 'again'
      asking[client.id] = nil
      if is_again then
        M.refresh(client)
      end
    end, PAUSE)
  end, function()
    asking[client.id] = nil
    -- Nobody asked for this one.
    return done == nil
  end)
end

--- A folder was opened: say what waits there.
---@param client vim.lsp.Client
---@param is_announced boolean
function M.opened(client, is_announced)
  M.refresh(client, function(status)
    if is_announced and status then
      require('baton.question').opened(client, status)
    end
  end)
end

--- A server began: hear of its progress.
---@param client vim.lsp.Client
function M.begin(client)
  M.of(client.root_dir)
  local group = vim.api.nvim_create_augroup('baton.progress', {})
  vim.api.nvim_create_autocmd('FocusGained', {
    group = group,
    desc = 'Baton: what was done elsewhere meanwhile',
    callback = function()
      for _, server in ipairs(vim.lsp.get_clients({ name = 'baton' })) do
        M.refresh(server)
      end
    end,
  })
  vim.api.nvim_create_autocmd('BufWritePost', {
    group = group,
    desc = 'Baton: what the checks saw may be another text now',
    callback = function()
      for _, server in ipairs(vim.lsp.get_clients({ name = 'baton' })) do
        local status = M.of(server.root_dir).status
        if status and #(status.checks or {}) > 0 then
          M.refresh(server)
        end
      end
    end,
  })
  vim.api.nvim_create_autocmd('LspProgress', {
    group = group,
    desc = 'Baton: how far a run is',
    callback = function(event)
      local server = vim.lsp.get_client_by_id(event.data.client_id)
      local params = event.data.params
      if not server or server.name ~= 'baton' or type(params.value) ~= 'table' then
        return
      end
      for _, session in pairs(sessions) do
        if session.run == params.token then
          session.percent = params.value.percentage or session.percent
          session.message = params.value.message or session.message
          M.redraw()
        end
      end
    end,
  })
end

--- A run was started here.
---@param client vim.lsp.Client
---@param result? { run?: string }
function M.started(client, result)
  local session = M.of(client.root_dir)
  local run = result and result.run
  -- What is heard of a run may come before the answer that names it, even its end.
  if run and session.run ~= run and session.last_run ~= run then
    session.run, session.phase, session.percent, session.message, session.outcome = run, nil, 0, nil, nil
    session.tasks, session.status = {}, nil
  end
  M.redraw()
end

local ENDS = { done = true, waiting = true, failed = true, cancelled = true }

---@param session baton.Session
---@param event baton.PhaseEvent
local function follow(session, event)
  if session.run ~= event.run then
    session.run, session.percent, session.outcome, session.tasks = event.run, 0, nil, {}
    session.status = nil
  end
  session.message = event.message
  if event.phase ~= 'workflow' then
    session.phase = event.phase
  end
  if event.task then
    local is_over = event.status ~= 'waiting' and ENDS[event.status]
    session.tasks[event.task] = not is_over and (event.status == 'waiting' and 'waits' or 'works') or nil
    if event.status ~= 'waiting' then
      session.named[event.task] = nil
    end
  elseif event.status == 'started' then
    session.tasks = {}
  end
  if event.phase == 'workflow' and ENDS[event.status] then
    session.run, session.last_run, session.phase, session.percent = nil, event.run, nil, nil
    session.tasks = {}
    session.outcome = event.outcome or event.status
  end
end

--- Whether a task waits for a file that was not named yet: of several files, one may have been saved.
---@param session baton.Session
---@param event baton.PhaseEvent
---@return boolean
local function names_another_file(session, event)
  local named = session.named[event.task]
  session.named[event.task] = event.files or {}
  return not named
    or #named == 0
    or vim.iter(event.files or {}):any(function(file)
      return not vim.list_contains(named, file)
    end)
end

--- Say what is worth a line: phases, not steps; and what only the user can help with.
---@param session baton.Session
---@param event baton.PhaseEvent
local function say(session, event)
  local log = require('baton.log')
  local place = event.phase .. (event.task and ' ' .. event.task or '')
  local message = require('baton.words').here(event.message)
  log.add(('%s %s: %s'):format(place, event.status, message))
  if event.task and event.status == 'waiting' then
    if not names_another_file(session, event) then
      return
    end
    return view.announce(('%s %s (:Baton)'):format(event.task, message), function()
      return session.tasks[event.task] == 'waits'
    end, session.root)
  end
  -- That a plan waits is announced, or the server says why it cannot be shown.
  local is_gate = event.phase == 'plan' and event.status == 'waiting'
  local is_phase = not event.task and event.phase ~= 'workflow' and not is_gate
  local is_first = event.phase == 'workflow' and event.status == 'started'
  if config.get().progress and ((is_phase and event.status ~= 'progress') or is_first) then
    local text = is_first and message or ('%s %s. %s'):format(event.phase, event.status, message)
    view.say(text, nil, { passing = true, root = session.root })
  end
end

--- What comes of an event beside the session: questions come and go.
---@param client vim.lsp.Client
---@param session baton.Session
---@param event baton.PhaseEvent
local function ask(client, session, event)
  local question = require('baton.question')
  if event.gate then
    session.gate = event.gate
    question.gate(client, session)
  elseif session.gate and event.status ~= 'progress' then
    -- Whatever comes after the gate means that it was answered, here or elsewhere.
    session.gate = nil
    question.answered(session.root)
  end
  if event.phase == 'workflow' and event.status == 'started' then
    question.new_run(client)
  elseif event.phase == 'workflow' and ENDS[event.status] and event.ways_on then
    question.ended(client, session.root, event)
  end
end

--- The server tells what happened: `baton/phase`.
---@param _ any
---@param event baton.PhaseEvent
---@param context lsp.HandlerContext
function M.on_phase(_, event, context)
  local client = vim.lsp.get_client_by_id(context.client_id)
  if not client then
    return
  end
  local session = of_event(client, event.folder)
  follow(session, event)
  say(session, event)
  ask(client, session, event)
  if event.status ~= 'progress' and (event.phase == 'implement' or event.phase == 'workflow') then
    require('baton.buffers').check(session.root)
  end
  if event.status ~= 'progress' and (event.phase == 'implement' or event.phase == 'workflow') then
    require('baton.hunks').refresh(client)
  end
  require('baton.documents').follow(session.root, event.run)
  if event.status ~= 'progress' and config.get().lenses then
    require('baton.lenses').refresh_all()
  end
  -- The beginning, the end and what waits are shown at once; of the rest one look is enough.
  local is_turn = event.phase == 'workflow' or event.status == 'waiting'
  M.refresh(client, is_turn and event.status ~= 'progress' and function() end or nil)
  M.redraw()
  vim.api.nvim_exec_autocmds('User', {
    pattern = 'BatonPhase',
    modeline = false,
    data = vim.tbl_extend('force', event, { client_id = client.id, root = session.root }),
  })
end

--- A server ended.
---@param code integer
---@param signal integer
function M.server_gone(code, signal)
  for _, session in pairs(sessions) do
    if not require('baton.client').of(session.root) then
      local run = session.run
      require('baton.hunks').forget(session.root)
      session.run, session.phase, session.percent, session.gate, session.tasks = nil, nil, nil, nil, {}
      session.status = nil
      if run and vim.v.exiting == vim.NIL then
        local why = signal ~= 0 and ('signal %d'):format(signal) or ('code %d'):format(code)
        view.fail(('the server ended (%s); :Baton run starts it again and goes on'):format(why), session.root)
      end
    end
  end
  M.redraw()
end

--- What a server says that knows no `headline`: an older one.
---@param session baton.Session
---@return string
local function plain_headline(session)
  if session.gate then
    return 'plan waits'
  elseif session.run then
    local tasks = vim.tbl_keys(session.tasks)
    table.sort(tasks)
    return table.concat(vim.list_extend({ session.phase or 'starts' }, tasks), ' ')
  elseif require('baton.question').waits(session.root) then
    return 'asks'
  end
  return ''
end

--- What the statusline says of a session: nothing when there is nothing to say.
---@param session baton.Session
---@param is_named? boolean Whether the project is named even where it is the only one.
---@return string
function M.summary(session, is_named)
  local status = session.status
  local words = status and status.headline or plain_headline(session)
  if words == '' or (status and status.state == 'fresh') then
    return ''
  end
  local is_running = session.run and session.percent and not session.gate
  if is_running and (not status or not status.state or status.state == 'running') then
    words = ('%s %d%%'):format(words, session.percent)
  end
  local label = M.label(session.root) or (is_named and vim.fs.basename(session.root))
  return ('baton%s: %s'):format(label and ' ' .. label or '', words)
end

return M
