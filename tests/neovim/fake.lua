--- A server of the tests' own, inside Neovim: it says what it is told to say, and remembers what it was asked for.

local M = {}

--- What `baton.status` answers.
---@type table?
M.status = nil

--- The commands that were run, `baton.status` apart, with their arguments.
---@type { command: string, arguments: table }[]
M.ran = {}

--- What other commands answer, by their names: a result, or a function of the arguments that returns a result or
--- nothing and an error.
---@type table<string, any>
M.answers = {}

M.commands = {
  'baton.accept',
  'baton.approve',
  'baton.cancel',
  'baton.diff',
  'baton.fixIssue',
  'baton.plan',
  'baton.reject',
  'baton.reset',
  'baton.review',
  'baton.rollback',
  'baton.status',
  'baton.trust',
  'baton.workflow',
}

--- The texts of `workspace/textDocumentContent`, by their addresses.
---@type table<string, string>
M.documents = {}

--- What a server was told when it began.
---@type table?
M.initialized = nil

---@type table<string, fun(method: string, params: table)>
local speak = {}

local function answer(params)
  local arguments = params.arguments[1]
  if params.command == 'baton.status' then
    return nil, type(M.status) == 'function' and M.status(arguments) or M.status or vim.NIL
  end
  table.insert(M.ran, { command = params.command, arguments = arguments })
  local answers = M.answers[params.command]
  if type(answers) == 'function' then
    local result, fault = answers(arguments)
    return fault, result
  end
  return nil, answers or vim.NIL
end

vim.lsp.config('baton', {
  cmd = function(dispatchers, config)
    local is_closing = false
    local function exit()
      if not is_closing then
        is_closing = true
        dispatchers.on_exit(0, 0)
      end
    end
    return {
      request = function(method, params, callback)
        local fault, result = nil, vim.NIL
        if method == 'initialize' then
          M.initialized = params
          speak[vim.fs.normalize(vim.uri_to_fname(params.rootUri))] = dispatchers.notification
          result = { capabilities = { executeCommandProvider = { commands = M.commands } } }
        elseif method == 'workspace/executeCommand' then
          fault, result = answer(params)
        elseif method == 'workspace/textDocumentContent' and M.documents[params.uri] then
          result = { text = M.documents[params.uri] }
        end
        vim.schedule(function()
          callback(fault, result)
        end)
        return true, 1
      end,
      notify = function(method)
        if method == 'exit' then
          exit()
        end
        return true
      end,
      is_closing = function()
        return is_closing
      end,
      terminate = exit,
    },
      config
  end,
})

--- An event of a run in a project.
---@param event table
---@param root? string
function M.event(event, root)
  root = root or vim.fs.normalize(vim.fn.getcwd())
  local whole = vim.tbl_extend('keep', event, {
    folder = vim.uri_from_fname(root),
    run = 'r1',
    phase = 'workflow',
    message = '',
  })
  speak[root]('baton/phase', whole)
end

--- A status with these fields.
---@param fields table
---@return table
function M.status_of(fields)
  return vim.tbl_extend('force', {
    run = 'r1',
    task = 'Make both answer 1',
    phases = { { phase = 'context', status = 'done', message = '2 relevant files' } },
    tasks = {},
    issues = {},
    faults = {},
    usage = { input_tokens = 0, cache_write_tokens = 0, cache_read_tokens = 0, output_tokens = 0, cost_usd = 0 },
    next = 'none',
    ways_on = {},
  }, fields)
end

--- A way on, as the server lists it.
function M.way(id, title, command, arguments)
  return { id = id, title = title, command = command, arguments = arguments }
end

return M
