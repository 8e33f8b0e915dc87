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

--- Ask for a note on what stands at a line of the plan as it is shown, and write it into plan.md.
---@param client vim.lsp.Client
---@param bufnr integer
---@param at integer From 1.
function M.add(client, bufnr, at)
  local heading = heading_of(vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), at)
  local drafts, unsaved = require('baton.drafts'), require('baton.unsaved')
  drafts.ask(client.root_dir, 'note', ('Note on %s: '):format(about(heading)), function(words)
    local file = vim.fn.bufadd(plan_md(client.root_dir))
    vim.fn.bufload(file)
    local lines = vim.api.nvim_buf_get_lines(file, 0, -1, false)
    local below = 1
    for line, text in ipairs(lines) do
      below = text == heading and line or below
    end
    vim.api.nvim_buf_set_lines(file, below, below, false, { '', '> ' .. words })
    if unsaved.save({ file }) then
      drafts.keep(client.root_dir, 'note', nil)
      view.say(('noted on %s; s sends it'):format(about(heading)), nil, { root = client.root_dir })
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
