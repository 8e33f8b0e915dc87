--- What the server asks. A question never takes a key from whoever types: it announces itself, and opens by
--- `:Baton gate`, or once nothing was typed for a while in normal mode.

local config = require('baton.config')
local view = require('baton.view')

local M = {}

--- How often it is looked whether the user is idle, in milliseconds.
local LOOK = 200

---@class baton.Question
---@field client_id integer
---@field root string
---@field gate? baton.Gate The plan to answer.
---@field ways? boolean What can be done at the end of a run, or with what waited when the folder was opened.
---@field message? string What the server asks otherwise,
---@field actions? lsp.MessageActionItem[] and what can be answered.
---@field answer? fun(action: lsp.MessageActionItem?)
---@field is_offered? boolean It opened by itself once; it does not a second time.
---@field is_open? boolean

---@type baton.Question[]
local questions = {}

local function remove(question)
  for n, other in ipairs(questions) do
    if other == question then
      table.remove(questions, n)
    end
  end
  require('baton.session').redraw()
end

-- Whether the user is idle.

local last_key = 0
local keys = vim.api.nvim_create_namespace('baton.keys')
---@type uv.uv_timer_t?
local timer

--- Normal mode in an ordinary window, with nothing begun: no operator, no register, no macro, no completion, no message
--- that waits for a key.
---@return boolean
local function may_open()
  local mode = vim.api.nvim_get_mode()
  return mode.mode == 'n'
    and not mode.blocking
    and vim.fn.state('moasS') == ''
    and vim.fn.getcmdwintype() == ''
    and vim.fn.reg_recording() == ''
    and vim.fn.reg_executing() == ''
    and vim.fn.pumvisible() == 0
    and vim.api.nvim_win_get_config(0).relative == ''
    and not vim.list_contains({ 'prompt', 'terminal' }, vim.bo.buftype)
end

local function next_to_offer()
  for _, question in ipairs(questions) do
    if question.is_open then
      return nil
    end
  end
  for _, question in ipairs(questions) do
    if not question.is_offered then
      return question
    end
  end
end

local function stop_looking()
  if timer then
    timer:close()
    timer = nil
    vim.on_key(nil, keys)
  end
end

local function look()
  local question = next_to_offer()
  if not question then
    if vim.iter(questions):all(function(other)
      return other.is_offered
    end) then
      stop_looking()
    end
    return
  end
  if vim.uv.now() - last_key >= config.get().gate.idle_ms and may_open() then
    question.is_offered = true
    M.open(question)
  end
end

local function start_looking()
  last_key = vim.uv.now()
  if timer or not config.get().gate.auto then
    return
  end
  vim.on_key(function(_, typed)
    if typed and typed ~= '' then
      last_key = vim.uv.now()
    end
  end, keys)
  timer = assert(vim.uv.new_timer())
  timer:start(LOOK, LOOK, vim.schedule_wrap(look))
end

---@param question baton.Question
---@param words string
local function announce(question, words)
  table.insert(questions, question)
  view.announce(words, function()
    return vim.list_contains(questions, question) and not question.is_open
  end, question.root)
  require('baton.session').redraw()
  start_looking()
end

--- A plan waits for its answer.
---@param client vim.lsp.Client
---@param waiting baton.Session
function M.gate(client, waiting)
  M.answered(waiting.root)
  local gate = assert(waiting.gate)
  local words = ('%s waits for your answer. :Baton gate'):format(require('baton.gate').title(gate))
  announce({ client_id = client.id, root = waiting.root, gate = gate }, words)
end

--- Take back what was asked of a project and is past.
---@param root string
---@param is_meant fun(question: baton.Question): boolean?
local function drop(root, is_meant)
  questions = vim.tbl_filter(function(question)
    return question.root ~= root or not is_meant(question)
  end, questions)
end

--- The plan of a project waits no more.
---@param root string
function M.answered(root)
  drop(root, function(question)
    return question.gate ~= nil
  end)
  require('baton.gate').close(root)
