--- The key of the models: asked for where none is set or it is refused, and kept for this session of Neovim only.

local baton = require('baton.client')
local view = require('baton.view')

local M = {}

local DEFAULT = 'ANTHROPIC_API_KEY'

--- The variable that a message names; nil where it names none.
---@param message string
---@return string?
function M.variable(message)
  return message:match('%f[%w_](%u[%u%d_]*_API_KEY)%f[^%w_]')
end

--- Ask for the key, start the server again with it, and go on.
---@param client vim.lsp.Client
---@param message string What was said of the key.
function M.ask(client, message)
  local variable = M.variable(message) or DEFAULT
  local root = client.root_dir
  local prompt = ('%s (for this Neovim only): '):format(variable)
  local ok, key = pcall(vim.fn.inputsecret, require('baton.session').labelled(root, prompt))
  vim.cmd.redraw()
  key = ok and vim.trim(key) or ''
  if key == '' then
    return
  end
  vim.env[variable] = key
  baton.restart(client, function(other)
    view.say('the key is set', nil, { root = root })
    local task = require('baton.drafts').of(root, 'task')
    require('baton.command').start(other, 'baton.workflow', { task = task })
  end)
end

return M
