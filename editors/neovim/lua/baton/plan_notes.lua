--- Notes on the plan: lines of plan.md that begin with `>`, below the heading of what they are about.

local baton = require('baton.client')
local project = require('baton.project')
local view = require('baton.view')

local M = {}

---@param root string
---@return string
local function plan_md(root)
  return vim.fs.joinpath(root, project.MEMORY, 'plan.md')
end

--- The heading that a line of a plan stands under; the first line's where there is none.
---@param lines string[]
---@param at integer From 1.
---@return string
local function heading_of(lines, at)
  for line = math.min(at, #lines), 1, -1 do
    if lines[line]:match('^#+ ') then
      return lines[line]
    end
  end
  return lines[1] or ''
end

--- What a heading is about, in a word or two: the id of a task, or its own words.
---@param heading string
---@return string
local function about(heading)
  local words = vim.trim((heading:gsub('^#+', '')))
  return heading:match('^# ') and 'the plan' or vim.split(words, ' · ')[1]
end

--- How many notes were not sent.
---@param client vim.lsp.Client
---@return integer
function M.count(client)
  local bufnr = require('baton.unsaved').of_file(plan_md(client.root_dir))
  if bufnr and not require('baton.unsaved').save({ bufnr }) then
    return 0
  end
  local status = baton.ask(client, 'baton.status')
  return #(status and status.notes or {})
end

---@param count integer
---@return string
function M.words(count)
  return count == 1 and '1 note' or count .. ' notes'
end

local marks = vim.api.nvim_create_namespace('baton.plan_notes')

--- The lines of plan.md as they are, in the editor or else on the disk.
---@param root string
---@return string[]
local function lines_of_plan(root)
  local path = plan_md(root)
  local bufnr = vim.fn.bufnr(vim.fn.fnameescape(path))
  if bufnr > 0 and vim.api.nvim_buf_is_loaded(bufnr) then
    return vim.api.nvim_buf_get_lines(bufnr, 0, -1, false)
  end
  local ok, lines = pcall(vim.fn.readfile, path)
  return ok and lines or {}
end

--- The heading of each note that stands in plan.md, and its text, in their order. Which lines are notes the server
--- says.
---@param root string
---@param notes? { line: integer, text: string }[]
---@return { heading: string, text: string }[]
local function placed(root, notes)
  local lines = lines_of_plan(root)
  return vim.tbl_map(function(note)
    return { heading = heading_of(lines, note.line), text = note.text }
  end, notes or {})
end

--- Show the notes that were not sent at their headings in the plan as it is shown.
---@param root string
---@param status? baton.Status
function M.draw(root, status)
  local bufnr = vim.fn.bufnr('^baton://plan$')
  if bufnr < 0 or not vim.api.nvim_buf_is_loaded(bufnr) or vim.b[bufnr].baton_root ~= root then
    return
  end
  vim.api.nvim_buf_clear_namespace(bufnr, marks, 0, -1)
  local shown = vim.api.nvim_buf_get_lines(bufnr, 0, -1, false)
  local below = {}
  for _, note in ipairs(placed(root, status and status.notes)) do
    local row = 0
    for n, line in ipairs(shown) do
      row = line == note.heading and n - 1 or row
    end
    below[row] = below[row] or {}
    for _, line in ipairs(view.lines(note.text)) do
      for _, part in ipairs(require('baton.note').wrap(line, math.max(20, vim.o.columns - 6))) do
        table.insert(below[row], { { '▌ ', 'DiagnosticInfo' }, { part, 'DiagnosticVirtualTextInfo' } })
      end
    end
  end
  for row, lines in pairs(below) do
    vim.api.nvim_buf_set_extmark(bufnr, marks, row, 0, { virt_lines = lines })
  end
end

--- Lines of plan.md that hold these words as one note.
---@param words string
---@return string[]
local function quoted(words)
  return vim.tbl_map(function(line)
    return line == '' and '>' or '> ' .. line
  end, vim.split(words, '\n', { plain = true }))
end

--- Ask for a note on what stands at a line of the plan as it is shown, and write it into plan.md.
---@param client vim.lsp.Client
---@param bufnr integer
---@param at integer From 1.
function M.add(client, bufnr, at)
  local heading = heading_of(vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), at)
  local drafts, unsaved = require('baton.drafts'), require('baton.unsaved')
  require('baton.compose').ask(client.root_dir, 'note', ('Note on %s:'):format(about(heading)), function(words)
    local file = vim.fn.bufadd(plan_md(client.root_dir))
    vim.fn.bufload(file)
    local lines = vim.api.nvim_buf_get_lines(file, 0, -1, false)
    local below = 1
    for line, text in ipairs(lines) do
      below = text == heading and line or below
    end
    vim.api.nvim_buf_set_lines(file, below, below, false, vim.list_extend({ '' }, quoted(words)))
    if unsaved.save({ file }) then
      drafts.keep(client.root_dir, 'note', nil)
      require('baton.session').refresh(client)
      view.say(('noted on %s; s sends all notes'):format(about(heading)), nil, { root = client.root_dir })
    end
  end)
end

--- Have the plan made anew by the notes in plan.md.
---@param client vim.lsp.Client
function M.send(client)
  local unsaved = require('baton.unsaved')
  local bufnr = unsaved.of_file(plan_md(client.root_dir))
  if bufnr and not unsaved.save({ bufnr }) then
    return
  end
  baton.execute(client, 'baton.sendNotes', nil, function(result)
    require('baton.gate').close(client.root_dir)
    require('baton.session').started(client, result)
    local sent = result and result.notes
    view.say(sent and M.words(sent) .. ' sent' or 'planning again', nil, { root = client.root_dir })
  end)
end

--- Take the notes out of plan.md, which is written anew on the disk.
---@param client vim.lsp.Client
function M.discard(client)
  local unsaved = require('baton.unsaved')
  local bufnr = unsaved.of_file(plan_md(client.root_dir))
  if bufnr and not unsaved.save({ bufnr }) then
    return
  end
  baton.execute(client, 'baton.discardNotes', nil, function()
    require('baton.buffers').check(client.root_dir)
    view.say('the notes are discarded', nil, { root = client.root_dir })
  end)
end

--- Before a plan is approved: what becomes of notes that were not sent.
---@param client vim.lsp.Client
---@param approve fun()
function M.before_approval(client, approve)
  local count = M.count(client)
  if count == 0 then
    return approve()
  end
  local titles = { 'Send', 'Approve Without', 'Cancel' }
  local were = count == 1 and 'was' or 'were'
  local label = require('baton.session').label(client.root_dir)
  vim.ui.select(titles, {
    prompt = ('%s on the plan%s %s not sent. '):format(M.words(count), label and ' of ' .. label or '', were),
    kind = 'baton_notes',
  }, function(title)
    if title == titles[1] then
      M.send(client)
    elseif title == titles[2] then
      approve()
    else
      view.say('the plan still waits. :Baton gate', nil, { root = client.root_dir })
    end
  end)
end

--- Show what is different from the plan before.
---@param client vim.lsp.Client
function M.compare(client)
  local status = baton.ask(client, 'baton.status')
  local gate = status and status.gate
  local before = gate and gate ~= vim.NIL and gate.previous
  if not before or before == vim.NIL or before.plan_md == vim.NIL then
    return view.say('there is no earlier plan to compare with', nil, { root = client.root_dir })
  end
  vim.cmd.tabedit(vim.fn.fnameescape(vim.fs.joinpath(client.root_dir, before.plan_md)))
  vim.cmd('vertical rightbelow diffsplit ' .. vim.fn.fnameescape(plan_md(client.root_dir)))
end

return M
