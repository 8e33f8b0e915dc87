--- The review's issues: found under the cursor, listed, fixed and dismissed.

local client = require('baton.client')
local project = require('baton.project')
local view = require('baton.view')

local M = {}

local TYPES = { critical = 'E', major = 'W', minor = 'I', suggestion = 'N' }

--- Whether a code is of an issue: the phase that found it, `review` or one that the user added, and a severity.
local function is_of_issue(code)
  local severity = tostring(code or ''):match('^%l[%l%d-]*%.(%l+)$')
  return TYPES[severity or ''] ~= nil
end

--- The id of the issue a diagnostic shows; none where it shows something else.
---@param diagnostic vim.Diagnostic
---@return string?
function M.id_of(diagnostic)
  local lsp = vim.tbl_get(diagnostic, 'user_data', 'lsp')
  local is_issue = diagnostic.source == 'baton' and is_of_issue(diagnostic.code)
  return is_issue and type(lsp) == 'table' and vim.tbl_get(lsp, 'data', 'id') or nil
end

--- The diagnostics that show issues.
---@param bufnr? integer nil: of all buffers.
---@param options? vim.diagnostic.GetOpts
---@return vim.Diagnostic[]
function M.shown(bufnr, options)
  return vim.tbl_filter(function(diagnostic)
    return M.id_of(diagnostic) ~= nil
  end, vim.diagnostic.get(bufnr, options))
end

local function ids_of(diagnostics)
  local ids, seen = {}, {}
  for _, diagnostic in ipairs(diagnostics) do
    local id = M.id_of(diagnostic)
    if id and not seen[id] then
      seen[id] = true
      ids[#ids + 1] = id
    end
  end
  return ids
end

--- Ids for completion.
---@return string[]
function M.ids()
  return ids_of(M.shown(nil))
end

local function choose(found, what, done)
  vim.ui.select(found, {
    prompt = ('Which issue to %s?'):format(what),
    kind = 'baton_issue',
    format_item = function(diagnostic)
      local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(diagnostic.bufnr), ':.')
      return ('%s:%d %s'):format(name, diagnostic.lnum + 1, (diagnostic.message:gsub('\n.*', '')))
    end,
  }, function(choice)
    if choice then
      done({ M.id_of(choice) })
    end
  end)
end

--- The issues that are meant: those named, those of the file for `all`, the one under the cursor, else the one chosen.
---@param words string[]
---@param what string What is done to them.
---@param done fun(ids: string[])
local function meant(words, what, done)
  if words[1] == 'all' then
    local ids = ids_of(M.shown(0))
    return #ids > 0 and done(ids) or view.say('no issue is open in this file')
  elseif #words > 0 then
    return done(words)
  end
  local ids = ids_of(M.shown(0, { lnum = vim.api.nvim_win_get_cursor(0)[1] - 1 }))
  if #ids > 0 then
    return done(ids)
  end
  local all = M.shown(nil)
  if #all == 0 then
    return view.say('no issue is open')
  end
  choose(all, what, done)
end

--- Let agents fix issues.
---@param words string[]
function M.fix(words)
  meant(words, 'fix', function(ids)
    client.call('baton.fixIssue', #ids == 1 and { id = ids[1] } or { ids = ids }, function(result, server)
      require('baton.session').started(server, result)
    end)
  end)
end

---@type string[]
M.dismissed = {}

--- Dismiss issues: they are shown no more, and no agent is told of them.
---@param words string[]
function M.dismiss(words)
  meant(words, 'dismiss', function(ids)
    for _, id in ipairs(ids) do
      client.call('baton.dismissIssue', { id = id }, function()
        table.insert(M.dismissed, id)
        view.say(('dismissed; :Baton restore %s brings it back'):format(id))
      end)
    end
  end)
end

