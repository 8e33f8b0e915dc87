--- What the user is shown: messages, and buffers that are no files.

local M = {}

local HIGHLIGHTS = { [vim.log.levels.ERROR] = 'ErrorMsg', [vim.log.levels.WARN] = 'WarningMsg' }

--- Whether `vim.notify` is Neovim's own, which writes to the command line.
local function notifies_in_the_command_line()
  return debug.getinfo(vim.notify, 'S').source:find('vim/_editor.lua', 1, true) ~= nil
end

local function one_line(text)
  return vim.trim((text:gsub('%s+', ' ')))
end

--- Whether a line fits the command line. One that does not would stop whoever types at "Press ENTER".
local function fits(text)
  return vim.fn.strdisplaywidth(text) <= math.max(vim.v.echospace, 1)
end

--- As many whole words as fit, for what is only passing.
local function shortened(text)
  while not fits(text) and text:find(' ') do
    text = text:gsub('%s+%S*$', '')
  end
  return fits(text) and text or ''
end

---@class baton.Saying
---@field passing? boolean What the next message may replace, and no history keeps.
---@field root? string The project it is about; it is named where there are several.
---@field still_true? fun(): boolean Whether it is; what is no longer true is not left on the screen.

--- Say something: in the command line where it fits, else in a note in the corner.
---@param message string
---@param level? integer of `vim.log.levels`
---@param opts? baton.Saying
function M.say(message, level, opts)
  opts = opts or {}
  level = level or vim.log.levels.INFO
  message = message:gsub('^Baton: ', '')
  local label = opts.root and require('baton.session').label(opts.root)
  if not opts.passing then
    require('baton.log').add(label and label .. ': ' .. message or message)
  end
  if not notifies_in_the_command_line() then
    if not opts.passing then
      vim.notify(label and label .. ': ' .. message or message, level, { title = 'Baton' })
    end
    return
  end
  local mode = vim.api.nvim_get_mode().mode
  if mode:find('^c') then
    -- The line that is being typed stands where the message would.
    if not opts.passing then
      vim.api.nvim_create_autocmd('CmdlineLeave', {
        once = true,
        callback = vim.schedule_wrap(function()
          M.say(message, level, opts)
        end),
      })
    end
    return
  end
  local text = one_line(('Baton%s: %s'):format(label and ' (' .. label .. ')' or '', message))
  -- Two messages without a redraw between them would scroll, and ask for ENTER.
  vim.cmd.redraw()
  if fits(text) or opts.passing then
    vim.api.nvim_echo({ { shortened(text), HIGHLIGHTS[level] } }, not opts.passing, {})
  else
    vim.api.nvim_echo({ { '' } }, false, {})
    require('baton.note').show(text, { highlight = HIGHLIGHTS[level], still_true = opts.still_true })
  end
end

local has_focus = true
vim.api.nvim_create_autocmd({ 'FocusGained', 'FocusLost' }, {
  group = vim.api.nvim_create_augroup('baton.focus', {}),
  desc = 'Baton: whether anyone looks',
  callback = function(event)
    has_focus = event.event == 'FocusGained'
  end,
})

--- Whether the user looks at the page of this project, which tells all of it as it happens.
---@param root? string
---@return boolean
local function is_looked_at(root)
  local bufnr = vim.api.nvim_get_current_buf()
  local is_page = vim.api.nvim_buf_get_name(bufnr) == 'baton://status' and vim.b[bufnr].baton_root == root
  return root ~= nil and has_focus and is_page
end

--- Say what waits for the user. Whoever types would miss it, since the mode is shown where messages are: they see it in
--- the corner, and are told when they are done. Whoever looks at the page of the project sees it there.
---@param message string
---@param still_true fun(): boolean
---@param root? string The project it is about.
function M.announce(message, still_true, root)
  if is_looked_at(root) then
    return require('baton.log').add(message)
  end
  local opts = { root = root, still_true = still_true }
  M.say(message, vim.log.levels.WARN, opts)
  if vim.api.nvim_get_mode().mode == 'n' or not notifies_in_the_command_line() then
    return
  end
  local label = root and require('baton.session').label(root)
  local text = one_line(('Baton%s: %s'):format(label and ' (' .. label .. ')' or '', message))
  local is_over = false
  require('baton.note').show(text, {
    highlight = HIGHLIGHTS[vim.log.levels.WARN],
    stays = true,
    still_true = function()
      return not is_over and still_true()
    end,
  })
  vim.cmd.redraw()
  vim.api.nvim_create_autocmd('ModeChanged', {
    pattern = '*:n',
    once = true,
    callback = vim.schedule_wrap(function()
      is_over = true
      if still_true() then
        M.say(message, vim.log.levels.WARN, opts)
      end
    end),
  })
end

--- Say what went wrong.
---@param message string
---@param root? string The project it is about.
function M.fail(message, root)
  M.say(message, vim.log.levels.ERROR, { root = root })
end

---@class baton.ViewOptions
---@field filetype? string
---@field mods? string As before a command: `vertical`, `tab` and the like.
---@field root? string The project it is about.
---@field cursor? integer The line the cursor goes to.