end

--- Ends that need the user: their question opens by itself. The others are read in passing.
local NEEDS_USER = { escalated = true, failed = true }

--- A run has ended: say so, and what can be done.
---@param client vim.lsp.Client
---@param root string
---@param event baton.PhaseEvent
function M.ended(client, root, event)
  drop(root, function(question)
    return question.ways
  end)
  local words = require('baton.words').here(event.message)
  if #event.ways_on == 0 then
    return view.announce(words, function()
      return true
    end, root)
  end
  local question = { client_id = client.id, root = root, ways = true }
  question.is_offered = not NEEDS_USER[event.outcome]
  announce(question, words .. ' (:Baton)')
end

--- No run begins before there is a key.
---@param client vim.lsp.Client
---@param message string
function M.key(client, message)
  local title = 'Set API Key'
  local question = { client_id = client.id, root = client.root_dir, message = message, is_offered = true }
  question.actions = { { title = title } }
  question.answer = function(action)
    remove(question)
    if action then
      vim.schedule(function()
        require('baton.key').ask(client, message)
      end)
    end
  end
  drop(client.root_dir, function(other)
    return other.actions ~= nil and other.actions[1].title == title
  end)
  table.insert(questions, question)
  M.open(question)
end

--- What waits when a folder is opened, and whether its question opens by itself.
local WAITS = { gate = false, faulty = false, cancelled = true, interrupted = true }

--- A folder was opened whose workflow stands so.
---@param client vim.lsp.Client
---@param status baton.Status
function M.opened(client, status)
  local offers = WAITS[status.state]
  local root = client.root_dir
  if offers == nil or require('baton.session').of(root).run then
    return
  end
  local question = { client_id = client.id, root = root, ways = true, is_offered = not offers }
  announce(question, ('%s (:Baton)'):format(status.summary or status.headline))
end

--- The server says where a workflow stands: what is past is asked no more.
---@param client vim.lsp.Client
---@param status? baton.Status
function M.follow(client, status)
  if status and status.state and status.state ~= 'gate' and not require('baton.session').of(client.root_dir).gate then
    require('baton.gate').close(client.root_dir)
  end
  -- A reset leaves nothing to ask about.
  if not status or status.state == 'fresh' or (status.ways_on and #status.ways_on == 0) then
    drop(client.root_dir, function(question)
      return question.ways and not question.is_open
    end)
  end
end

--- Whether anything of a project waits for an answer.
---@param root string
---@return boolean
function M.waits(root)
  return vim.iter(questions):any(function(question)
    return question.root == root
  end)
end

--- The server asks by `window/showMessageRequest`. It gets its answer when the user has given one.
---@param _ any
---@param params lsp.ShowMessageRequestParams
---@param context lsp.HandlerContext
function M.on_request(_, params, context)
  local asking, is_main = coroutine.running()
  local client = vim.lsp.get_client_by_id(context.client_id)
  if not client or not asking or is_main or #(params.actions or {}) == 0 then
    view.say(require('baton.words').here(params.message))
    return vim.NIL
  end
  local question = { client_id = client.id, root = client.root_dir, message = params.message, actions = params.actions }
  local is_answered = false
  question.answer = function(action)
    remove(question)
    if not is_answered then
      is_answered = true
      -- Not before the coroutine has yielded.
      vim.schedule(function()
        coroutine.resume(asking, action or vim.NIL)
      end)
    end
  end
  announce(question, ('%s (:Baton gate)'):format(require('baton.words').here(params.message:gsub('^Baton: ', ''))))
  return coroutine.yield()
end

local function drop_messages(of_client)
  for _, question in ipairs(vim.list_slice(questions)) do
    if question.answer and question.client_id == of_client then
      question.answer(nil)
    end
  end
end

--- The server takes a question back. Neovim does not tell handlers the id of a request, so that only one that is alone
--- is known to be meant; an answer that comes too late does no harm.
---@param _ any
---@param context lsp.HandlerContext
function M.on_withdrawn(_, _, context)
  local of_client = vim.tbl_filter(function(question)
    return question.answer ~= nil and question.client_id == context.client_id
  end, questions)
  if #of_client == 1 then
    of_client[1].answer(nil)
  end
end

--- A run begins: what was asked of the last one is past.
---@param client vim.lsp.Client
function M.new_run(client)
  drop_messages(client.id)
  drop(client.root_dir, function(question)
    return question.ways
  end)
end

--- Nobody waits for an answer any more.
---@param id integer
function M.server_gone(id)
  for _, question in ipairs(questions) do
    if question.client_id == id then
      require('baton.gate').close(question.root)
    end
  end
  questions = vim.tbl_filter(function(question)
    return question.client_id ~= id
  end, questions)
end

--- The server says something by `window/showMessage`.
---@param _ any
---@param params lsp.ShowMessageParams
---@param context lsp.HandlerContext
function M.on_message(_, params, context)
  local levels = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO, vim.log.levels.DEBUG }
  local client = vim.lsp.get_client_by_id(context.client_id)
  local root = client and client.root_dir
  view.say(require('baton.words').here(params.message), levels[params.type], { root = root })
