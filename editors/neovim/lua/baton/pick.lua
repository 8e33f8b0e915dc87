--- Some of a plan's tasks are picked in a float: <Space> picks a task and what it depends on, or leaves it out and what
--- depends on it.

local M = {}

---@param task baton.GateTask
---@return string[]
local function dependencies(task)
  return type(task.depends_on) == 'table' and task.depends_on or {}
end

--- Pick a task, or leave it out, so that every picked one has what it depends on. Dependencies that are not among the
--- tasks are done already.
---@param tasks baton.GateTask[]
---@param picked table<string, boolean>
---@param id string
function M.toggle(tasks, picked, id)
  local by_id = {}
  for _, task in ipairs(tasks) do
    by_id[task.id] = task
  end
  local is_picked = not picked[id]
  local function set(one)
    if by_id[one] and (picked[one] or false) ~= is_picked then
      picked[one] = is_picked
      for _, other in ipairs(tasks) do
        local is_needed = vim.list_contains(dependencies(by_id[one]), other.id)
        local is_above = vim.list_contains(dependencies(other), one)
        if (is_picked and is_needed) or (not is_picked and is_above) then
          set(other.id)
        end
      end
    end
  end
  set(id)
end

---@param tasks baton.GateTask[]
---@param picked table<string, boolean>
---@return string[]
local function lines_of(tasks, picked)
  return vim.tbl_map(function(task)
    local after = dependencies(task)
    local needs = #after > 0 and (' (after %s)'):format(table.concat(after, ', ')) or ''
    local words = ('%s %s%s'):format(task.id, task.title, needs):gsub('%s+', ' ')
    return ('[%s] %s'):format(picked[task.id] and 'x' or ' ', words)
  end, tasks)
end

---@param tasks baton.GateTask[]
---@return vim.api.keyset.win_config
local function placement(tasks)
  local width = math.max(1, math.min(80, vim.o.columns - 4))
  local height = math.max(1, math.min(#tasks, vim.o.lines - vim.o.cmdheight - 6))
  return {
    relative = 'editor',
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.floor((vim.o.columns - width - 2) / 2),
    width = width,
    height = height,
    border = 'rounded',
    title = ' Which tasks? ',
    footer = ' <Space> pick · <CR> go on · q leave ',
    style = 'minimal',
    zindex = 60,
  }
end

--- Ask which tasks are meant; all are picked at first.
---@param root string
---@param tasks baton.GateTask[]
---@param done fun(ids?: string[]) nil when it is left.
function M.ask(root, tasks, done)
  local picked = {}
  for _, task in ipairs(tasks) do
    picked[task.id] = true
  end
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.bo[bufnr].bufhidden, vim.bo[bufnr].filetype = 'wipe', 'baton'
  vim.b[bufnr].baton_root = root
  local function draw()
    vim.bo[bufnr].modifiable = true
    vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines_of(tasks, picked))
    vim.bo[bufnr].modifiable = false
  end
  draw()
  local window = vim.api.nvim_open_win(bufnr, true, placement(tasks))
  local options = vim.wo[window][0]
  options.cursorline, options.wrap = true, false
  local is_over = false
  local function finish(ids)
    if not is_over then
      is_over = true
      if vim.api.nvim_win_is_valid(window) then
        vim.api.nvim_win_close(window, true)
      end
      done(ids)
    end
  end
  local function map(key, act, desc)
    vim.keymap.set('n', key, act, { buffer = bufnr, nowait = true, desc = 'Baton: ' .. desc })
  end
  local function toggle()
    M.toggle(tasks, picked, tasks[vim.api.nvim_win_get_cursor(window)[1]].id)
    draw()
  end
  map('<Space>', toggle, 'pick this task or leave it out')
  map('x', toggle, 'pick this task or leave it out')
  map('<CR>', function()
    local ids = {}
    for _, task in ipairs(tasks) do
      ids[#ids + 1] = picked[task.id] and task.id or nil
    end
    finish(#ids > 0 and ids or nil)
  end, 'go on with these tasks')
  map('q', finish, 'leave it')
  map('<Esc>', finish, 'leave it')
  vim.api.nvim_create_autocmd('WinLeave', {
    buffer = bufnr,
    -- A window cannot be closed while it is being left.
    callback = vim.schedule_wrap(function()
      finish()
    end),
  })
end

return M
