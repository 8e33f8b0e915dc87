--- Words of several lines, typed in a float: a note, feedback on a plan. What was typed is kept until it came to
--- something.

local drafts = require('baton.drafts')
local view = require('baton.view')

local M = {}

--- The widest and the highest that the float is, in columns and lines.
local WIDEST, HIGHEST = 76, 6

---@param title string
---@return vim.api.keyset.win_config
local function placement(title)
  local width = math.max(1, math.min(WIDEST, vim.o.columns - 4))
  local height = math.max(1, math.min(HIGHEST, vim.o.lines - vim.o.cmdheight - 6))
  local keys = width >= 50 and ' <CR> in normal mode or <C-s> takes it · q keeps it for later '
    or ' <C-s> takes it · q leaves '
  return {
    relative = 'editor',
    row = math.max(0, vim.o.lines - vim.o.cmdheight - height - 4),
    col = math.floor((vim.o.columns - width - 2) / 2),
    width = width,
    height = height,
    border = 'rounded',
    title = { { vim.fn.strcharpart((' %s '):format(title), 0, width), 'FloatTitle' } },
    footer = { { keys, 'FloatFooter' } },
    footer_pos = 'right',
    style = 'minimal',
    zindex = 60,
  }
end

---@param bufnr integer
---@return string
local function text_of(bufnr)
  return vim.trim(table.concat(vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), '\n'))
end

---@param bufnr integer
---@param window integer
---@param finish fun(is_sent: boolean)
local function bind(bufnr, window, finish)
  local function map(modes, key, is_sent, desc)
    vim.keymap.set(modes, key, function()
      if vim.api.nvim_get_mode().mode == 'n' then
        return finish(is_sent)
      end
      -- What is said while the mode changes would be wiped from the screen.
      vim.api.nvim_create_autocmd('ModeChanged', {
        pattern = '*:n',
        once = true,
        callback = vim.schedule_wrap(function()
          finish(is_sent)
        end),
      })
      vim.cmd.stopinsert()
    end, { buffer = bufnr, nowait = true, desc = 'Baton: ' .. desc })
  end
  map('n', '<CR>', true, 'send this')
  map({ 'n', 'i' }, '<C-s>', true, 'send this')
  map('n', 'q', false, 'keep this for later')
  map('n', '<Esc>', false, 'keep this for later')
  vim.api.nvim_create_autocmd('BufWriteCmd', {
    buffer = bufnr,
    callback = function()
      vim.bo[bufnr].modified = false
      vim.schedule(function()
        finish(true)
      end)
    end,
  })
  vim.api.nvim_create_autocmd({ 'WinLeave', 'BufWipeout' }, {
    buffer = bufnr,
    callback = function()
      -- A window cannot be closed while it is being left. What was typed is still there.
      local typed = vim.api.nvim_buf_is_loaded(bufnr) and text_of(bufnr) or ''
      vim.schedule(function()
        finish(false, typed)
      end)
    end,
  })
  vim.api.nvim_create_autocmd('VimResized', {
    buffer = bufnr,
    callback = function()
      if vim.api.nvim_win_is_valid(window) then
        local placed = placement('')
        placed.title, placed.footer, placed.footer_pos = nil, nil, nil
        vim.api.nvim_win_set_config(window, placed)
      end
    end,
  })
end

--- Ask for words of one line or more, beginning with those that were kept.
---@param root string
---@param kind baton.DraftKind
---@param title string
---@param done fun(words: string) Not called for none.
function M.ask(root, kind, title, done)
  if require('baton.config').get().compose == 'line' then
    return drafts.ask(root, kind, title .. ' ', done)
  end
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(bufnr, 'baton://words/' .. bufnr)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(drafts.of(root, kind) or '', '\n', { plain = true }))
  local options = vim.bo[bufnr]
  options.buftype, options.bufhidden, options.swapfile, options.filetype = 'acwrite', 'wipe', false, 'markdown'
  options.modified = false
  vim.b[bufnr].baton_root = root
  local before = vim.api.nvim_get_current_win()
  local window = vim.api.nvim_open_win(bufnr, true, placement(require('baton.session').labelled(root, title)))
  vim.wo[window][0].wrap, vim.wo[window][0].linebreak = true, true
  local is_over = false
  ---@param is_sent boolean
  ---@param typed? string
  local function finish(is_sent, typed)
    if is_over then
      return
    end
    is_over = true
    local words = typed or (vim.api.nvim_buf_is_loaded(bufnr) and text_of(bufnr)) or ''
    drafts.keep(root, kind, words ~= '' and words or nil)
    local was_current = vim.api.nvim_get_current_win() == window
    if vim.api.nvim_win_is_valid(window) then
      vim.api.nvim_win_close(window, true)
    end
    if was_current and vim.api.nvim_win_is_valid(before) then
      vim.api.nvim_set_current_win(before)
    end
    if is_sent and words ~= '' then
      done(words)
    elseif words ~= '' then
      view.say('what you typed is kept, and offered when this is asked again', nil, { root = root, passing = true })
    end
  end
  bind(bufnr, window, finish)
  vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(bufnr), 0 })
  vim.cmd.startinsert({ bang = true })
end

return M
