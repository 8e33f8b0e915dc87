--- Files with changes that are not saved.

local project = require('baton.project')
local view = require('baton.view')

local M = {}

--- The buffers of a project that have such changes; only of these files, if some are named.
---@param root string
---@param paths? string[] below the root
---@return integer[]
function M.of(root, paths)
  return vim.tbl_filter(function(bufnr)
    local name = vim.api.nvim_buf_get_name(bufnr)
    return vim.api.nvim_buf_is_loaded(bufnr)
      and vim.bo[bufnr].modified
      and vim.bo[bufnr].buftype == ''
      and project.contains(root, name)
      and (not paths or vim.list_contains(paths, project.relative(root, name)))
  end, vim.api.nvim_list_bufs())
end

--- The buffer of this file, where it has such changes.
---@param path string
---@return integer?
function M.of_file(path)
  local bufnr = vim.fn.bufnr(vim.fn.fnameescape(path))
  local is_changed = bufnr > 0 and vim.api.nvim_buf_is_loaded(bufnr) and vim.bo[bufnr].modified
  return is_changed and bufnr or nil
end

--- Their names, as they are said.
---@param root string
---@param buffers integer[]
---@return string
function M.names(root, buffers)
  return table.concat(
    vim.tbl_map(function(bufnr)
      return project.relative(root, vim.api.nvim_buf_get_name(bufnr))
    end, buffers),
    ', '
  )
end

--- Save them. What cannot be saved is said.
---@param buffers integer[]
---@return boolean ok
function M.save(buffers)
  for _, bufnr in ipairs(buffers) do
    local ok, fault = pcall(vim.api.nvim_buf_call, bufnr, function()
      vim.cmd('silent update')
    end)
    if not ok or vim.bo[bufnr].modified then
      view.fail(('%s cannot be saved: %s'):format(vim.fn.bufname(bufnr), tostring(fault):gsub('^.*Vim[^:]*:', '')))
      return false
    end
  end
  return true
end

--- Throw the changes of one away; `u` brings them back.
---@param bufnr integer
function M.discard(bufnr)
  vim.api.nvim_buf_call(bufnr, function()
    vim.cmd('silent edit!')
  end)
end

return M
