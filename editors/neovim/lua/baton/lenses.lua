--- The server's code lenses, in the files that have them: plan.json, plan.md and review.json.

local project = require('baton.project')

local M = {}

local function has_lenses(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  local folder, file = vim.fs.basename(vim.fs.dirname(name)), vim.fs.basename(name)
  local known = vim.list_contains({ 'plan.json', 'plan.md', 'review.json' }, file)
  return known and vim.bo[bufnr].buftype == '' and folder == project.MEMORY
end

--- Ask for the lenses of a buffer again.
---@param bufnr integer
function M.refresh(bufnr)
  if not vim.api.nvim_buf_is_loaded(bufnr) or not has_lenses(bufnr) then
    return
  end
  local clients = vim.lsp.get_clients({ name = 'baton', bufnr = bufnr, method = 'textDocument/codeLens' })
  if #clients == 0 then
    return
  end
  if vim.lsp.codelens.enable then
    vim.lsp.codelens.enable(true, { bufnr = bufnr })
  else
    vim.lsp.codelens.refresh({ bufnr = bufnr })
  end
end

--- The same for all.
function M.refresh_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    M.refresh(bufnr)
  end
end

--- Keep them up to date.
function M.watch()
  local group = vim.api.nvim_create_augroup('baton.lenses', {})
  vim.api.nvim_create_autocmd({ 'LspAttach', 'BufEnter', 'InsertLeave', 'TextChanged', 'FileChangedShellPost' }, {
    group = group,
    desc = 'Baton: show the code lenses of the plan and the review',
    callback = function(event)
      vim.schedule(function()
        M.refresh(event.buf)
      end)
    end,
  })
end

return M
