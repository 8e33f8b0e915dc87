-- One command and some maps that are bound to no key. Everything else is loaded when it is used.
if vim.g.loaded_baton then
  return
end
vim.g.loaded_baton = true

vim.api.nvim_create_user_command('Baton', function(call)
  require('baton.command').run(call)
end, {
  bang = true,
  complete = function(...)
    return require('baton.command').complete(...)
  end,
  desc = 'Take a task through context, plan, implement and review',
  nargs = '*',
  range = true,
})

for _, name in ipairs({ 'approve', 'cancel', 'diff', 'dismiss', 'fix', 'gate', 'issues', 'run', 'status', 'task' }) do
  -- Without words, `run` goes on; mapped, it asks for the task.
  local call = name == 'run' and 'lua require("baton").ask_and_run()' or 'Baton ' .. name
  vim.api.nvim_set_keymap(
    'n',
    ('<Plug>(baton-%s)'):format(name),
    ('<Cmd>%s<CR>'):format(call),
    { desc = 'Baton: ' .. name }
  )
end
vim.api.nvim_set_keymap('x', '<Plug>(baton-run)', ':Baton run<CR>', { desc = 'Baton: run, on the selection' })

for name, call in pairs({
  ['next-change'] = 'lua require("baton.hunks").next()',
  ['previous-change'] = 'lua require("baton.hunks").previous()',
  keep = 'Baton keep',
  ['undo-change'] = 'Baton undo change',
  why = 'Baton why',
  history = 'Baton history',
  log = 'Baton log',
}) do
  vim.keymap.set('n', ('<Plug>(baton-%s)'):format(name), ('<Cmd>%s<CR>'):format(call), { desc = 'Baton: ' .. name })
end
vim.keymap.set('x', '<Plug>(baton-keep)', ':Baton keep<CR>', { desc = 'Baton: keep the changes of the selection' })
vim.keymap.set('x', '<Plug>(baton-undo-change)', ':Baton undo change<CR>', { desc = 'Baton: undo them' })

-- What the server has beside files: a file as it was before, the conversations of a run.
vim.api.nvim_create_autocmd('BufReadCmd', {
  group = vim.api.nvim_create_augroup('baton.documents', {}),
  pattern = { 'baton:/before/*', 'baton:/log/*' },
  desc = 'Baton: read a document of the server',
  callback = function(event)
    require('baton.documents').read(event)
  end,
})
