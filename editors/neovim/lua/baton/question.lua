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
  end)
  require('baton.session').redraw()
  start_looking()
end

--- A plan waits for its answer.
---@param client vim.lsp.Client
---@param waiting baton.Session
function M.gate(client, waiting)
  M.answered(waiting)
  local gate = assert(waiting.gate)
  local words = ('%s waits for your answer. :Baton gate'):format(require('baton.gate').title(gate))
  announce({ client_id = client.id, root = waiting.root, gate = gate }, words)
end

--- The plan of a project waits no more.
---@param waiting baton.Session
function M.answered(waiting)
  questions = vim.tbl_filter(function(question)
    return not (question.gate and question.root == waiting.root)
  end, questions)
  require('baton.gate').close()
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
    view.say(params.message)
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
  -- What to do comes first: the end may not fit.
  announce(question, 'asks (:Baton gate): ' .. params.message:gsub('^Baton: ', ''))
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
end

--- Nobody waits for an answer any more.
---@param id integer
function M.server_gone(id)
  questions = vim.tbl_filter(function(question)
    return question.client_id ~= id
  end, questions)
  require('baton.gate').close()
end

--- The server says something by `window/showMessage`.
---@param _ any
---@param params lsp.ShowMessageParams
function M.on_message(_, params)
  local levels = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO, vim.log.levels.DEBUG }
  view.say(params.message, levels[params.type])
end

---@param question baton.Question
local function open_message(question)
  vim.ui.select(question.actions, {
    prompt = question.message .. ' ',
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
  question.is_open, question.is_offered = true, true
  if question.gate then
    require('baton.gate').open(client, question.gate, function()
      question.is_open = false
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

--- Put the plan that waits to the user, as the server tells of it now.
---@param client vim.lsp.Client
function M.ask_from_status(client)
  require('baton.client').execute(client, 'baton.status', nil, function(status)
    if status and status.gate then
      local more = { task = status.task, tasks = status.tasks, usage = status.usage }
      return require('baton.gate').open(client, vim.tbl_extend('force', status.gate, more))
    end
    local fault = status and status.next == 'gate' and status.faults and status.faults[1]
    if fault then
      local place = ('%s:%d:%d'):format(fault.file, fault.line, fault.column)
      return view.fail(('the plan cannot be shown before it is fixed: %s: %s'):format(place, fault.message))
    end
    view.say('nothing waits for an answer')
  end)
end

--- What waits for an answer.
---@return baton.Question[]
function M.pending()
  return questions
end

return M
