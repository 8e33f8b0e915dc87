//! End-to-end tests: the real binary, driven as a user or an editor would. One test binary; a module a theme.

#![allow(clippy::disallowed_methods, reason = "tests make files and look at them")]

mod anthropic;
mod bad_input;
mod caching;
mod checkpoints;
mod demo;
mod doctor;
mod emacs;
mod foreign_handoffs;
mod gate;
mod gate_consistency;
mod hostile_input;
mod hostile_text;
mod implement;
mod issues;
mod kill;
mod kill_everywhere;
mod last_version;
mod layers;
mod lsp_actions;
mod lsp_cancel;
mod lsp_commands;
mod lsp_diagnostics;
mod lsp_editor_services;
mod lsp_plain_clients;
mod lsp_runs;
mod memory_folder;
mod model_misbehaviour;
mod moved_workspace;
mod neovim;
mod network_faults;
mod paths;
mod phase_table;
mod review_against_base;
mod rollback;
mod rounds;
mod run;
mod streams;
mod subfolder;
mod support;
mod task_text;
mod trust;
mod user_phases;
mod vscode;
mod work_elsewhere;
