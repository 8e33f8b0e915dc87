--- What was said in this session, for `:Baton messages`.

local M = {}

--- So many lines are kept.
local LONGEST = 1000

---@type string[]
local lines = {}

--- Remember a line.
---@param text string
function M.add(text)
  lines[#lines + 1] = os.date('%H:%M:%S ') .. vim.trim(text:gsub('%s+', ' '))
  if #lines > LONGEST then
    table.remove(lines, 1)
  end
end

--- The file that Neovim writes the server's own log to.
---@return string
function M.server_log()
  return vim.lsp.log.get_filename()
end

--- Everything, oldest first.
---@return string[]
function M.lines()
  return lines
end

--- Show it.
---@param mods string
function M.open(mods)
  local shown = { 'The server logs to ' .. M.server_log(), '' }
  vim.list_extend(shown, #lines > 0 and lines or { 'Nothing was said yet.' })
  require('baton.view').open('messages', shown, { mods = mods, cursor = #shown, filetype = 'log' })
end

return M
