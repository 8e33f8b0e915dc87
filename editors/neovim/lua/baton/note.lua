--- Notes in the right corner where the cursor is not. They take no key and no focus, are read whole, and go by
--- themselves.

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
---@type integer? How many rows of the screen the notes take.
local height
local is_below = false
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

--- Whether the cursor stands in the upper rows that the notes would take: they would hide what is being typed.
---@return boolean
local function is_cursor_above()
  local row = vim.fn.win_screenpos(0)[1] + vim.fn.winline() - 1
  return height ~= nil and row <= height + 1
end

---@return vim.api.keyset.win_config
local function placement(width)
  local config = { relative = 'editor', col = vim.o.columns, width = width, height = height }
  if is_below then
    config.anchor, config.row = 'SE', vim.o.lines - vim.o.cmdheight - (vim.o.laststatus > 0 and 1 or 0)
  else
    local has_tabline = vim.o.showtabline == 2 or (vim.o.showtabline == 1 and #vim.api.nvim_list_tabpages() > 1)
    config.anchor, config.row = 'NE', has_tabline and 1 or 0
  end
  return config
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
    lines[room.height], highlights[room.height] = ' :Baton messages has the rest ', 'WarningMsg'
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
  height = #lines
  is_below = is_cursor_above()
  local config = placement(width)
  config.focusable, config.noautocmd, config.style, config.zindex = false, true, 'minimal', 150
  local ok, opened = pcall(vim.api.nvim_open_win, bufnr, false, config)
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
  if #wanted ~= #notes or (#notes > 0 and is_below ~= is_cursor_above()) then
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