end

---@param question baton.Question
local function open_message(question)
  local prompt = require('baton.words').here(question.message) .. ' '
  vim.ui.select(question.actions, {
    prompt = require('baton.session').labelled(question.root, prompt),
    kind = 'baton_message',
    format_item = function(action)
      return (action.title:gsub('%s+', ' '))
    end,
  }, function(action)
    question.is_open = false
    question.answer(action)
  end)
end

--- Put a question to the user now.
---@param question baton.Question
function M.open(question)
  local client = vim.lsp.get_client_by_id(question.client_id)
  if not client then
    return remove(question)
  end
  local function close()
    question.is_open = false
  end
  question.is_open, question.is_offered = true, true
  if question.gate then
    require('baton.gate').open(client, question.gate, close)
  elseif question.ways then
    M.ask_from_status(client, function()
      close()
      remove(question)
    end)
  else
    -- A list in the command line would begin below what stands there.
    vim.cmd.redraw()
    open_message(question)
  end
end

--- `:Baton gate`: put what waits to the user, first what is asked of this project.
function M.open_next()
  local here = require('baton.project').here()
  local waiting = vim.tbl_filter(function(question)
    return question.root == here
  end, questions)
  local question = waiting[1] or questions[1]
  if question then
    return M.open(question)
  end
  -- A plan may wait with no run at work: of an earlier session, or of the command line's.
  require('baton.client').with(M.ask_from_status)
end

--- What a server that lists no ways on has to say where no plan can be shown.
---@param client vim.lsp.Client
---@param status? baton.Status
local function say_plainly(client, status)
  local fault = status and status.next == 'gate' and status.faults and status.faults[1]
  if fault then
    local place = ('%s:%d:%d'):format(fault.file, fault.line, fault.column)
    local words = ('the plan cannot be shown before it is fixed: %s: %s'):format(place, fault.message)
    return view.fail(words, client.root_dir)
  end
  view.say('nothing waits for an answer', nil, { root = client.root_dir })
end

--- Put what waits to the user, the plan or what else can be done, as the server tells of it now.
---@param client vim.lsp.Client
---@param done? fun() Called when the question is no longer on the screen.
function M.ask_from_status(client, done)
  require('baton.session').refresh(client, function(status)
    if status and status.gate then
      local more = { task = status.task, tasks = status.tasks, usage = status.usage }
      return require('baton.gate').open(client, vim.tbl_extend('force', status.gate, more), done)
    end
    local ways = require('baton.ways')
    if #ways.of(status) > 0 and status.state ~= 'fresh' then
      vim.cmd.redraw()
      return ways.ask(client, status, done)
    end
    if done then
      done()
    end
    say_plainly(client, status)
  end)
end

--- What waits for an answer.
---@return baton.Question[]
function M.pending()
  return questions
end

return M
