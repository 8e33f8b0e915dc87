--- Buffers of files that agents changed: reloaded where nothing is lost by it.

local config = require('baton.config')
local project = require('baton.project')
local view = require('baton.view')

local M = {}

--- What each buffer was read from, or written to: the time and size of its file then.
---@type table<integer, string>
local stamps = {}

--- Buffers whose file changed beneath unsaved edits, and that was said.
---@type table<integer, string>
local told = {}

---@param bufnr integer
---@return string?
local function stamp(bufnr)
  local stat = vim.uv.fs_stat(vim.api.nvim_buf_get_name(bufnr))
  return stat and ('%d.%09d %d'):format(stat.mtime.sec, stat.mtime.nsec, stat.size)
end

--- Remember what the buffers hold.
function M.watch()
  local group = vim.api.nvim_create_augroup('baton.buffers', {})
  vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufWritePost', 'FileChangedShellPost' }, {
    group = group,
    desc = 'Baton: know what a buffer was read from',
    callback = function(event)
      stamps[event.buf] = stamp(event.buf)
      told[event.buf] = nil
    end,
  })
  vim.api.nvim_create_autocmd('BufWipeout', {
    group = group,
    callback = function(event)
      stamps[event.buf], told[event.buf] = nil, nil
    end,
  })
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    -- Nothing was changed by agents before there is a server. What something else has changed, Neovim will notice.
    if vim.api.nvim_buf_is_loaded(bufnr) and stamps[bufnr] == nil then
      stamps[bufnr] = stamp(bufnr)
    end
  end
end

--- Typing goes on in the buffer it began in; a reload there waits.
local function is_being_typed_in(bufnr)
  return bufnr == vim.api.nvim_get_current_buf() and vim.api.nvim_get_mode().mode ~= 'n'
end

local function reload(bufnr)
  -- Without 'autoread' Neovim would ask, and the question would take the next key.
  local autoread = vim.bo[bufnr].autoread
  vim.bo[bufnr].autoread = true
  -- The view stays: a file that grew above the cursor is the only reason it may seem to move.
  local ok, fault = pcall(vim.cmd.checktime, { args = { bufnr }, mods = { silent = true } })
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.bo[bufnr].autoread = autoread
  end
  if not ok then
    view.say(('%s cannot be read again: %s'):format(vim.fn.bufname(bufnr), fault), vim.log.levels.WARN)
  end
end

--- The file of a buffer is gone, as after an undo of what made it. Neovim would say so at a moment of its own, and ask
--- for ENTER.
local function expect_gone(bufnr)
  vim.api.nvim_create_autocmd('FileChangedShell', {
    group = vim.api.nvim_create_augroup('baton.gone.' .. bufnr, {}),
    buffer = bufnr,
    desc = 'Baton: it was said that this file is deleted',
    callback = function()
      vim.v.fcs_choice = vim.v.fcs_reason == 'deleted' and '' or 'ask'
    end,
  })
end

---@param root string
---@param lost string[] Files that changed beneath unsaved edits.
---@param gone string[] Files that are deleted.
local function tell(root, lost, gone)
  if #lost > 0 then
    local message = '%s changed on disk; your unsaved edits are kept (:Baton diff shows what agents did)'
    view.say(message:format(table.concat(lost, ', ')), vim.log.levels.WARN, { root = root })
  end
  if #gone > 0 then
    local message = '%s deleted on disk; what was there is still in the buffer'
    view.say(message:format(table.concat(gone, ', ')), vim.log.levels.WARN, { root = root })
  end
end

--- Look at every buffer of a project: reload those whose file changed, and tell of those with unsaved edits.
---@param root string
function M.check(root)
  if not config.get().reload then
    return
  end
  local is_waiting, lost, gone = false, {}, {}
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    local name = vim.api.nvim_buf_get_name(bufnr)
    local is_ours = vim.api.nvim_buf_is_loaded(bufnr)
      and vim.bo[bufnr].buftype == ''
      and name ~= ''
      and project.contains(root, name)
    local now = is_ours and stamp(bufnr)
    if is_ours and not now and stamps[bufnr] then
      stamps[bufnr] = nil
      expect_gone(bufnr)
      gone[#gone + 1] = project.relative(root, name)
    elseif now and now ~= stamps[bufnr] then
      if vim.bo[bufnr].modified then
        if stamps[bufnr] ~= nil and told[bufnr] ~= now then
          told[bufnr] = now
          lost[#lost + 1] = project.relative(root, name)
        end
      elseif is_being_typed_in(bufnr) then
        is_waiting = true
      else
        stamps[bufnr] = now
        reload(bufnr)
      end
    end
  end
  tell(root, lost, gone)
  if is_waiting then
    vim.api.nvim_create_autocmd('ModeChanged', {
      group = vim.api.nvim_create_augroup('baton.buffers.later', {}),
      pattern = '*:n',
      once = true,
      callback = vim.schedule_wrap(function()
        M.check(root)
      end),
    })
  end
end

return M