--- Close the window of what is only shown.
function M.close()
  -- The last window cannot be closed; its buffer can.
  if not pcall(vim.cmd.close) then
    vim.cmd.bdelete()
  end
end

--- Write only the lines that differ: what stands above and below stays where it is, and so does a cursor there.
---@param bufnr integer
---@param lines string[]
---@return boolean is_new Whether it had another text before.
function M.write(bufnr, lines)
  local before = vim.api.nvim_buf_get_lines(bufnr, 0, -1, true)
  if vim.deep_equal(before, lines) then
    return false
  end
  local shorter = math.min(#before, #lines)
  local first, last = 0, 0
  while first < shorter and before[first + 1] == lines[first + 1] do
    first = first + 1
  end
  while last < shorter - first and before[#before - last] == lines[#lines - last] do
    last = last + 1
  end
  local changed = vim.list_slice(lines, first + 1, #lines - last)
  local options = vim.bo[bufnr]
  options.modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, first, #before - last, true, changed)
  options.modifiable, options.modified = false, false
  return true
end

--- The buffer of this name, with this text.
---@param name string after `baton://`
---@param lines string[]
---@param opts? baton.ViewOptions
---@return integer bufnr
---@return boolean is_new Whether it had another text before.
function M.buffer(name, lines, opts)
  opts = opts or {}
  local bufnr = vim.fn.bufadd('baton://' .. name)
  if not vim.api.nvim_buf_is_loaded(bufnr) then
    vim.fn.bufload(bufnr)
  end
  local options = vim.bo[bufnr]
  options.buftype, options.swapfile, options.bufhidden, options.buflisted = 'nofile', false, 'hide', false
  local is_new = M.write(bufnr, lines)
  if opts.filetype and options.filetype ~= opts.filetype then
    options.filetype = opts.filetype
  end
  vim.b[bufnr].baton_root = opts.root
  vim.keymap.set('n', 'q', M.close, { buffer = bufnr, nowait = true, desc = 'Baton: close' })
  return bufnr, is_new
end

--- Show a buffer of this name and go there.
---@param name string
---@param lines string[]
---@param opts? baton.ViewOptions
---@return integer bufnr
function M.open(name, lines, opts)
  opts = opts or {}
  local bufnr = M.buffer(name, lines, opts)
  local window = vim.fn.win_findbuf(bufnr)[1]
  if window and vim.api.nvim_win_get_tabpage(window) == vim.api.nvim_get_current_tabpage() then
    vim.api.nvim_set_current_win(window)
  else
    local mods = opts.mods ~= '' and opts.mods or 'botright'
    vim.cmd(('%s sbuffer %d'):format(mods, bufnr))
    M.plain_window(vim.api.nvim_get_current_win())
    if not mods:find('vert') and not mods:find('tab') then
      local rows = vim.api.nvim_win_text_height(0, {}).all
      local height = math.max(3, math.min(rows, math.floor(vim.o.lines * 0.6)))
      vim.api.nvim_win_set_height(0, height)
    end
  end
  if opts.cursor then
    vim.api.nvim_win_set_cursor(0, { math.min(opts.cursor, #lines), 0 })
  end
  return bufnr
end

--- The server opens a document by `window/showDocument`. (Neovim's own way fails where the cursor is on no word.)
---@param err? lsp.ResponseError
---@param params lsp.ShowDocumentParams
---@param context lsp.HandlerContext
function M.on_show_document(err, params, context)
  if params.external or not vim.startswith(params.uri, 'file:') then
    return vim.lsp.handlers['window/showDocument'](err, params, context)
  end
  local name = vim.uri_to_fname(params.uri)
  if vim.api.nvim_get_mode().mode ~= 'n' or params.takeFocus == false then
    -- Beside whoever types.
    local bufnr = vim.fn.bufadd(name)
    vim.bo[bufnr].buflisted = true
    if #vim.fn.win_findbuf(bufnr) == 0 then
      vim.api.nvim_open_win(bufnr, false, { split = 'above', win = 0 })
    end
    return { success = true }
  end
  local ok, fault = pcall(vim.cmd.drop, vim.fn.fnameescape(vim.fn.fnamemodify(name, ':.')))
  if ok and params.selection then
    local start = params.selection.start
    local line = math.min(start.line + 1, vim.api.nvim_buf_line_count(0))
    vim.api.nvim_win_set_cursor(0, { line, 0 })
  elseif not ok then
    M.fail(tostring(fault))
  end
  return { success = ok }
end

--- A window for reading.
---@param window integer
function M.plain_window(window)
  local options = vim.wo[window][0]
  options.number, options.relativenumber, options.signcolumn, options.foldcolumn = false, false, 'no', '0'
  options.wrap, options.linebreak, options.breakindent, options.list, options.spell = true, true, true, false, false
  options.foldenable, options.colorcolumn = false, ''
end

--- Text that came from elsewhere, line by line, without control characters.
---@param text string
---@return string[]
function M.lines(text)
  text = text:gsub('\r\n', '\n'):gsub('[%z\1-\8\11-\31\127]', '')
  return vim.split(text, '\n', { plain = true, trimempty = true })
end

return M
