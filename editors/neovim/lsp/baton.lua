---@brief
---
--- Baton takes one coding task through four AI agents: context, plan, implement, review.
---
--- `vim.lsp.enable('baton')` starts it with the first file of a project, a folder with `.git` or `.agent_memory`.
--- Without it, `:Baton run` starts it. See |baton|.

local options = vim.g.baton or {}

--- Nothing of the plugin is loaded before the server speaks.
---@param module string
---@param name string
local function lazily(module, name)
  return function(...)
    return require(module)[name](...)
  end
end

---@type vim.lsp.Config
return {
  cmd = options.cmd or { 'baton', 'lsp' },
  root_dir = function(bufnr, on_dir)
    local root = require('baton.project').root_of(bufnr)
    if root then
      on_dir(root)
    end
  end,
  init_options = {
    baton = {
      phase = true,
      gate = true,
      outcome = true,
      editorDiagnostics = true,
      documentSymbols = true,
      statusDiagnostics = false,
    },
  },
  settings = { baton = options.settings },
  on_init = lazily('baton.client', 'on_init'),
  on_exit = lazily('baton.client', 'on_exit'),
  -- Those that ask something first here.
  commands = { ['baton.approve'] = lazily('baton.gate', 'on_lens') },
  handlers = {
    ['baton/phase'] = lazily('baton.session', 'on_phase'),
    ['baton/editorDiagnostics'] = lazily('baton.issues', 'on_editor_diagnostics'),
    ['baton/documentSymbols'] = lazily('baton.symbols', 'on_document_symbols'),
    ['window/showDocument'] = lazily('baton.view', 'on_show_document'),
    ['window/showMessage'] = lazily('baton.question', 'on_message'),
    ['window/showMessageRequest'] = lazily('baton.question', 'on_request'),
    ['$/cancelRequest'] = lazily('baton.question', 'on_withdrawn'),
  },
}
