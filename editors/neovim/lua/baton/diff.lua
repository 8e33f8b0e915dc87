--- What agents changed, and taking it back.

local baton = require('baton.client')
local view = require('baton.view')

local M = {}

--- Whether a word is a task or a file, and its name: a file's is the one below the root.
---@param word? string
---@return boolean is_task
---@return string? name
local function what(word)
  local project = require('baton.project')
  local root = project.here()
  if not word or not root or vim.list_contains(project.task_ids(root), word) then
    return word ~= nil, word
  end
  local path = vim.fs.normalize(vim.fn.fnamemodify(vim.fn.expand(word), ':p'))
  return false, project.relative(root, path)
end

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

--- A file beside what it was before the workflow began.
---@param client vim.lsp.Client
---@param file { path: string, before?: string }
---@param mods string
local function side_by_side(client, file, mods)
  vim.cmd.drop(vim.fn.fnameescape(vim.fs.joinpath(client.root_dir, file.path)))
  vim.cmd.diffthis()
  local filetype = vim.bo.filetype
  local before = vim.split((file.before or ''):gsub('\r\n', '\n'):gsub('\n$', ''), '\n', { plain = true })
  local bufnr = view.buffer('before/' .. file.path, before, { filetype = filetype, root = client.root_dir })
  vim.cmd(('%s sbuffer %d'):format(mods ~= '' and mods or 'leftabove vertical', bufnr))
  vim.cmd.diffthis()
  vim.cmd.wincmd('p')
end

--- `:Baton diff [task|file]`.
---@param words string[]
---@param mods string
function M.open(words, mods)
  local is_task, name = what(words[1])
  baton.call('baton.diff', { task = is_task and name or nil }, function(result, client)
    if name and not is_task then
      local file = vim.iter(result and result.files or {}):find(function(changed)
        return changed.path == name
      end)
      if not file then
        return view.say(('agents did not change %s'):format(name))
      end
      return side_by_side(client, file, mods)
    end
    local text = result and result.diff or ''
    if vim.trim(text) == '' then
      return view.say('agents changed nothing')
    end
    local bufnr =
      view.open('diff', view.lines(text), { filetype = 'diff', mods = mods, root = client.root_dir, cursor = 1 })
    vim.keymap.set('n', '<CR>', jump, { buffer = bufnr, desc = 'Baton: go to this line in its file' })
  end)
end

local WOULD = { restored = 'restore', deleted = 'delete', merged = 'merge', left_alone = 'leave alone' }

--- What a rollback would do, in a line.
---@param result { files: { path: string, outcome: string, message: string }[], message: string }
---@return string
local function summary(result)
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
      return ('%s %s'):format(WOULD[outcome] or outcome:gsub('_', ' '), table.concat(outcomes[outcome], ', '))
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
    local is_task, name = what(words[1])
    if name then
      arguments[is_task and 'task' or 'file'] = name
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
        prompt = ('%s what agents did? It would %s.'):format(verb, summary(result)),
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
