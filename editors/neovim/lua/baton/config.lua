--- The options, in `vim.g.baton`. None has to be set.

local M = {}

---@class baton.Options
---@field cmd? string[] How the server is started; `{ 'baton', 'lsp' }` from PATH. Set it before the server starts.
---@field settings? table<string, any> Settings for the server, as in baton.toml.
---@field gate? baton.GateOptions
---@field progress? boolean Say when a phase begins and ends (true).
---@field reload? boolean Reload the buffers of files that agents changed (true).
---@field lenses? boolean Show the server's code lenses in plan.json and review.json (true).
---@field hunks? boolean Mark the lines that agents changed, by their tasks (true).
---@field compose? 'float'|'line' Where notes and feedback are typed; 'line' is by |vim.ui.input()| ('float').

---@class baton.GateOptions
---@field auto? boolean Open a question by itself, once nothing was typed for a while in normal mode (true).
---@field idle_ms? integer How long that while is, in milliseconds (3000).
---@field window? 'split'|'float'|false Where the plan stands beside its question ('split').

---@type baton.Options
local DEFAULTS = {
  cmd = { 'baton', 'lsp' },
  gate = { auto = true, idle_ms = 3000, window = 'split' },
  progress = true,
  reload = true,
  lenses = true,
  hunks = true,
  compose = 'float',
}

--- The options as they are now.
---@return baton.Options
function M.get()
  local given = vim.g.baton
  return vim.tbl_deep_extend('force', DEFAULTS, type(given) == 'table' and given or {})
end

local TYPES = {
  cmd = 'table',
  settings = 'table',
  gate = 'table',
  progress = 'boolean',
  reload = 'boolean',
  lenses = 'boolean',
  hunks = 'boolean',
  compose = 'string',
}
local GATE_TYPES = { auto = 'boolean', idle_ms = 'number', window = { 'string', 'boolean' } }

local function list(value)
  return type(value) == 'table' and value or { value }
end

--- What is wrong with the options, for `:checkhealth baton`.
---@return string[]
function M.faults()
  local given = vim.g.baton
  if given ~= nil and type(given) ~= 'table' then
    return { ('vim.g.baton is a %s, and is a table'):format(type(given)) }
  end
  local faults = {}
  local function check(options, types, prefix)
    for name, value in vim.spairs(options) do
      local wanted = types[name]
      if not wanted then
        local known = vim.tbl_keys(types)
        table.sort(known)
        known = table.concat(known, ', ')
        faults[#faults + 1] = ('%s%s is no option; there are %s'):format(prefix, name, known)
      elseif not vim.list_contains(list(wanted), type(value)) then
        local is = table.concat(list(wanted), ' or ')
        faults[#faults + 1] = ('%s%s is a %s, and is a %s'):format(prefix, name, type(value), is)
      end
    end
  end
  check(given or {}, TYPES, '')
  if given and type(given.gate) == 'table' then
    check(given.gate, GATE_TYPES, 'gate.')
  end
  return faults
end

return M
