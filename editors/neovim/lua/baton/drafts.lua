--- Words that the user typed and that have not come to anything: they are offered when the same is asked for again.

local M = {}

---@alias baton.DraftKind 'task'|'feedback'|'note'|'reason'|'tell'

---@type table<string, table<baton.DraftKind, string>>
local kept = {}

--- Keep words.
---@param root string
---@param kind baton.DraftKind
---@param words? string
function M.keep(root, kind, words)
  kept[root] = kept[root] or {}
  kept[root][kind] = words
end

--- The words that were kept.
---@param root string
---@param kind baton.DraftKind
---@return string?
function M.of(root, kind)
  return kept[root] and kept[root][kind]
end

--- Ask for words, beginning with those that were kept. They are kept until they have come to something, by
--- `keep(root, kind, nil)`; also when the question is left.
---@param root string
---@param kind baton.DraftKind
---@param prompt string
---@param done fun(words: string) Not called for none.
function M.ask(root, kind, prompt, done)
  -- Neovim's own `vim.ui.input` tells nothing of what was typed when it is left.
  local watch = vim.api.nvim_create_autocmd('CmdlineLeave', {
    pattern = '@',
    desc = 'Baton: keep what was typed',
    callback = function()
      local typed = vim.trim(vim.fn.getcmdline())
      if vim.v.event.abort and typed ~= '' then
        M.keep(root, kind, typed)
      end
    end,
  })
  local before = M.of(root, kind)
  -- A line is asked for; what was kept may have more of them.
  local default = before and vim.trim((before:gsub('%s+', ' ')))
  prompt = require('baton.session').labelled(root, prompt)
  vim.ui.input({ prompt = prompt, default = default }, function(words)
    pcall(vim.api.nvim_del_autocmd, watch)
    words = words and vim.trim(words)
    if not words or words == '' then
      return
    end
    words = words == default and before or words
    M.keep(root, kind, words)
    done(words)
  end)
end

return M
