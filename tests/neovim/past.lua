-- The log of a run, and the workflows that ran before, against a server of the tests' own.
local fake = require('fake')
local t = require('support')

vim.list_extend(fake.commands, { 'baton.history', 'baton.log' })
fake.status = fake.status_of({ state = 'done', headline = 'done', summary = 'Approved.' })

-- The log follows the run; a cursor on its last line does, too.
local LOG = 'baton:/log/r1.md'
fake.documents[LOG] = '# Run r1\n\n## plan'
fake.answers['baton.log'] = function()
  return { run = 'r1', uri = LOG, markdown = fake.documents[LOG] }
end
vim.cmd('Baton messages')
t.holds(t.text(), 'Nothing was said yet.')
vim.cmd.close()
vim.cmd('Baton log')
t.wait('the log', function()
  return vim.api.nvim_buf_get_name(0) == LOG
end)
t.same({ vim.bo.filetype, vim.bo.modifiable }, { 'markdown', false })
vim.api.nvim_win_set_cursor(0, { 3, 0 })
fake.documents[LOG] = fake.documents[LOG] .. '\n\nIt is done.'
fake.event({ status = 'progress' })
t.wait('the log goes on', function()
  return t.text():find('It is done.', 1, true)
end)
t.same(vim.api.nvim_win_get_cursor(0)[1], 5)
-- Elsewhere it stays where it is.
vim.api.nvim_win_set_cursor(0, { 1, 0 })
fake.documents[LOG] = fake.documents[LOG] .. '\nMore.'
fake.event({ status = 'progress' })
t.wait('the log goes on', function()
  return t.text():find('More.', 1, true)
end)
t.same(vim.api.nvim_win_get_cursor(0)[1], 1)
fake.event({ status = 'done' })
vim.cmd.close()

-- The history.
local function past(fields)
  return vim.tbl_extend('force', {
    workflow = 'w1',
    runs = { 'w1', 'w1b' },
    task = 'Make both\nanswer 1',
    outcome = 'merged',
    at = '2026-11-28T07:46:10Z',
    files = 2,
    current = false,
    can_undo = true,
    can_bring_back = false,
  }, fields)
end
fake.answers['baton.history'] = {
  workflows = {
    past({ workflow = 'w2', runs = { 'w2' }, outcome = vim.NIL, files = 1, current = true, can_undo = false }),
    past({}),
    past({ workflow = 'w0', can_undo = false, can_bring_back = true }),
  },
}
fake.answers['baton.rollback'] = function()
  return { files = { { path = 'src/t1.rs', outcome = 'restored', message = '' } }, message = 'Undone.' }
end
local function choose(line, what)
  fake.ran = {}
  vim.cmd('Baton history')
  t.answer(line)
  return t.answer(what)
end
local UNDONE = '2026-11-28 07:46 · approved · 2 files · Make both answer 1'
local titles = choose(UNDONE, 'Undo').titles
t.same(titles, { 'Undo', 'Log of w1b', 'Log of w1' })
-- Nothing is done before it is said what would be.
t.holds(t.answer('Undo').prompt, 'It would restore src/t1.rs')
t.hear('Undone.')
local rollbacks = vim.tbl_filter(function(call)
  return call.command == 'baton.rollback'
end, fake.ran)
t.same({ rollbacks[1].arguments.dryRun, rollbacks[2].arguments.dryRun }, { true, nil })
t.same({ rollbacks[2].arguments.workflow, rollbacks[2].arguments.undo }, { 'w1', nil })
t.same(choose('2026-11-28 07:46 · at hand · no end · 1 file', 'Log').titles, { 'Log' })
t.wait('the log of that run', function()
  local last = fake.ran[#fake.ran]
  return last.command == 'baton.log' and last.arguments.run == 'w2'
end)

-- An older server: what it has not, it is said, and nothing fails.
fake.answers['baton.history'] = { workflows = {} }
vim.cmd('Baton history')
t.hear('nothing has been run here yet')

t.done()
