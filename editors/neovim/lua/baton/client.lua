--- The server at the other end: found, started, asked.

local config = require('baton.config')
local project = require('baton.project')
local view = require('baton.view')

local M = {}

--- How long the server may take to say what it can do, in milliseconds.
local PATIENCE = 10000

--- Where the binary comes from, as `:checkhealth baton` and a failed start say it.
M.INSTALL = 'run `cargo install --locked --path server` in a clone of Baton, or set vim.g.baton.cmd'

--- The server of a project.
---@param root string
---@return vim.lsp.Client?
function M.of(root)
  for _, client in ipairs(vim.lsp.get_clients({ name = 'baton', _uninitialized = true })) do
    if client.root_dir == root and not client:is_stopped() then
      return client
    end
  end
end

--- The server for what is done here: the current file's, or else the only one there is.
---@return vim.lsp.Client?
function M.here()
  local root = project.here()
  if root then
    return M.of(root)
  end
  local clients = vim.lsp.get_clients({ name = 'baton' })
  return #clients == 1 and clients[1] or nil
end

--- The root to start a server in. Outside of any project the current folder will do, but not everything at once.
---@return string? root
---@return string? fault
local function root_to_start_in()
  local root = project.here()
  if root then
    return root
  end
  local folder = vim.fs.normalize(vim.fn.getcwd())
  if folder == '/' or folder == vim.fs.normalize('~') or folder:match('^%a:/$') then
    return nil, ('%s is no project; :cd into one, or open a file of one'):format(folder)
  end
  return folder
end

--- Start the server of a project.
---@param root string
---@return vim.lsp.Client? client
---@return string? fault
function M.start(root)
  local settings = vim.lsp.config.baton
  if not settings then
    return nil, 'lsp/baton.lua is not in the runtimepath'
  end
  settings = vim.deepcopy(settings)
  local cmd = settings.cmd
  if type(cmd) == 'table' and vim.fn.executable(cmd[1]) == 0 then
    return nil, ('%s is not found: %s'):format(cmd[1], M.INSTALL)
  end
  settings.root_dir = root
  local id = vim.lsp.start(settings, { attach = false, silent = true })
  local client = id and vim.lsp.get_client_by_id(id)
  if not client then
    return nil, 'the server does not start; :checkhealth baton says more'
  end
  return client
end

--- Call back when the server has said what it can do.
---@param client vim.lsp.Client
---@param ready fun(client: vim.lsp.Client)
local function when_ready(client, ready)
  if client.initialized then
    return ready(client)
  end
  local timer = assert(vim.uv.new_timer())
  local waited = 0
  timer:start(
    10,
    10,
    vim.schedule_wrap(function()
      waited = waited + 10
      if timer:is_closing() then
        return
      elseif client.initialized then
        timer:close()
        ready(client)
      elseif client:is_stopped() or not vim.lsp.get_client_by_id(client.id) then
        timer:close()
        view.fail('the server ended at its start; ' .. require('baton.log').server_log() .. ' says why')
      elseif waited >= PATIENCE then
        timer:close()
        view.fail('the server does not answer; ' .. require('baton.log').server_log() .. ' may say why')
      end
    end)
  )
end

--- Servers that were started by something the user did, which goes on with what waits; nothing is announced there.
---@type table<integer, true>
M.is_called = {}

--- Call back with the server of a project, started where none is.
---@param root string
---@param ready fun(client: vim.lsp.Client)
function M.at(root, ready)
  local client, fault = M.of(root), nil
  if not client then
    client, fault = M.start(root)
    if client then
      M.is_called[client.id] = true
    end
  end
  if client then
    when_ready(client, ready)
  else
    view.fail(fault or 'there is no server')
  end
end

--- Call back with the server for what is done here, started where none is.
---@param ready fun(client: vim.lsp.Client)
function M.with(ready)
  local client = M.here()
  if client then
    return when_ready(client, ready)
  end
  local root, fault = root_to_start_in()
  if root then
    M.at(root, ready)
  else
    view.fail(fault or 'there is no server')
  end
end

