--- What agents changed, change by change: marked in its file, kept, undone, and traced to its task. Which changes there
--- are the server says; the marks move with edits.

local baton = require('baton.client')
local project = require('baton.project')
local view = require('baton.view')

local M = {}

local marks = vim.api.nvim_create_namespace('baton.hunks')

--- How long it is waited for more events before the changes are asked for, in milliseconds.
local PAUSE = 300

---@class baton.Hunk
---@field id string
---@field task? string None for what the user changed.
---@field first integer From 1, of the file as it stands on the disk,
---@field last integer and included.
---@field kept boolean

---@class baton.PlacedHunk: baton.Hunk
---@field first integer Where it stands in the buffer now, from 1.
---@field last integer

---@class baton.ChangedFile
---@field path string
---@field hunks? baton.Hunk[]
---@field before? string
---@field before_uri? string

--- The changes of each file, by root and path.
---@type table<string, table<string, baton.Hunk[]>>
local known = {}

--- The hunk of each mark, by buffer.
---@type table<integer, table<integer, baton.Hunk>>
local marked = {}

local function is_none(value)
  return value == nil or value == vim.NIL
end

--- Whether a server tells of changes one by one.
---@param client vim.lsp.Client
---@return boolean
function M.has(client)
  local provider = client.server_capabilities and client.server_capabilities.executeCommandProvider
  return vim.list_contains(provider and provider.commands or {}, 'baton.keep')
end

---@param bufnr integer
---@return string? root
---@return string? path
local function file_of(bufnr)
  if vim.bo[bufnr].buftype ~= '' then
    return nil
  end
  local name = vim.fs.normalize(vim.api.nvim_buf_get_name(bufnr))
  for root in pairs(known) do
    if name ~= '' and project.contains(root, name) then
      return root, project.relative(root, name)
    end
  end
end

--- Mark the changes of a buffer, unless they are marked already.
---@param bufnr integer
function M.draw(bufnr)
  local root, path = file_of(bufnr)
  vim.api.nvim_buf_clear_namespace(bufnr, marks, 0, -1)
  marked[bufnr] = nil
  if not root or not vim.api.nvim_buf_is_loaded(bufnr) then
    return
  end
  local is_shown = require('baton.config').get().hunks
  local lines = vim.api.nvim_buf_line_count(bufnr)
  marked[bufnr] = {}
  for _, hunk in ipairs(known[root][path] or {}) do
    if not is_none(hunk.task) and hunk.first <= lines then
      local last = math.max(hunk.first, math.min(hunk.last, lines))
      local words = not hunk.kept and is_shown and { { '▎' .. hunk.task, 'BatonHunk' } } or nil
      local id = vim.api.nvim_buf_set_extmark(bufnr, marks, hunk.first - 1, 0, {
        end_row = last - 1,
        virt_text = words,
        virt_text_pos = words and 'eol' or nil,
        hl_mode = words and 'combine' or nil,
      })
      marked[bufnr][id] = hunk
    end
  end
end

local function draw_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) and vim.bo[bufnr].buftype == '' then
      M.draw(bufnr)
    end
  end
end

---@param root string
---@param files baton.ChangedFile[]
local function know(root, files)
  known[root] = {}
  for _, file in ipairs(files) do
    known[root][file.path] = file.hunks
  end
  draw_all()
end

---@type table<integer, boolean>
local is_waiting = {}

--- Ask which changes there are, soon.
---@param client vim.lsp.Client
function M.refresh(client)
  if is_waiting[client.id] or not client.initialized or not M.has(client) then
    return
  end
  is_waiting[client.id] = true
  vim.defer_fn(function()
    is_waiting[client.id] = nil
    if client:is_stopped() then
      return
    end
    local arguments = { { folder = vim.uri_from_fname(client.root_dir) } }
    client:request('workspace/executeCommand', { command = 'baton.diff', arguments = arguments }, function(_, result)
      -- Nobody asked for this one: a fault leaves what was known.
      if type(result) == 'table' and type(result.files) == 'table' then
        know(client.root_dir, result.files)
      end
    end)
  end, PAUSE)
end

