local t = require('support')

vim.cmd.edit('src/t1.rs')
vim.cmd('checkhealth baton')
local report = t.text()
print(report)
t.holds(report, '0.11')
t.holds(report, 'OK baton 0.1.0, ' .. vim.env.TEST_BATON)
t.holds(report, 'OK git version')
t.holds(report, 'ANTHROPIC_API_KEY')
t.holds(report, 'lsp.log')
t.holds(report, "vim.lsp.enable('baton') is off")
t.same(report:find('ERROR'), nil, report)
t.wait('the server of the check ends', function()
  return #vim.lsp.get_clients({ name = 'baton', _uninitialized = true }) == 0
end)

-- Without the binary it says how to get it.
vim.g.baton = { cmd = { 'no-such-baton', 'lsp' }, gates = 1 }
vim.cmd('checkhealth baton')
report = t.text()
t.holds(report, 'ERROR no-such-baton is not found')
t.holds(report, 'cargo install --locked --path server')
t.holds(report, 'ERROR gates is no option')

t.done()