--- Run a command of the server's.
---@param client vim.lsp.Client
---@param command string
---@param arguments? table
---@param done? fun(result: any) Not called when it fails: that is said.
---@param failed? fun(fault: lsp.ResponseError): boolean? Whether it was dealt with, and need not be said.
function M.execute(client, command, arguments, done, failed)
  local provider = client.server_capabilities and client.server_capabilities.executeCommandProvider
  if not vim.list_contains(provider and provider.commands or {}, command) then
    local name = require('baton.words').here(command)
    return view.fail(('this server has no %s; a newer one may'):format(name), client.root_dir)
  end
  arguments = vim.tbl_extend('force', { folder = vim.uri_from_fname(client.root_dir) }, arguments or {})
  client:request('workspace/executeCommand', { command = command, arguments = { arguments } }, function(err, result)
    if err then
      if not (failed and failed(err)) then
        view.fail(require('baton.words').here(err.message), client.root_dir)
      end
    elseif done then
      done(result ~= vim.NIL and result or nil)
    end
    if command ~= 'baton.status' then
      require('baton.session').refresh(client)
    end
  end, vim.api.nvim_get_current_buf())
end

--- How long a key press may wait for the server, in milliseconds.
local PATIENCE_OF_KEYS = 500

--- What a command of the server's answers, waited for; nil where it fails or takes too long.
---@param client vim.lsp.Client
---@param command string
---@return any
function M.ask(client, command)
  local params = { command = command, arguments = { { folder = vim.uri_from_fname(client.root_dir) } } }
  local answer = client:request_sync('workspace/executeCommand', params, PATIENCE_OF_KEYS)
  return answer and answer.result ~= vim.NIL and answer.result or nil
end

--- Stop a server and start it again, with the environment as it is now.
---@param client vim.lsp.Client
---@param ready fun(client: vim.lsp.Client)
function M.restart(client, ready)
  local root = client.root_dir
  client:stop()
  local timer = assert(vim.uv.new_timer())
  local waited = 0
  timer:start(
    20,
    20,
    vim.schedule_wrap(function()
      waited = waited + 20
      if timer:is_closing() or (vim.lsp.get_client_by_id(client.id) and waited < PATIENCE) then
        return
      end
      timer:close()
      if vim.lsp.get_client_by_id(client.id) then
        client:stop(true)
      end
      -- Neovim itself may have started it, for a file that was opened meanwhile.
      local other, fault = M.of(root), nil
      if not other then
        other, fault = M.start(root)
      end
      if not other then
        return view.fail(fault or 'the server does not start', root)
      end
      M.is_called[other.id] = true
      when_ready(other, ready)
    end)
  )
end

--- Run a command on the server for what is done here, started where none is.
---@param command string
---@param arguments? table
---@param done? fun(result: any, client: vim.lsp.Client)
---@param client? vim.lsp.Client Another server than the one for what is done here.
function M.call(command, arguments, done, client)
  local function on(server)
    M.execute(server, command, arguments, function(result)
      if done then
        done(result, server)
      end
    end)
  end
  if client then
    on(client)
  else
    M.with(on)
  end
end

--- Whether a buffer holds a file of the server's project. A folder used without `.git` has no marker before the first
--- run.
local function belongs(client, bufnr)
  if not vim.api.nvim_buf_is_loaded(bufnr) or vim.bo[bufnr].buftype ~= '' then
    return false
  end
  local name = vim.fs.normalize(vim.api.nvim_buf_get_name(bufnr))
  if name == '' or not project.contains(client.root_dir, name) or name:find('/.git/', 1, true) then
    return false
  end
  local root = project.root_of(bufnr)
  return root == client.root_dir or root == nil
end

--- The server must know every open file of its project, also those without a filetype: it never writes below unsaved
--- changes.
local function attach_all(client)
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if belongs(client, bufnr) then
      vim.lsp.buf_attach_client(bufnr, client.id)
    end
  end
end

--- The server is there.
---@param client vim.lsp.Client
function M.on_init(client)
  local group = vim.api.nvim_create_augroup('baton.attach', {})
  vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'BufFilePost', 'BufWritePost' }, {
    group = group,
    desc = 'Baton: let the server know every open file of its project',
    callback = function(event)
      for _, other in ipairs(vim.lsp.get_clients({ name = 'baton' })) do
        if belongs(other, event.buf) then
          vim.lsp.buf_attach_client(event.buf, other.id)
        end
      end
    end,
  })
  require('baton.session').begin(client)
  require('baton.buffers').watch()
  if config.get().lenses then
    require('baton.lenses').watch()
  end
  vim.schedule(function()
    if not client:is_stopped() then
      attach_all(client)
      require('baton.hunks').watch(client)
      require('baton.session').opened(client, not M.is_called[client.id])
    end
  end)
end

--- The server is gone.
---@param code integer
---@param signal integer
---@param id integer
function M.on_exit(code, signal, id)
  vim.schedule(function()
    M.is_called[id] = nil
    require('baton.session').server_gone(code, signal)
    require('baton.question').server_gone(id)
  end)
end

return M
