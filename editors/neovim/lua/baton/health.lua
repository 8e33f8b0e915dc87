--- `:checkhealth baton`.

local M = {}

--- How long the server may take for its own checks, in milliseconds.
local PATIENCE = 10000

local function check_neovim()
  vim.health.start('Neovim')
  if vim.fn.has('nvim-0.11') == 1 then
    vim.health.ok(tostring(vim.version()))
  else
    vim.health.error(('%s is too old'):format(tostring(vim.version())), { 'Baton needs Neovim 0.11 or newer' })
  end
  for _, fault in ipairs(require('baton.config').faults()) do
    vim.health.error(fault, { 'See :help baton-options' })
  end
  local is_enabled = vim.lsp.is_enabled and vim.lsp.is_enabled('baton')
  if is_enabled then
    vim.health.ok("vim.lsp.enable('baton') is on: the server starts with the first file of a project")
  else
    vim.health.info("vim.lsp.enable('baton') is off: `:Baton run` starts the server")
  end
end

---@return boolean found
local function check_binary()
  vim.health.start('The server')
  local settings = vim.lsp.config.baton
  if not settings then
    vim.health.error('lsp/baton.lua is not in the runtimepath', { 'Is editors/neovim of Baton in it?' })
    return false
  end
  local cmd = settings.cmd
  if type(cmd) ~= 'table' then
    vim.health.info('cmd is a function; nothing is checked before it runs')
    return true
  end
  if vim.fn.executable(cmd[1]) == 0 then
    vim.health.error(('%s is not found'):format(cmd[1]), {
      'In a clone of Baton: cargo install --locked --path server',
      'Or say where it is: vim.g.baton = { cmd = { "/path/to/baton", "lsp" } }',
    })
    return false
  end
  local ok, asked = pcall(vim.system, { cmd[1], '--version' }, { text = true })
  local done = ok and asked:wait(PATIENCE)
  if done and done.code == 0 then
    vim.health.ok(('%s, %s'):format(vim.trim(done.stdout), vim.fn.exepath(cmd[1])))
    return true
  end
  local said = done and vim.trim(done.stderr or '') or tostring(asked)
  vim.health.error(
    ('`%s --version` fails: %s'):format(cmd[1], said),
    { 'Install it again: ' .. require('baton.client').INSTALL }
  )
  return false
end

local function check_git()
  if vim.fn.executable('git') == 1 then
    vim.health.ok(vim.trim(vim.system({ 'git', '--version' }, { text = true }):wait(PATIENCE).stdout))
  else
    vim.health.warn('git is not found', { 'Baton works without it, but keeps no checkpoints then' })
  end
end

--- Ask the server itself: it knows its settings, its keys and its models.
local function check_workflow()
  vim.health.start('Models and settings')
  local baton = require('baton.client')
  local project = require('baton.project')
  local client = baton.here()
  local is_mine = not client
  if not client then
    local root = project.here() or vim.fs.normalize(vim.fn.getcwd())
    local fault
    client, fault = baton.start(root)
    if not client then
      return vim.health.error(fault or 'the server does not start')
    end
  end
  local is_ready = vim.wait(PATIENCE, function()
    return client.initialized or client:is_stopped()
  end, 10)
  if not is_ready or not client.initialized then
    return vim.health.error('the server does not answer', { 'Its log: ' .. require('baton.log').server_log() })
  end
  local arguments = { { folder = vim.uri_from_fname(client.root_dir) } }
  local params = { command = 'baton.doctor', arguments = arguments }
  local answer, fault = client:request_sync('workspace/executeCommand', params, PATIENCE)
  local result = answer and answer.result
  if not result then
    local said = answer and answer.err and answer.err.message or fault or 'no answer'
    vim.health.error('baton.doctor: ' .. said)
  end
  local tell = { ok = vim.health.ok, warning = vim.health.warn, error = vim.health.error }
  for _, check in ipairs(result and result.checks or {}) do
    local say = tell[check.status] or vim.health.info
    say(('%s: %s'):format(check.name, check.message), check.fix and { check.fix } or nil)
  end
  if is_mine then
    client:stop()
  end
end

local function tell_more()
  vim.health.start('Where things are')
  local clients = vim.lsp.get_clients({ name = 'baton' })
  for _, client in ipairs(clients) do
    local version = client.server_info and client.server_info.version or 'unknown'
    vim.health.info(('a server, version %s, runs for %s'):format(version, client.root_dir))
  end
  if #clients == 0 then
    vim.health.info('no server runs')
  end
  vim.health.info('log of the server: ' .. require('baton.log').server_log())
  vim.health.info('what was said in this session: :Baton messages')
end

--- Check everything that a workflow needs.
function M.check()
  check_neovim()
  local is_there = check_binary()
  check_git()
  if is_there then
    check_workflow()
  end
  tell_more()
end

return M
