--- Notes in the upper right corner. They take no key and no focus, are read whole, and go by themselves.

local M = {}

--- How long a note stays, in milliseconds: this, and more for each character.
local SHORTEST, A_CHARACTER = 4000, 50

--- How often it is looked whether a note is still to be shown, in milliseconds.
local LOOK = 100

--- No note is wider, in columns.
local WIDEST = 72

---@class baton.Note
---@field text string
---@field highlight? string
---@field is_wanted fun(): boolean Whether it is still to be shown.

---@type baton.Note[]
local notes = {}
---@type integer?
local window
---@type uv.uv_timer_t?
local timer
local marks = vim.api.nvim_create_namespace('baton.note')

local function close()
  if window and vim.api.nvim_win_is_valid(window) then
    pcall(vim.api.nvim_win_close, window, true)
  end
  window = nil
end

--- Words in lines that are not wider than this. A word that is wider is broken.
---@param text string
---@param width integer
---@return string[]
function M.wrap(text, width)
  local lines, line = {}, ''
  for word in text:gmatch('%S+') do
    local longer = line == '' and word or line .. ' ' .. word
    if vim.fn.strdisplaywidth(longer) <= width then
      line = longer
    else
      lines[#lines + 1] = line ~= '' and line or nil
      while vim.fn.strdisplaywidth(word) > width do
        local fits = vim.fn.strcharlen(word)
        while vim.fn.strdisplaywidth(vim.fn.strcharpart(word, 0, fits)) > width do
          fits = fits - 1
        end
        lines[#lines + 1] = vim.fn.strcharpart(word, 0, math.max(fits, 1))
        word = vim.fn.strcharpart(word, math.max(fits, 1))
      end
      line = word
    end
  end
  lines[#lines + 1] = line
  return lines
end

--- All notes in one window: a float belongs to one tab page, and has its place on one size of the screen.
local function draw()
  close()
  local room = { width = math.min(WIDEST, vim.o.columns - 2), height = vim.o.lines - vim.o.cmdheight - 2 }
  if #notes == 0 or room.width < 1 or room.height < 1 then
    return
  end
  local lines, highlights, width = {}, {}, 1
  for _, note in ipairs(notes) do
    for _, line in ipairs(M.wrap(note.text, room.width)) do
      lines[#lines + 1], highlights[#highlights + 1] = ' ' .. line .. ' ', note.highlight or false
      width = math.max(width, vim.fn.strdisplaywidth(line) + 2)
    end
  end
  if #lines > room.height then
    lines = vim.list_slice(lines, 1, room.height)
    lines[room.height], highlights[room.height] = ' :Baton log has the rest ', 'WarningMsg'
    width = math.max(width, math.min(#lines[room.height], vim.o.columns))
  end
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, lines)
  for row in ipairs(lines) do
    if highlights[row] then
      vim.api.nvim_buf_set_extmark(bufnr, marks, row - 1, 0, { line_hl_group = highlights[row] })
    end
  end
  local has_tabline = vim.o.showtabline == 2 or (vim.o.showtabline == 1 and #vim.api.nvim_list_tabpages() > 1)
  local ok, opened = pcall(vim.api.nvim_open_win, bufnr, false, {
    relative = 'editor',
    anchor = 'NE',
    row = has_tabline and 1 or 0,
    col = vim.o.columns,
    width = width,
    height = #lines,
    focusable = false,
    noautocmd = true,
    style = 'minimal',
    zindex = 150,
  })
  if ok then
    window = opened
    vim.wo[window][0].wrap = false
  else
    vim.api.nvim_buf_delete(bufnr, { force = true })
  end
end

local function look()
  local wanted = vim.tbl_filter(function(note)
    return note.is_wanted()
  end, notes)
  if #wanted ~= #notes then
    notes = wanted
    draw()
  end
  if #notes == 0 and timer then
    timer:close()
    timer = nil
    vim.api.nvim_create_augroup('baton.note', {})
  end
end

local function start_looking()
  if timer then
    return
  end
  timer = assert(vim.uv.new_timer())
  timer:start(LOOK, LOOK, vim.schedule_wrap(look))
  vim.api.nvim_create_autocmd({ 'VimResized', 'TabEnter', 'OptionSet' }, {
    group = vim.api.nvim_create_augroup('baton.note', {}),
    desc = 'Baton: keep the notes in their corner',
    callback = function(event)
      if event.event ~= 'OptionSet' or event.match == 'showtabline' then
        vim.schedule(draw)
      end
    end,
  })
end

--- Show a note as long as it takes to be read, and no longer than it is true; or for as long as that.
---@param text string
---@param opts? { highlight?: string, still_true?: fun(): boolean, stays?: boolean }
function M.show(text, opts)
  opts = opts or {}
  local ends = vim.uv.now() + SHORTEST + A_CHARACTER * vim.fn.strcharlen(text)
  notes = vim.tbl_filter(function(note)
    return note.text ~= text
  end, notes)
  table.insert(notes, {
    text = text,
    highlight = opts.highlight,
    is_wanted = function()
      return (opts.stays or vim.uv.now() < ends) and (not opts.still_true or opts.still_true())
    end,
  })
  draw()
  start_looking()
end

--- The user goes on to something else: what was said was read.
function M.clear()
  notes = {}
  look()
  close()
end

--- What is shown.
---@return string[]
function M.shown()
  return vim.tbl_map(function(note)
    return note.text
  end, notes)
end

return M
