--- The gate: the plan beside its question, and what becomes of the answer.

local baton = require('baton.client')
local config = require('baton.config')
local cost = require('baton.cost')
local view = require('baton.view')

local M = {}

--- `Plan 2 (3 tasks)`, and of which project where there are several.
---@param gate baton.Gate
---@param root? string
---@return string
function M.title(gate, root)
  local version = (gate.plan and gate.plan.plan_version) or gate.markdown:match('^# Plan, version (%d+)') or '1'
  local tasks = #(gate.tasks or {})
  local label = root and require('baton.session').label(root)
  return ('Plan %s (%d task%s)%s'):format(version, tasks, tasks == 1 and '' or 's', label and ' of ' .. label or '')
end

--- `fast a:b, balanced a:c (your account)`: the models, and who pays for them.
---@param models { tier: string, model: string, account: string }[]
---@return string
local function who_pays(models)
  local accounts, of = {}, {}
  for _, one in ipairs(models) do
    if not of[one.account] then
      of[one.account] = {}
      table.insert(accounts, one.account)
    end
    table.insert(of[one.account], ('%s %s'):format(one.tier, one.model))
  end
  return table.concat(
    vim.tbl_map(function(account)
      return ('%s (%s)'):format(table.concat(of[account], ', '), account)
    end, accounts),
    '; '
  )
end

