--- What was used and what it cost, in words.

local M = {}

local function known(value)
  if value ~= vim.NIL then
    return value
  end
end

local function thousands(count)
  return count < 1000 and tostring(count) or ('%.1fk'):format(count / 1000)
end

local function dollars(usd)
  return usd > 0 and usd < 0.01 and '<$0.01' or ('$%.2f'):format(usd)
end

---@param usage baton.Usage
---@return integer
function M.tokens(usage)
  return usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens + usage.output_tokens
end

--- `1.2k tokens, $0.05`; of models without a price, or without a cost, never dollars.
---@param usage baton.Usage
---@return string
function M.words(usage)
  local tokens, usd = M.tokens(usage), known(usage.cost_usd)
  local priced = usd or known(usage.priced_usd) or 0
  local unpriced = usd and 0 or known(usage.unpriced_tokens) or tokens
  local words = ('%s%s tokens'):format(usage.estimated and 'about ' or '', thousands(tokens))
  if priced > 0 then
    local rest = unpriced > 0 and (' and %s tokens without a price'):format(thousands(unpriced)) or ''
    return ('%s, %s%s'):format(words, dollars(priced), rest)
  elseif tokens > 0 and unpriced == 0 then
    return words .. (usage['local'] and ', local, no cost' or ', no cost')
  end
  return words
end

return M
