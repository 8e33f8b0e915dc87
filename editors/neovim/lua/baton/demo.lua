--- The demo: a sample project of its own, whose answers are recorded, in a tab of its own.

local view = require('baton.view')

local M = {}

--- A new folder for a sample; `nil` where it cannot be made.
---@return string?
local function new_folder()
  local name = ('links-%d-%04x'):format(os.time(), vim.uv.hrtime() % 0x10000)
  local folder = vim.fs.joinpath(vim.fn.stdpath('data'), 'baton', 'demo', name)
  local made, _ = pcall(vim.fn.mkdir, folder, 'p')
  local real = made and vim.uv.fs_realpath(folder)
  return real and vim.fs.normalize(real) or nil
end

--- Make a sample, open its task in a new tab and start.
function M.open()
  local folder = new_folder()
  if not folder then
    return view.fail(('no folder can be made in %s'):format(vim.fn.stdpath('data')))
  end
  local client = require('baton.client')
  client.at(folder, function(server)
    client.execute(server, 'baton.demo', { dir = folder }, function()
      vim.cmd.tabnew()
      vim.cmd.tcd(vim.fn.fnameescape(folder))
      vim.cmd.edit(vim.fn.fnameescape(vim.fs.joinpath('.agent_memory', 'task.md')))
      view.say('the demo: its answers are recorded; no key, no network, no cost', nil, { root = folder })
      require('baton.command').start(server, 'baton.workflow')
    end)
  end)
end

return M
