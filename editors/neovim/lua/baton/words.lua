--- The server's commands, and those of the command line, by their names in Neovim.

local M = {}

--- What is more here than a command's name.
local WITH = {
  ['baton%.rollback with {"undo": true}'] = ':Baton redo',
  ['baton%.workflow with {"reset": true}'] = ':Baton! run',
  ['baton%.workflow with {"quick": true}'] = ':Baton quick',
  ['baton%.workflow with a task'] = ':Baton run {task}',
  ['baton%.plan with feedback'] = ':Baton plan {feedback}',
  ['baton%.review with a base'] = ':Baton review {base}',
  ['baton%.approve with tasks'] = ':Baton approve {ids}',
}

--- What the command line calls otherwise than the server does.
local COMMAND_LINE = { rollback = 'undo', run = 'run' }

---@type table<string, string>?
local names

--- From a command of the server's to the subcommand that runs it.
local function subcommands()
  if not names then
    names = {}
    for name, subcommand in vim.spairs(require('baton.command').subcommands) do
      local command = subcommand.uses[1]
      -- Several subcommands may use one: the one that is called like it is meant, or the first.
      if command and (not names[command] or command == 'baton.' .. name) then
        names[command] = name
      end
    end
    -- Also behind `quick`, and behind `redo`.
    names['baton.workflow'] = 'run'
    names['baton.rollback'] = 'undo'
  end
  return names
end

--- A text of the server's, with the names of commands as they are typed here.
---@param text string
---@return string
function M.here(text)
  local known = subcommands()
  for words, here in pairs(WITH) do
    text = text:gsub(words, here)
  end
  text = text:gsub('baton%.(%a+)', function(command)
    local name = known['baton.' .. command]
    return name and ':Baton ' .. name
  end)
  -- Arguments are words here.
  text = text:gsub('(:Baton %l+) with {"(%l+)": .-}', '%1 {%2}')
  return (
    text:gsub('`baton (%l+)([^`]*)`', function(name, rest)
      name = COMMAND_LINE[name] or name
      return require('baton.command').subcommands[name] and (':Baton %s%s'):format(name, rest)
    end)
  )
end

return M
