--- What the other language servers know of the definitions of a file.

local M = {}

--- How long another server may take, in milliseconds: less than Baton waits, so that it need not take its request back.
local PATIENCE = 1500

--- A server of an open file that knows symbols.
---@param bufnr integer
---@return vim.lsp.Client?
local function server_of(bufnr)
  local method = 'textDocument/documentSymbol'
  return vim.iter(vim.lsp.get_clients({ bufnr = bufnr, method = method })):find(function(client)
    return client.name ~= 'baton'
  end)
end

--- The symbols of a file, for the outlines that agents are given. Nothing for a file that is not open.
---@param _ any
---@param params { uri: string }
---@return lsp.DocumentSymbol[]|userdata
function M.on_document_symbols(_, params)
  local asking, is_main = coroutine.running()
  local bufnr = vim.iter(vim.api.nvim_list_bufs()):find(function(buffer)
    return vim.api.nvim_buf_is_loaded(buffer) and vim.uri_from_bufnr(buffer) == params.uri
  end)
  local client = bufnr and server_of(bufnr)
  if not client or not asking or is_main then
    return vim.NIL
  end
  local is_answered = false
  local function answer(symbols)
    if not is_answered then
      is_answered = true
      coroutine.resume(asking, symbols or vim.NIL)
    end
  end
  -- Not before the coroutine has yielded.
  client:request(
    'textDocument/documentSymbol',
    { textDocument = { uri = params.uri } },
    vim.schedule_wrap(function(_, symbols)
      answer(symbols)
    end),
    bufnr
  )
  vim.defer_fn(answer, PATIENCE)
  return coroutine.yield()
end

return M
