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
---@param file baton.ChangedFile
---@param mods string
local function side_by_side(client, file, mods)
  vim.cmd.drop(vim.fn.fnameescape(vim.fs.joinpath(client.root_dir, file.path)))
  vim.cmd.diffthis()
  local filetype = vim.bo.filetype
  local bufnr
  if type(file.before_uri) == 'string' then
    bufnr = require('baton.documents').buffer(client, file.before_uri)
  else
    -- An older server, or a file that has no such document.
    local text = type(file.before) == 'string' and file.before or ''
    local before = vim.split(text:gsub('\r\n', '\n'):gsub('\n$', ''), '\n', { plain = true })
    bufnr = view.buffer('before/' .. file.path, before, { filetype = filetype, root = client.root_dir })
  end
  vim.cmd(('%s sbuffer %d'):format(mods ~= '' and mods or 'leftabove vertical', bufnr))
  vim.cmd.diffthis()
  vim.cmd.wincmd('p')
end

--- `:Baton diff [task|file]`.
---@param words string[]
---@param mods string
---@param of? vim.lsp.Client Of another project than the one at hand.
function M.open(words, mods, of)
  local is_task, name = what(words[1])
  baton.call('baton.diff', { task = is_task and name or nil }, function(result, client)
    if name and not is_task then
      local file = vim.iter(result and result.files or {}):find(function(changed)
        return changed.path == name
      end)
      if not file then
        return view.say(('agents did not change %s'):format(name), nil, { root = client.root_dir })
      end
      return side_by_side(client, file, mods)
    end
    local text = result and result.diff or ''
    if vim.trim(text) == '' then
      return view.say('agents changed nothing', nil, { root = client.root_dir })
    end
    local bufnr =
      view.open('diff', view.lines(text), { filetype = 'diff', mods = mods, root = client.root_dir, cursor = 1 })
    vim.keymap.set('n', '<CR>', jump, { buffer = bufnr, desc = 'Baton: go to this line in its file' })
  end, of)
end

local WOULD = {
  restored = 'restore',
  deleted = 'delete',
  merged = 'merge',
  in_part = 'undo part of',
  left_alone = 'leave alone',
}

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

---@param client vim.lsp.Client
---@param arguments table
local function roll_back(client, arguments)
  arguments.dryRun = nil
  baton.execute(client, 'baton.rollback', arguments, function(result)
    require('baton.buffers').check(client.root_dir)
    require('baton.hunks').refresh(client)
    local left = vim.tbl_filter(function(file)
      return file.outcome == 'left_alone'
    end, result.files)
    local level = #left > 0 and vim.log.levels.WARN or nil
    view.say(require('baton.words').here(result.message), level, { root = client.root_dir })
    for _, file in ipairs(result.files) do
      require('baton.log').add(('%s: %s. %s'):format(file.path, file.outcome, file.message or ''))
    end
  end)
end

local function paths_of(result)
  return vim.tbl_map(function(file)
    return file.path
  end, result.files)
end

---@param client vim.lsp.Client
---@param arguments table
---@param result table What a look at it told.
local function ask(client, arguments, result)
  local unsaved = require('baton.unsaved')
  local root = client.root_dir
  local verb = arguments.undo and 'Redo' or 'Undo'
  local prompt = ('%s what agents did? It would %s.'):format(verb, summary(result))
  local changed = unsaved.of(root, paths_of(result))
  local go = verb
  if #changed > 0 then
    -- Files are merged as they stand on the disk.
    go = 'Save All and ' .. verb
    prompt = ('%s Not saved: %s.'):format(prompt, unsaved.names(root, changed))
  end
  vim.cmd.redraw()
  vim.ui.select({ go, 'Leave everything as it is' }, {
    prompt = require('baton.session').labelled(root, prompt .. ' '),
    kind = 'baton_undo',
  }, function(choice)
    if choice == go and unsaved.save(unsaved.of(root, paths_of(result))) then
      roll_back(client, arguments)
    end
  end)
end

--- `:Baton undo [task|file]`: tell what would be undone, and ask. With a bang it is not asked, unless a file has to be
--- saved first.
---@param words string[]
---@param is_sure boolean
---@param arguments? table
---@param of? vim.lsp.Client Of another project than the one at hand.
function M.undo(words, is_sure, arguments, of)
  local function on(client)
    arguments = arguments or {}
    local is_task, name = what(words[1])
    if name then
      arguments[is_task and 'task' or 'file'] = name
    end
    local look = vim.tbl_extend('force', arguments, { dryRun = true })
    baton.execute(client, 'baton.rollback', look, function(result)
      if #result.files == 0 then
        view.say(require('baton.words').here(result.message), nil, { root = client.root_dir })
      elseif is_sure and #require('baton.unsaved').of(client.root_dir, paths_of(result)) == 0 then
        roll_back(client, arguments)
      else
        ask(client, arguments, result)
      end
    end)
  end
  if of then
    on(of)
  else
    baton.with(on)
  end
end

--- Take back single changes of agents in the current file: those on these lines, or the one under the cursor. What is
--- kept is passed over where others stand beside it.
---@param selection? { first: integer, last: integer }
---@return boolean is_done Whether there were any.
function M.undo_hunks(selection)
  local hunks = require('baton.hunks')
  local here = hunks.on(selection)
  local open = vim.tbl_filter(function(hunk)
    return not hunk.kept
  end, here)
  here = #open > 0 and open or here
  if #here == 0 then
    return false
  end
  local root = require('baton.project').here()
  local client = root and baton.of(root)
  if not client then
    return false
  end
  local path = require('baton.project').relative(root, vim.fs.normalize(vim.api.nvim_buf_get_name(0)))
  -- `:Baton redo` brings it back, so that only files with unsaved changes are asked about.
  M.undo({}, true, { file = path, hunk = hunks.ids(here) }, client)
  return true
end

--- `:Baton undo` on a change of an agent: what is meant?
---@param hunks baton.PlacedHunk[]
function M.ask_what_to_undo(hunks)
  local task = hunks[1].task
  local choices = {
    {
      title = ('This Change (%s)'):format(task),
      act = function()
        M.undo_hunks()
      end,
    },
    {
      title = 'All of This File',
      act = function()
        M.undo({ '%' }, false)
      end,
    },
    {
      title = ('All of %s'):format(task),
      act = function()
        M.undo({ task }, false)
      end,
    },
    {
      title = 'All That Agents Did',
      act = function()
        M.undo({}, false)
      end,
    },
  }
  vim.ui.select(choices, {
    prompt = 'Undo what? ',
    kind = 'baton_undo_what',
    format_item = function(choice)
      return choice.title
    end,
  }, function(choice)
    if choice then
      -- Pickers close their windows after they have called back.
      vim.schedule(choice.act)
    end
  end)
end

--- `:Baton redo`: take the last undo back.
---@param is_sure boolean
---@param of? vim.lsp.Client
function M.redo(is_sure, of)
  M.undo({}, is_sure, { undo = true }, of)
end

return M