--- Keep the marks up to date.
---@param client vim.lsp.Client
function M.watch(client)
  if not M.has(client) then
    return
  end
  vim.api.nvim_set_hl(0, 'BatonHunk', { link = 'Comment', default = true })
  local group = vim.api.nvim_create_augroup('baton.hunks', {})
  vim.api.nvim_create_autocmd({ 'BufReadPost', 'FileChangedShellPost' }, {
    group = group,
    desc = 'Baton: mark what agents changed',
    callback = function(event)
      M.draw(event.buf)
    end,
  })
  vim.api.nvim_create_autocmd('BufWritePost', {
    group = group,
    desc = 'Baton: changes may stand on other lines now',
    callback = function(event)
      local root, path = file_of(event.buf)
      local server = root and known[root][path] and baton.of(root)
      if server then
        M.refresh(server)
      end
    end,
  })
  vim.api.nvim_create_autocmd('BufWipeout', {
    group = group,
    callback = function(event)
      marked[event.buf] = nil
    end,
  })
  M.refresh(client)
end

--- The changes of a buffer where they stand now, in the order of their lines.
---@param bufnr? integer The current one.
---@return baton.PlacedHunk[]
function M.of(bufnr)
  bufnr = bufnr or vim.api.nvim_get_current_buf()
  local placed = {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(bufnr, marks, 0, -1, { details = true })) do
    local hunk = (marked[bufnr] or {})[mark[1]]
    if hunk then
      local first, last = mark[2] + 1, math.max(mark[2], mark[4].end_row or mark[2]) + 1
      placed[#placed + 1] = vim.tbl_extend('force', hunk, { first = first, last = last })
    end
  end
  return placed
end

--- Those on some lines, of the current buffer; under the cursor where none are named.
---@param selection? { first: integer, last: integer }
---@return baton.PlacedHunk[]
function M.on(selection)
  local row = vim.api.nvim_win_get_cursor(0)[1]
  local first, last = selection and selection.first or row, selection and selection.last or row
  return vim.tbl_filter(function(hunk)
    return hunk.first <= last and first <= hunk.last
  end, M.of())
end

local function ids_of(hunks)
  return vim.tbl_map(function(hunk)
    return hunk.id
  end, hunks)
end

--- What the server takes: one id, or a list of several.
---@param hunks baton.Hunk[]
---@return string|string[]
function M.ids(hunks)
  local ids = ids_of(hunks)
  return #ids == 1 and ids[1] or ids
end

--- `:Baton keep`: the change under the cursor, those of a range, or all of the file.
---@param selection? { first: integer, last: integer }
---@param is_whole boolean
function M.keep(selection, is_whole)
  local bufnr = vim.api.nvim_get_current_buf()
  baton.with(function(client)
    local path = project.relative(client.root_dir, vim.fs.normalize(vim.api.nvim_buf_get_name(bufnr)))
    local arguments = { file = path }
    if not is_whole then
      local open = vim.tbl_filter(function(hunk)
        return not hunk.kept
      end, M.on(selection))
      if M.has(client) and #open == 0 then
        local words = #M.on(selection) > 0 and 'this is kept already' or 'no change of an agent stands here'
        return view.say(words, nil, { root = client.root_dir })
      end
      arguments.hunk = M.ids(open)
    end
    baton.execute(client, 'baton.keep', arguments, function(result)
      M.refresh(client)
      local message = result and type(result.message) == 'string' and result.message or 'kept'
      view.say(require('baton.words').here(message), nil, { root = client.root_dir })
    end)
  end)
end

--- `:Baton why`: the task that the change under the cursor belongs to, in the plan.
function M.why()
  local hunk = M.on()[1]
  if not hunk then
    return view.say('no change of an agent stands here')
  end
  baton.call('baton.openTask', { task = hunk.task })
end

---@param is_forward boolean
local function go(is_forward)
  local row = vim.api.nvim_win_get_cursor(0)[1]
  local open = vim.tbl_filter(function(hunk)
    return not hunk.kept
  end, M.of())
  if #open == 0 then
    return view.say('no change of an agent stands in this file')
  end
  local count = vim.v.count1
  local at
  if is_forward then
    local later = vim.tbl_filter(function(hunk)
      return hunk.first > row
    end, open)
    at = later[math.min(count, #later)] or open[1]
  else
    local earlier = vim.tbl_filter(function(hunk)
      return hunk.first < row
    end, open)
    at = earlier[math.max(#earlier - count + 1, 1)] or open[#open]
  end
  -- A jump: CTRL-O comes back.
  vim.cmd("normal! m'")
  vim.api.nvim_win_set_cursor(0, { math.min(at.first, vim.api.nvim_buf_line_count(0)), 0 })
end

--- Go to the next change that is not kept yet; from the last one to the first.
function M.next()
  go(true)
end

--- Go to the one before; from the first to the last.
function M.previous()
  go(false)
end

--- What the server knew of a project is gone with it.
---@param root string
function M.forget(root)
  known[root] = nil
  draw_all()
end

return M
