local t = require('support')

-- Nothing is loaded before it is used.
local loaded = vim.tbl_filter(function(name)
  return vim.startswith(name, 'baton')
end, vim.tbl_keys(package.loaded))
t.same(loaded, {}, 'loaded at the start')
t.same(require('baton').statusline(), '')
t.same(package.loaded['baton.session'], nil)

local function completed(line)
  return vim.fn.getcompletion(line, 'cmdline')
end
t.same(completed('Baton re'), { 'redo', 'reject', 'reset', 'restore', 'review' })
t.same(completed('Baton approve '), { 'T1' })
t.same(completed('1,2Baton! run '), {})
t.same(completed('vertical Baton diff T'), { 'T1' })
t.same(completed('Baton undo src/'), { 'src/t1.rs' })
t.same(completed('Baton review '), { 'main' })
t.same(#completed('Baton '), #require('baton.command').names())

vim.cmd('Baton nonsense')
t.hear('nonsense is no subcommand; there are accept, approve, cancel,')
vim.cmd('Baton reject please')
t.hear(':Baton reject takes nothing more')
vim.cmd('Baton cancel')
t.hear('nothing runs here')
t.same(#vim.lsp.get_clients(), 0, 'no server was needed')

-- Every subcommand stands in the help, with its tag.
local help = t.file(vim.env.TEST_PLUGIN .. '/doc/baton.txt')
for _, name in ipairs(require('baton.command').names()) do
  t.holds(help, ('*:Baton-%s*'):format(name))
end
-- Its tags are sound, and its links lead somewhere.
local copy = vim.fn.tempname()
vim.fn.mkdir(copy .. '/doc', 'p')
vim.uv.fs_copyfile(vim.env.TEST_PLUGIN .. '/doc/baton.txt', copy .. '/doc/baton.txt')
vim.cmd.helptags(copy .. '/doc')
vim.opt.runtimepath:append(copy)
for link in help:gmatch('|([^|%s]+)|') do
  t.same(vim.list_contains(vim.fn.getcompletion(link, 'help'), link), true, link .. ' leads nowhere')
end
-- No map is forced.
for _, map in ipairs(vim.list_extend(vim.api.nvim_get_keymap('n'), vim.api.nvim_get_keymap('x'))) do
  if (map.desc or ''):find('^Baton') then
    t.same(vim.startswith(map.lhs, '<Plug>(baton-'), true, map.lhs)
  end
end

-- A selection becomes part of the task.
vim.cmd.edit('src/t1.rs')
local quoted = require('baton.command').quote({ first = 1, last = 2 })
t.same(quoted, 'This is about lines 1 to 2 of `src/t1.rs`:\n\n```rust\npub fn t1() -> u32 {\n    0\n```')
vim.cmd.enew()
vim.api.nvim_buf_set_lines(0, 0, -1, true, { '```', 'a', '```' })
local fenced = '````\n```\na\n```\n````'
t.holds(require('baton.command').quote({ first = 1, last = 3 }), fenced)
vim.bo.modified = false

-- A binary that is not there is said, with how to get it.
vim.g.baton = { cmd = { '/nowhere/baton', 'lsp' } }
vim.cmd('Baton run Do it')
t.hear('/nowhere/baton is not found: run `cargo install')
-- The task is not lost.
t.same(require('baton.drafts').of(require('baton.project').here(), 'task'), 'Do it')
-- Options that are none are told by :checkhealth.
vim.g.baton = { gates = true, gate = { idle_ms = 'soon' } }
t.same(require('baton.config').faults(), {
  'gates is no option; there are cmd, compose, gate, hunks, lenses, progress, reload, settings',
  'gate.idle_ms is a string, and is a number',
})

t.done()
