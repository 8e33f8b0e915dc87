--- Which folder a file belongs to.

local M = {}

M.MEMORY = '.agent_memory'

--- The nearest folder from here upwards that has a repository or a memory folder.
---@param folder string
---@return string?
function M.root_above(folder)
  local found = vim.fs.find({ '.git', M.MEMORY }, { path = folder, upward = true, limit = 1 })[1]
  return found and vim.fs.dirname(found)
end

--- The root of a buffer's file. Buffers that are no files have none, and neither have git's own, such as a commit
--- message.
---@param bufnr integer
---@return string?
function M.root_of(bufnr)
  if vim.bo[bufnr].buftype ~= '' then
    return vim.b[bufnr].baton_root
  end
  local name = vim.api.nvim_buf_get_name(bufnr)
  if name == '' or name:find('^%a[%w+.-]+://') then
    return nil
  end
  local folder = vim.fs.dirname(vim.fs.normalize(name))
  if (folder .. '/'):find('/.git/', 1, true) then
    return nil
  end
  return M.root_above(folder)
end

--- The root for what is done here: of the current file, else of the current folder.
---@return string?
function M.here()
  return M.root_of(vim.api.nvim_get_current_buf()) or M.root_above(vim.fn.getcwd())
end

--- The name of a project among others: its folder's, with the one above where two are called the same.
---@param root string
---@param others string[]
---@return string
function M.name(root, others)
  local name = vim.fs.basename(root)
  for _, other in ipairs(others) do
    if other ~= root and vim.fs.basename(other) == name then
      return vim.fs.basename(vim.fs.dirname(root)) .. '/' .. name
    end
  end
  return name
end

--- A file's name below a root, else its whole name.
---@param root string
---@param file string
---@return string
function M.relative(root, file)
  return vim.fs.relpath(root, file) or file
end

--- Whether a file stands below a root.
---@param root string
---@param file string
---@return boolean
function M.contains(root, file)
  return vim.startswith(file, root == '/' and root or root .. '/')
end

--- The ids of the plan's tasks, for completion.
---@param root string?
---@return string[]
function M.task_ids(root)
  local file = root and io.open(vim.fs.joinpath(root, M.MEMORY, 'plan.json'))
  if not file then
    return {}
  end
  local ok, plan = pcall(vim.json.decode, file:read('*a'))
  file:close()
  local ids = {}
  for _, task in ipairs(ok and type(plan) == 'table' and type(plan.tasks) == 'table' and plan.tasks or {}) do
    if type(task) == 'table' and type(task.id) == 'string' then
      ids[#ids + 1] = task.id
    end
  end
  return ids
end

return M
