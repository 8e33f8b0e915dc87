--- Documents of the server's that are no files: `baton:/before/…`, a file as it was before agents changed it, and
--- `baton:/log/…`, the conversations of a run. They are for reading.

local baton = require('baton.client')
local view = require('baton.view')

local M = {}

--- How often a log is read again while its run is at work, in milliseconds.
local PAUSE = 1000

---@param text string
---@return string[]
local function lines_of(text)
  return vim.split(text:gsub('\r\n', '\n'):gsub('\n$', ''), '\n', { plain = true })
end

--- Write the text of a document; a cursor on the last line stays on the last one.
---@param bufnr integer
---@param lines string[]
local function write(bufnr, lines)
  local before = vim.api.nvim_buf_line_count(bufnr)
  local following = vim.tbl_filter(function(window)
    return before > 1 and vim.api.nvim_win_get_cursor(window)[1] == before
  end, vim.fn.win_findbuf(bufnr))
  view.write(bufnr, lines)
  for _, window in ipairs(following) do
    vim.api.nvim_win_set_cursor(window, { #lines, 0 })
  end
end

--- The file whose text a document holds; for its filetype.
---@param uri string
---@return string
local function file_of(uri)
  local path = uri:match('^baton:/before/[^/]+/(.*)$') or uri:match('^baton:/(.*)$') or uri
  return vim.uri_decode(path)
end

--- The server that is asked: the buffer's project's, else that of what is done here.
---@param bufnr integer
---@return vim.lsp.Client?
local function server_of(bufnr)
  local root = vim.b[bufnr].baton_root
  return root and baton.of(root) or baton.here() or vim.lsp.get_clients({ name = 'baton' })[1]
end

---@param bufnr integer
---@param done? fun()
local function load(bufnr, done)
  local uri = vim.api.nvim_buf_get_name(bufnr)
  local client = server_of(bufnr)
  if not client then
    return view.fail('no server runs that has this document; open a file of its project first')
  end
  client:request('workspace/textDocumentContent', { uri = uri }, function(fault, result)
    if not vim.api.nvim_buf_is_loaded(bufnr) then
      return
    elseif fault or type(result) ~= 'table' or type(result.text) ~= 'string' then
      local said = fault and require('baton.words').here(fault.message) or 'this server has no such documents'
      return view.fail(said, client.root_dir)
    end
    vim.b[bufnr].baton_root = client.root_dir
    write(bufnr, lines_of(result.text))
    if done then
      done()
    end
  end, bufnr)
end

--- `BufReadCmd`: a document is opened, by whatever command.
---@param event { buf: integer }
function M.read(event)
  local bufnr = event.buf
  local options = vim.bo[bufnr]
  options.buftype, options.swapfile, options.modifiable = 'nofile', false, false
  local filetype = vim.filetype.match({ filename = file_of(vim.api.nvim_buf_get_name(bufnr)) })
  if filetype and options.filetype ~= filetype then
    options.filetype = filetype
  end
  vim.keymap.set('n', 'q', view.close, { buffer = bufnr, nowait = true, desc = 'Baton: close' })
  load(bufnr)
end

--- The buffer of a document, whose text comes as soon as the server has answered.
---@param client vim.lsp.Client
---@param uri string
---@return integer
function M.buffer(client, uri)
  local bufnr = vim.fn.bufadd(uri)
  vim.b[bufnr].baton_root = client.root_dir
  if vim.api.nvim_buf_is_loaded(bufnr) then
    load(bufnr)
  else
    vim.fn.bufload(bufnr)
  end
  return bufnr
end

--- `:Baton log [run]`: the conversations of a run, the last one's unless another is named.
---@param run? string
---@param mods string
---@param of? vim.lsp.Client
function M.open_log(run, mods, of)
  baton.call('baton.log', { run = run }, function(result, client)
    if type(result) ~= 'table' or type(result.uri) ~= 'string' then
      return view.say('nothing has been run here yet', nil, { root = client.root_dir })
    end
    local bufnr = M.buffer(client, result.uri)
    if type(result.markdown) == 'string' then
      write(bufnr, lines_of(result.markdown))
    end
    local window = vim.fn.win_findbuf(bufnr)[1]
    if window and vim.api.nvim_win_get_tabpage(window) == vim.api.nvim_get_current_tabpage() then
      vim.api.nvim_set_current_win(window)
    else
      vim.cmd(('%s sbuffer %d'):format(mods ~= '' and mods or 'botright', bufnr))
      view.plain_window(vim.api.nvim_get_current_win())
    end
    vim.bo[bufnr].filetype = 'markdown'
    -- The end is what is going on.
    local runs = require('baton.session').of(client.root_dir).run ~= nil
    vim.api.nvim_win_set_cursor(0, { runs and vim.api.nvim_buf_line_count(bufnr) or 1, 0 })
  end, of)
end

---@type table<string, boolean>
local is_waiting = {}

--- Something happened in a project: read the log that is on the screen again, if it is of the run at work.
---@param root string
---@param run string
function M.follow(root, run)
  if is_waiting[root] then
    return
  end
  local bufnr = vim.iter(vim.api.nvim_list_bufs()):find(function(other)
    local name = vim.api.nvim_buf_get_name(other)
    return name == ('baton:/log/%s.md'):format(run) and #vim.fn.win_findbuf(other) > 0
  end)
  if not bufnr then
    return
  end
  is_waiting[root] = true
  vim.defer_fn(function()
    is_waiting[root] = nil
    if vim.api.nvim_buf_is_loaded(bufnr) and baton.of(root) then
      load(bufnr)
    end
  end, PAUSE)
end

return M
