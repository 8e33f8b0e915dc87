-- What agents changed, change by change, against a server of the tests' own.
local fake = require('fake')
local t = require('support')

vim.list_extend(fake.commands, { 'baton.keep', 'baton.openTask' })

local function hunk(id, task, first, last, kept)
  return { id = id, task = task, first = first, last = last, kept = kept or false }
end
local hunks = { hunk('a1', 'T1', 2, 2), hunk('b2', vim.NIL, 4, 4), hunk('c3', 'T2', 6, 7) }
fake.answers['baton.diff'] = function()
  return { diff = '', files = { { path = 'src/t1.rs', hunks = hunks, before_uri = 'baton:/before/r1/src/t1.rs' } } }
end
fake.documents['baton:/before/r1/src/t1.rs'] = 'one\nold\nthree\n'
fake.status = fake.status_of({ state = 'done', headline = 'done', summary = 'Approved.' })

vim.fn.writefile({ 'one', 'two', 'three', 'four', 'five', 'six', 'seven' }, 'src/t1.rs')
vim.cmd.edit('src/t1.rs')
vim.cmd('Baton status')
t.wait('the page', function()
  return vim.api.nvim_buf_get_name(0) == 'baton://status'
end)
vim.cmd.close()

local function marked()
  local all = vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('baton.hunks'), 0, -1, { details = true })
  return vim.tbl_map(function(mark)
    local words = mark[4].virt_text and mark[4].virt_text[1][1] or ''
    return ('%d-%d %s'):format(mark[2] + 1, mark[4].end_row + 1, words)
  end, all)
end
t.wait('the marks', function()
  return #marked() == 2
end)
t.same(marked(), { '2-2 ▎T1', '6-7 ▎T2' }, "the user's own change has no mark")

--- The command that was run since the last call, that of asking for the changes apart.
local function ran(command)
  local call = t.wait(command, function()
    return vim.iter(fake.ran):find(function(one)
      return one.command == command
    end)
  end)
  fake.ran = {}
  call.arguments.folder = nil
  return call.arguments
end

-- They move with edits.
vim.api.nvim_buf_set_lines(0, 0, 0, true, { 'zero' })
t.same(marked(), { '3-3 ▎T1', '7-8 ▎T2' })
vim.cmd('silent undo')

-- From change to change, and around.
local changes = require('baton.hunks')
local function row()
  return vim.api.nvim_win_get_cursor(0)[1]
end
vim.api.nvim_win_set_cursor(0, { 1, 0 })
changes.next()
t.same(row(), 2)
changes.next()
t.same(row(), 6)
changes.next()
t.same(row(), 2)
changes.previous()
t.same(row(), 6)

-- Why, and keep.
vim.cmd('Baton why')
t.same(ran('baton.openTask'), { task = 'T2' })
fake.answers['baton.keep'] = function(arguments)
  hunks[3].kept = true
  return { kept = { arguments.hunk }, message = 'Kept 1 change of src/t1.rs.' }
end
vim.cmd('Baton keep')
t.same(ran('baton.keep'), { file = 'src/t1.rs', hunk = 'c3' })
t.hear('Kept 1 change of src/t1.rs.')
t.wait('its mark is gone', function()
  return vim.deep_equal(marked(), { '2-2 ▎T1', '6-7 ' })
end)
vim.cmd('Baton keep')
t.hear('this is kept already')
vim.api.nvim_win_set_cursor(0, { 4, 0 })
vim.cmd('Baton keep')
t.hear('no change of an agent stands here')
vim.cmd('Baton! keep')
t.same(ran('baton.keep'), { file = 'src/t1.rs' })

-- Undo: of a change at once, of a range those in it; without a word it is asked which is meant.
fake.answers['baton.rollback'] = function()
  return { files = { { path = 'src/t1.rs', outcome = 'restored', message = '' } }, message = 'Undone.' }
end
hunks[3].kept = false
changes.refresh(t.server())
t.wait('the marks again', function()
  return vim.deep_equal(marked(), { '2-2 ▎T1', '6-7 ▎T2' })
end)
fake.ran = {}
local function rolled_back()
  t.wait('the undo', function()
    return vim.iter(fake.ran):any(function(call)
      return call.command == 'baton.rollback' and not call.arguments.dryRun
    end)
  end)
  local calls = vim.tbl_filter(function(call)
    return call.command == 'baton.rollback'
  end, fake.ran)
  fake.ran = {}
  calls[2].arguments.folder = nil
  return calls[2].arguments
end
vim.api.nvim_win_set_cursor(0, { 2, 0 })
vim.cmd('Baton undo change')
t.same(rolled_back(), { file = 'src/t1.rs', hunk = 'a1' })
vim.cmd('1,7Baton undo')
t.same(rolled_back(), { file = 'src/t1.rs', hunk = { 'a1', 'c3' } })
vim.cmd('Baton undo')
local question = t.answer('This Change (T1)')
t.same(question.titles, { 'This Change (T1)', 'All of This File', 'All of T1', 'All That Agents Did' })
t.same(rolled_back(), { file = 'src/t1.rs', hunk = 'a1' })
vim.api.nvim_win_set_cursor(0, { 4, 0 })
vim.cmd('Baton undo change')
t.hear('no change of an agent stands here')

-- Beside what it was: a document of the server's, for reading.
vim.cmd('Baton diff %')
local before = t.wait('the text from before', function()
  local bufnr = vim.fn.bufnr('^baton:/before/r1/src/t1.rs$')
  return bufnr > 0 and t.text(bufnr) == 'one\nold\nthree' and bufnr
end)
t.same({ vim.bo[before].modifiable, vim.bo[before].filetype }, { false, 'rust' })
t.same(vim.wo[vim.fn.win_findbuf(before)[1]].diff and vim.wo.diff, true)
vim.cmd('silent only')
vim.cmd.diffoff()

-- With the option off nothing is drawn, and all of it works.
vim.g.baton = vim.tbl_extend('force', vim.g.baton, { hunks = false })
changes.draw(0)
t.same(marked(), { '2-2 ', '6-7 ' })
vim.api.nvim_win_set_cursor(0, { 2, 0 })
vim.cmd('Baton why')
t.same(ran('baton.openTask'), { task = 'T1' })

t.done()