--- Bring a dismissed issue back, the last one unless another is named.
---@param words string[]
function M.restore(words)
  local id = words[1] or M.dismissed[#M.dismissed]
  if not id then
    return view.say('no issue was dismissed in this session; name the one to restore')
  end
  client.call('baton.restoreIssue', { id = id }, function()
    M.dismissed = vim.tbl_filter(function(other)
      return other ~= id
    end, M.dismissed)
    view.say('the issue is back')
  end)
end

--- What the last review says of the whole, in a line; nil where there is none. It is asked of the review itself: the
--- status has its issues only.
---@param root? string
---@return string?
function M.summary(root)
  local file = root and io.open(vim.fs.joinpath(root, project.MEMORY, 'review.json'))
  if not file then
    return nil
  end
  local ok, review = pcall(vim.json.decode, file:read('*a'))
  file:close()
  local summary = ok and type(review) == 'table' and type(review.summary) == 'string' and review.summary or ''
  summary = vim.trim((table.concat(view.lines(summary), ' '):gsub('%s+', ' ')))
  return summary ~= '' and summary or nil
end

--- The issues as a quickfix list.
function M.list()
  client.call('baton.status', nil, function(status, server)
    local open = vim.tbl_filter(function(issue)
      return issue.state ~= 'fixed' and issue.state ~= 'dismissed'
    end, status and status.issues or {})
    if #open == 0 then
      return view.say('no issue is open', nil, { root = server.root_dir })
    end
    local moved = {}
    for _, diagnostic in ipairs(M.shown(nil)) do
      moved[M.id_of(diagnostic)] = diagnostic
    end
    local items = {}
    for _, issue in ipairs(open) do
      -- The diagnostic has moved with the edits since.
      local shown = moved[issue.id]
      -- Without a place in the code there is no file to jump to, but where the review lists it.
      local is_placed = issue.placed ~= false
      local file = is_placed and vim.fs.joinpath(server.root_dir, issue.file)
        or shown and vim.api.nvim_buf_get_name(shown.bufnr)
      local place = is_placed and '' or (' (%s: no place in the code was found)'):format(issue.file)
      items[#items + 1] = {
        filename = file or nil,
        lnum = shown and shown.lnum + 1 or is_placed and issue.line or nil,
        col = shown and shown.col + 1 or 1,
        end_lnum = shown and shown.end_lnum + 1 or is_placed and issue.end_line or nil,
        end_col = shown and shown.end_col + 1 or nil,
        text = ('%s: %s%s'):format(issue.severity, (issue.description:gsub('%s+', ' ')), place),
        type = TYPES[issue.severity],
        user_data = { id = issue.id },
      }
    end
    local label = require('baton.session').label(server.root_dir)
    local summary = M.summary(server.root_dir)
    local title = 'Baton: issues' .. (label and ' of ' .. label or '') .. (summary and ': ' .. summary or '')
    vim.fn.setqflist({}, ' ', { title = title, items = items })
    vim.cmd('botright copen')
  end)
end

--- What the other language servers say of files, for the reviewer.
---@param _ any
---@param params { uris: string[] }
---@return { uri: string, diagnostics: lsp.Diagnostic[] }[]
function M.on_editor_diagnostics(_, params)
  local answer, buffers = {}, {}
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    buffers[vim.api.nvim_buf_get_name(bufnr)] = bufnr
  end
  for _, uri in ipairs(params.uris or {}) do
    local bufnr = buffers[vim.uri_to_fname(uri)]
    local others = vim.tbl_filter(function(diagnostic)
      return diagnostic.source ~= 'baton'
    end, bufnr and vim.diagnostic.get(bufnr) or {})
    answer[#answer + 1] = { uri = uri, diagnostics = vim.lsp.diagnostic.from(others) }
  end
  return answer
end

--- How many issues stand in a project, for the statusline.
---@param root string
---@return integer
function M.count(root)
  local count = 0
  for _, diagnostic in ipairs(M.shown(nil)) do
    if project.contains(root, vim.api.nvim_buf_get_name(diagnostic.bufnr)) then
      count = count + 1
    end
  end
  return count
end

return M
