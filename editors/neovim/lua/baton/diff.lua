--- What agents changed, and taking it back.

local baton = require('baton.client')
local view = require('baton.view')

local M = {}

--- Go to the line of the file that a line of the diff shows.
local function jump()
  local row = vim.api.nvim_win_get_cursor(0)[1]
  local lines = vim.api.nvim_buf_get_lines(0, 0, row, true)
  local file, line, offset
  for n = #lines, 1, -1 do
    local start = lines[n]:match('^@@ %-%d+,?%d* %+(%d+)')
    if start and not line then
      line, offset = tonumber(start), 0
      for k = n + 1, #lines - 1 do
        offset = offset + (lines[k]:find('^%-') and 0 or 1)
      end
    end
    file = lines[n]:match('^%+%+%+ b/(.*)$') or lines[n]:match('^%+%+%+ ([^/].*)$')
    if file then
      break
    end
  end
  local root = vim.b.baton_root
  if not file or not root then
    return view.say('this line is of no file')
  end
  local path = vim.fs.joinpath(root, (file:gsub('\t.*$', '')))
  if not vim.uv.fs_stat(path) then
    return view.say(file .. ' was deleted')
  end
  vim.cmd.wincmd('p')
  vim.cmd.edit(vim.fn.fnameescape(path))
  if line then
    vim.api.nvim_win_set_cursor(0, { math.max(1, math.min(line + offset, vim.api.nvim_buf_line_count(0))), 0 })
  end
end

--- `:Baton diff [task]`.
---@param words string[]
---@param mods string
function M.open(words, mods)
  baton.call('baton.diff', { task = words[1] }, function(result, client)
    local text = result and result.diff or ''
    if vim.trim(text) == '' then
      return view.say('agents changed nothing')
    end
    local bufnr =
      view.open('diff', view.lines(text), { filetype = 'diff', mods = mods, root = client.root_dir, cursor = 1 })
    vim.keymap.set('n', '<CR>', jump, { buffer = bufnr, desc = 'Baton: go to this line in its file' })
  end)
end

--- What a rollback would do, or did, in a line.
---@param result { files: { path: string, outcome: string, message: string }[], message: string }
---@return string
local function summary(result)
  if #result.files == 0 then
    return result.message
  end
  local outcomes, order = {}, {}
  for _, file in ipairs(result.files) do
    if not outcomes[file.outcome] then
      outcomes[file.outcome] = {}
      table.insert(order, file.outcome)
    end
    table.insert(outcomes[file.outcome], file.path)
  end
  return table.concat(
    vim.tbl_map(function(outcome)
      return ('%s: %s'):format((outcome:gsub('_', ' ')), table.concat(outcomes[outcome], ', '))
    end, order),
    '; '
  )
end

local function roll_back(client, arguments)
  arguments.dryRun = nil
  baton.execute(client, 'baton.rollback', arguments, function(result)
    require('baton.buffers').check(client.root_dir)
    view.say(result.message)
    for _, file in ipairs(result.files) do
      require('baton.log').add(('%s: %s. %s'):format(file.path, file.outcome, file.message or ''))
    end
  end)
end

--- `:Baton undo [task|file]`: tell what would be undone, and ask. With a bang it is not asked.
---@param words string[]
---@param is_sure boolean
---@param arguments? table
function M.undo(words, is_sure, arguments)
  baton.with(function(client)
    arguments = arguments or {}
    if words[1] then
      local is_task = vim.list_contains(require('baton.project').task_ids(client.root_dir), words[1])
      local path = vim.fs.normalize(vim.fn.fnamemodify(words[1], ':p'))
      arguments[is_task and 'task' or 'file'] = is_task and words[1]
        or require('baton.project').relative(client.root_dir, path)
    end
    if is_sure then
      return roll_back(client, arguments)
    end
    local look = vim.tbl_extend('force', arguments, { dryRun = true })
    baton.execute(client, 'baton.rollback', look, function(result)
      if #result.files == 0 then
        return view.say(result.message)
      end
      local verb = arguments.undo and 'Redo' or 'Undo'
      vim.ui.select({ verb, 'Leave everything as it is' }, {
        prompt = ('%s what agents did? %s'):format(verb, summary(result)),
        kind = 'baton_undo',
      }, function(choice)
        if choice == verb then
          roll_back(client, arguments)
        end
      end)
    end)
  end)
end

--- `:Baton redo`: take the last undo back.
---@param is_sure boolean
function M.redo(is_sure)
  M.undo({}, is_sure, { undo = true })
end

return M