--- What is said above the plan, a paragraph each: what was done elsewhere, what counts as absent, what it has cost.
--- What the plan touches and may cost stands in the plan itself.
---@param gate baton.Gate
---@return string[]
local function above(gate)
  local said = {}
  for _, warning in ipairs(gate.warnings or {}) do
    said[#said + 1] = '! ' .. table.concat(view.lines(warning), ' ')
  end
  local usage = gate.usage
  if usage and usage ~= vim.NIL and cost.tokens(usage) > 0 then
    said[#said + 1] = ('Used: %s so far'):format(cost.words(usage))
  end
  return said
end

--- What is said below it: who pays, and that nothing will be run where that is so.
---@param gate baton.Gate
---@return string[]
local function below(gate)
  local said = {}
  if #(gate.models or {}) > 0 then
    said[#said + 1] = 'Models: ' .. table.concat(view.lines(who_pays(gate.models)), ' ')
  end
  if gate.checks and #gate.checks == 0 and #(gate.offered_checks or {}) == 0 then
    said[#said + 1] = 'Checks: none is set, and none was recognized here: nothing will be run'
  end
  return said
end

--- The plan as it is shown.
---@param gate baton.Gate
---@return string[]
local function shown(gate)
  local lines = view.lines(gate.markdown)
  for at, words in ipairs(above(gate)) do
    -- Paragraphs of their own, below the title.
    table.insert(lines, 2 * at, '')
    table.insert(lines, 2 * at + 1, words)
  end
  for _, words in ipairs(below(gate)) do
    vim.list_extend(lines, { '', words })
  end
  return lines
end

--- The file that a line of the plan names.
---@param line string
---@return string?
local function file_in(line)
  return line:match('^%- %l+ `+ ?(.-) ?`+$')
end

--- Open a file of the plan in the window that was left for it.
---@param root string
---@param file string
local function go_to_file(root, file)
  local path = vim.fs.joinpath(root, file)
  if not vim.uv.fs_stat(path) then
    return view.say(file .. ' is not there yet', nil, { root = root })
  end
  vim.cmd.wincmd('p')
  local open = vim.bo.buftype == '' and vim.cmd.edit or vim.cmd.split
  open(vim.fn.fnameescape(vim.fn.fnamemodify(path, ':.')))
end

--- The plan that was put to the user last, of each project.
---@type table<string, string>
local seen = {}

---@type integer?
local window

local function is_float()
  return window ~= nil and vim.api.nvim_win_is_valid(window) and vim.api.nvim_win_get_config(window).relative ~= ''
end

--- Close the window the plan stands in, if the gate opened it.
---@param root? string Only if the plan is of this project.
function M.close(root)
  if window and vim.api.nvim_win_is_valid(window) then
    local bufnr = vim.api.nvim_win_get_buf(window)
    if root and vim.b[bufnr].baton_root ~= root then
      return
    end
    -- The user may have opened another file in it, or it may have become the last one.
    if vim.api.nvim_buf_get_name(bufnr) == 'baton://plan' then
      pcall(vim.api.nvim_win_close, window, false)
    end
  end
  window = nil
end

local function placement()
  local columns, lines = vim.o.columns, vim.o.lines
  if config.get().gate.window == 'float' then
    local widest = columns < 80 and columns - 2 or math.floor(columns * 0.7)
    local width, height = math.max(1, math.min(100, widest)), math.max(1, math.floor(lines * 0.55))
    return {
      relative = 'editor',
      row = 0,
      col = math.max(0, columns - width - 2),
      width = width,
      height = height,
      border = 'rounded',
      title = ' Baton ',
    }
  elseif columns >= 160 then
    return { split = 'right', win = -1, width = math.floor(columns / 2) }
  end
  -- Above, since a list in the command line covers what stands below.
  return { split = 'above', win = -1, height = math.floor(lines * 0.55) }
end

--- A float stands over the code: it goes when it is left, and keeps its place when the screen changes its size.
local function watch_float()
  local group = vim.api.nvim_create_augroup('baton.gate', {})
  vim.api.nvim_create_autocmd({ 'WinLeave', 'TabLeave', 'VimResized' }, {
    group = group,
    desc = 'Baton: leave no float of the gate behind',
    callback = function(event)
      if not is_float() then
        return true
      elseif event.event == 'VimResized' then
        vim.api.nvim_win_set_config(window, placement())
      elseif event.event == 'TabLeave' or vim.api.nvim_get_current_win() == window then
        -- A window cannot be closed while it is being left.
        local left = window
        vim.schedule(function()
          if window == left then
            M.close()
          end
        end)
      end
    end,
  })
end

--- The words above the plan, as far as they fit.
local function winbar(client, gate)
  local keys = '<CR> answer · c note · s send · q close'
  local words =
    { ('%s waits · %s'):format(M.title(gate, client.root_dir), keys), keys, '<CR> answer · c note · s send' }
  local width = vim.api.nvim_win_get_width(window)
  local fits = vim.iter(words):find(function(one)
    return vim.fn.strdisplaywidth(one) < width
  end) or '<CR> answer'
  return ' ' .. fits:gsub('%%', '%%%%')
end

--- Show the plan; the cursor stays where it is.
---@param client vim.lsp.Client
---@param gate baton.Gate
local function show(client, gate)
  local bufnr, is_new = view.buffer('plan', shown(gate), { filetype = 'markdown', root = client.root_dir })
  vim.keymap.set('n', '<CR>', function()
    local file = file_in(vim.api.nvim_get_current_line())
    if file then
      go_to_file(client.root_dir, file)
    else
      vim.cmd('Baton gate')
    end
  end, { buffer = bufnr, desc = 'Baton: answer, or open the file of this line' })
  vim.keymap.set('n', 'gf', function()
    go_to_file(client.root_dir, file_in(vim.api.nvim_get_current_line()) or vim.fn.expand('<cfile>'))
  end, { buffer = bufnr, desc = 'Baton: open the file under the cursor' })
  vim.keymap.set('n', 'c', function()
    require('baton.plan_notes').add(client, bufnr, vim.api.nvim_win_get_cursor(0)[1])
  end, { buffer = bufnr, desc = 'Baton: a note on what stands here' })
  vim.keymap.set('n', 's', function()
    require('baton.plan_notes').send(client)
  end, { buffer = bufnr, desc = 'Baton: send the notes' })
  local is_shown = window
    and vim.api.nvim_win_is_valid(window)
    and vim.api.nvim_win_get_buf(window) == bufnr
    and vim.api.nvim_win_get_tabpage(window) == vim.api.nvim_get_current_tabpage()
  if not is_shown then
    M.close()
    window = vim.api.nvim_open_win(bufnr, false, placement())
    view.plain_window(window)
    vim.wo[window][0].conceallevel = 2
    require('baton.plan_notes').draw(client.root_dir, require('baton.session').of(client.root_dir).status)
    if is_float() then
      -- Another file opened in it would go with it.
      vim.wo[window].winfixbuf = true
      watch_float()
    end
  end
  vim.wo[window][0].winbar = winbar(client, gate)
  if is_new then
    vim.api.nvim_win_set_cursor(window, { 1, 0 })
  end
end

---@param client vim.lsp.Client
---@param gate baton.Gate
---@return boolean
local function still_waits(client, gate)
  local now = require('baton.session').of(client.root_dir).gate
  if gate.run and (not now or now.plan_sha256 ~= gate.plan_sha256) then
    local what = now and 'the plan has changed since it was shown. :Baton gate'
      or 'this plan was answered in the meantime'
    view.say(what, vim.log.levels.WARN, { root = client.root_dir })
    return false
  end
  return true
end

---@param client vim.lsp.Client
---@return string
local function plan_json(client)
  return vim.fs.joinpath(client.root_dir, require('baton.project').MEMORY, 'plan.json')
end

--- What is approved beside the plan: some of its tasks, and by their ids checks to trust or to remember.
---@class baton.Approval
---@field tasks? string[]
---@field trustChecks? string[]
---@field rememberChecks? string[]

---@type fun(client: vim.lsp.Client, plan_sha256: string, approval?: baton.Approval)
local approve

--- plan.json was edited and not saved: which of the two is meant?
---@param client vim.lsp.Client
---@param bufnr integer
---@param plan_sha256 string Of the saved one, as it was shown.
---@param approval? baton.Approval
local function ask_what_is_approved(client, bufnr, plan_sha256, approval)
  local unsaved = require('baton.unsaved')
  local titles = { 'Save and Approve', 'Discard: approve the plan as it was shown', 'Cancel' }
  local label = require('baton.session').label(client.root_dir)
  vim.ui.select(titles, {
    prompt = ('plan.json%s has unsaved changes. '):format(label and ' of ' .. label or ''),
    kind = 'baton_unsaved',
  }, function(title)
    if title == titles[1] and unsaved.save({ bufnr }) then
      local file = assert(io.open(vim.api.nvim_buf_get_name(bufnr), 'rb'))
      local text = file:read('*a')
      file:close()
      approve(client, vim.fn.sha256(text), approval)
    elseif title == titles[2] then
      unsaved.discard(bufnr)
      approve(client, plan_sha256, approval)
    elseif title ~= titles[1] then
      view.say('the plan still waits. :Baton gate', nil, { root = client.root_dir })
    end
  end)
end

--- Another plan than the one that was shown is not approved: it is shown, and asked about again.
---@param client vim.lsp.Client
---@param fault lsp.ResponseError
---@param plan_sha256 string
---@param approval? baton.Approval
---@return boolean
local function ask_again(client, fault, plan_sha256, approval)
  local data = type(fault.data) == 'table' and fault.data or {}
  if data.kind == 'unsaved' then
    local bufnr = data.uri and require('baton.unsaved').of_file(vim.uri_to_fname(data.uri))
    if bufnr then
      ask_what_is_approved(client, bufnr, plan_sha256, approval)
    end
    return bufnr ~= nil
  elseif data.kind ~= 'stale_plan' then
    return false
  end
  local what = 'the plan has changed since it was shown; this is how it is'
  view.say(what, vim.log.levels.WARN, { root = client.root_dir })
  require('baton.question').ask_from_status(client)
  return true
end

--- Approve the plan that the user was shown, or only some of its tasks.
local function approve_now(client, plan_sha256, approval)
  local bufnr = require('baton.unsaved').of_file(plan_json(client))
  if bufnr then
    return ask_what_is_approved(client, bufnr, plan_sha256, approval)
  end
  local ids = approval and approval.tasks
  ids = ids and #ids > 0 and ids or nil
  local arguments = vim.tbl_extend('force', approval or {}, { planSha256 = plan_sha256 })
  arguments.tasks = ids
  baton.execute(client, 'baton.approve', arguments, function(result)
    M.close(client.root_dir)
    require('baton.session').started(client, result)
    local what = ids and 'approved: ' .. table.concat(ids, ', ') or 'the plan is approved'
    view.say(what, nil, { root = client.root_dir })
  end, function(fault)
    return ask_again(client, fault, plan_sha256, approval)
  end)
end

approve = function(client, plan_sha256, approval)
  require('baton.plan_notes').before_approval(client, function()
    approve_now(client, plan_sha256, approval)
  end)
end

--- A code lens or a code action approves the plan that it stands on.
---@param command lsp.Command
---@param context { client_id: integer }
function M.on_lens(command, context)
  local client = vim.lsp.get_client_by_id(context.client_id)
  local arguments = command.arguments and command.arguments[1] or {}
  if client and arguments.planSha256 then
    approve(client, arguments.planSha256, arguments)
  elseif client then
    M.approve(client, arguments.tasks)
  end
end

--- `:Baton approve`: of a plan that was not shown yet this shows it and asks.
---@param client vim.lsp.Client
---@param ids? string[]
function M.approve(client, ids)
  local plan_sha256 = seen[client.root_dir]
  local waiting = require('baton.session').of(client.root_dir).gate
  if plan_sha256 and (not waiting or waiting.plan_sha256 == plan_sha256) then
    return approve(client, plan_sha256, { tasks = ids })
  end
  view.say('read the plan as it is, then answer')
  require('baton.question').ask_from_status(client)
end

--- Reject the plan.
---@param client vim.lsp.Client
function M.reject(client)
  baton.execute(client, 'baton.reject', nil, function()
    M.close(client.root_dir)
    view.say('the plan is rejected', nil, { root = client.root_dir })
  end)
end

--- Have the plan changed.
---@param client vim.lsp.Client
---@param feedback? string
function M.revise(client, feedback)
  baton.execute(client, 'baton.plan', { feedback = feedback }, function(result)
    require('baton.drafts').keep(client.root_dir, 'feedback', nil)
    M.close(client.root_dir)
    require('baton.session').started(client, result)
  end, function(fault)
    local words = require('baton.words').here(fault.message)
    view.fail(feedback and words .. ' What you typed is kept: :Baton gate' or words, client.root_dir)
    return true
  end)
end

local function approve_some(client, gate)
  require('baton.pick').ask(client.root_dir, gate.tasks or {}, function(chosen)
    if not chosen then
      return view.say('the plan still waits. :Baton gate', nil, { root = client.root_dir })
    end
    if still_waits(client, gate) then
      -- All of them is the whole plan.
      approve(client, gate.plan_sha256, { tasks = #chosen < #gate.tasks and chosen or nil })
    end
  end)
end

--- Ask what should change, and have it changed.
---@param client vim.lsp.Client
---@param gate? baton.Gate
function M.ask_for_changes(client, gate)
  require('baton.compose').ask(client.root_dir, 'feedback', 'What should change?', function(text)
    if not gate or still_waits(client, gate) then
      M.revise(client, text)
    end
  end)
end

--- Let the user edit the plan.
---@param client vim.lsp.Client
---@param gate? baton.Gate
function M.edit(client, gate)
  local path = gate and gate.plan_json and vim.uri_to_fname(gate.plan_json) or plan_json(client)
  M.close(client.root_dir)
  vim.cmd.split(vim.fn.fnameescape(vim.fn.fnamemodify(path, ':.')))
  view.say('write your changes, then :Baton gate asks about them', nil, { root = client.root_dir })
end

local function read()
  if window and vim.api.nvim_win_is_valid(window) then
    vim.api.nvim_set_current_win(window)
  else
    vim.cmd('Baton show')
  end
end

---@class baton.Answer
---@field title string
---@field act fun(client: vim.lsp.Client, gate: baton.Gate)

--- The answer that approves and says yes to all that is asked of the checks; none where nothing is asked.
---@param gate baton.Gate
---@return baton.Answer?
local function approve_with_checks(gate)
  local untrusted = vim.tbl_filter(function(check)
    return check.id and not check.trusted
  end, gate.checks or {})
  local is_trust = #untrusted > 0
  local asked = is_trust and untrusted or gate.offered_checks or {}
  if #asked == 0 then
    return nil
  end
  local ids = vim.tbl_map(function(check)
    return check.id
  end, asked)
  local title = is_trust and 'Approve and Trust the Check' or 'Approve and Remember the Check'
  return {
    title = title .. (#ids == 1 and '' or 's'),
    act = function(client, waiting)
      approve(client, waiting.plan_sha256, { [is_trust and 'trustChecks' or 'rememberChecks'] = ids })
    end,
  }
end

--- What the gate asks is more than a command, so that each answer has its own way here.
---@type table<string, fun(client: vim.lsp.Client, gate: baton.Gate)>
local ACTS = {
  approve = function(client, gate)
    approve(client, gate.plan_sha256)
  end,
  revise = function(client, gate)
    M.ask_for_changes(client, gate)
  end,
  edit = function(client, gate)
    M.edit(client, gate)
  end,
}

--- The ways on of a server that lists none.
local PLAIN = {
  { id = 'approve', title = 'Approve' },
  { id = 'revise', title = 'Ask for Changes' },
  { id = 'edit', title = 'Edit Plan' },
  { id = 'reject', title = 'Reject' },
}

--- What can be answered: what the server lists, reading, and a part of the tasks.
---@param client vim.lsp.Client
---@param gate baton.Gate
---@return baton.Answer[]
local function answers(client, gate)
  local status = require('baton.session').of(client.root_dir).status
  local ways = status and status.state == 'gate' and status.ways_on or PLAIN
  local all = { { title = 'Read the Plan', act = read } }
  for _, way in ipairs(ways) do
    local act = ACTS[way.id] or function()
      require('baton.ways').run(client, way, status or {})
    end
    -- What is asked of the checks is in the gate, also where no status has come yet.
    if not (way.id == 'trust' and way.command == 'baton.approve') then
      all[#all + 1] = { title = way.title, act = act }
    end
    if way.id == 'approve' and #(gate.tasks or {}) > 1 then
      all[#all + 1] = { title = 'Approve Some of the Tasks', act = approve_some }
    end
    if way.id == 'approve' then
      all[#all + 1] = approve_with_checks(gate)
    end
  end
  return all
end

--- Put the plan to the user.
---@param client vim.lsp.Client
---@param gate baton.Gate
---@param done? fun() Called when the question is no longer on the screen.
function M.open(client, gate, done)
  seen[client.root_dir] = gate.plan_sha256
  if config.get().gate.window then
    show(client, gate)
  end
  vim.cmd.redraw()
  vim.ui.select(answers(client, gate), {
    prompt = M.title(gate, client.root_dir) .. ' waits. Your answer:',
    kind = 'baton_gate',
    format_item = function(answer)
      return answer.title
    end,
  }, function(answer)
    if done then
      done()
    end
    if is_float() and not (answer and answer.act == read) then
      M.close()
    end
    if not answer then
      view.say('the plan still waits. :Baton gate', nil, { root = client.root_dir })
    elseif answer.act == read or still_waits(client, gate) then
      -- Pickers close their windows after they have called back.
      vim.schedule(function()
        answer.act(client, gate)
      end)
    end
  end)
end

return M
