--- Baton takes one coding task through four AI agents: context, plan, implement, review. See |baton|.
---
--- Nothing has to be set up. `vim.lsp.enable('baton')` starts the server with the first file of a project; without it,
--- `:Baton run` does.

local M = {}

--- Whether the statusline shows what goes on, and must be drawn anew when that changes.
M.is_in_statusline = false

--- Set options, for those who like to call something. The same as setting `vim.g.baton`.
---@param options? baton.Options
function M.setup(options)
  vim.g.baton = vim.tbl_deep_extend('force', vim.g.baton or {}, options or {})
end

--- Run a subcommand of `:Baton`: `require('baton').command('run', 'Add a --json flag')`.
---@param name string
---@param text? string
function M.command(name, text)
  require('baton.command').run({
    args = text and name .. ' ' .. text or name,
    bang = false,
    line1 = 0,
    line2 = 0,
    mods = '',
    range = 0,
  })
end

--- Ask for a task and start it.
function M.ask_and_run()
  require('baton.command').ask_and_run()
end

--- What goes on in the current file's project, for the statusline; empty when nothing does. In 'statusline':
---
---     %{%v:lua.require'baton'.statusline()%}
---
---@return string
function M.statusline()
  M.is_in_statusline = true
  -- Not loaded yet: nothing was done yet.
  local session = package.loaded['baton.session']
  if not session then
    return ''
  end
  local root = require('baton.project').here()
  local summary = root and session.summary(session.of(root)) or ''
  if summary == '' then
    for _, other in ipairs(session.all()) do
      -- Of another project than the one whose window this is.
      summary = summary ~= '' and summary or session.summary(other, root ~= nil)
    end
  end
  return (summary:gsub('%%', '%%%%'))
end

return M
