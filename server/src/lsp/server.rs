//! The handlers of requests and notifications, each of which passes its message to the room that handles it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, ErrorCode, Result};
use tower_lsp::lsp_types::notification::{DidChangeConfiguration, Notification as _};
use tower_lsp::lsp_types::request::RegisterCapability;
use tower_lsp::lsp_types::{
    CodeActionParams, CodeActionProviderCapability, CodeActionResponse, CodeLens, CodeLensOptions, CodeLensParams,
    DidChangeConfigurationParams, DidChangeTextDocumentParams, DidChangeWorkspaceFoldersParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams, ExecuteCommandOptions,
    ExecuteCommandParams, Hover, HoverParams, HoverProviderCapability, InitializeParams, InitializeResult,
    InitializedParams, NumberOrString, OneOf, Registration, RegistrationParams, SaveOptions, ServerCapabilities,
    ServerInfo, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions,
    WorkDoneProgressCancelParams, WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};
use tower_lsp::{LanguageServer, LspService};

use crate::config;
use crate::lsp::commands::{self, Failure, requests};
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::folder::folders::Folders;
use crate::lsp::offers::code_actions;
use crate::lsp::run::runs;
use crate::lsp::text::documents::{Change, Documents};
use crate::lsp::text::position::Encoding;
use crate::lsp::virtual_documents::shown::ShownDocuments;
use crate::lsp::virtual_documents::{self, no_document::NoDocument};
use crate::lsp::wire::capabilities::Capabilities;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::document_content::{self, DocumentContent, DocumentContentParams};
use crate::lsp::wire::editor_process;
use crate::lsp::wire::from_proto;
use crate::lsp::wire::words::CommandNames;
use crate::workflow::{Phases, Table};

/// `RequestFailed` of the protocol: the request is valid, and cannot be done in the current state.
const REQUEST_FAILED: ErrorCode = ErrorCode::ServerError(-32803);

/// The handlers. None blocks: what takes time runs in tasks or on the blocking pool.
pub(crate) struct Server {
    client: Client,
    folders: Folders,
    /// Given at the start, it replaces the client's folders.
    root: Option<PathBuf>,
    /// The phases of the program.
    table: &'static Table,
    capabilities: OnceLock<Capabilities>,
    documents: Documents,
    /// What the client has of the server's own documents.
    shown: ShownDocuments,
}

impl Server {
    /// The service that routes to these handlers.
    pub(crate) fn service(
        client: Client,
        folders: Folders,
        root: Option<PathBuf>,
        table: &'static Table,
    ) -> LspService<Self> {
        let (capabilities, documents) = (OnceLock::new(), Documents::default());
        let shown = ShownDocuments::default();
        let server = Self { client, folders, root, table, capabilities, documents, shown };
        // What it would send to the client goes through `Client`, which needs no socket.
        let (service, _socket) = LspService::build(|_| server)
            .custom_method("window/workDoneProgress/cancel", Self::cancel_progress)
            .custom_method("$/setTrace", Self::set_trace)
            .custom_method(document_content::METHOD, Self::document_content)
            .finish();
        service
    }

    /// The phases there are, with those of the user's configuration as it is now.
    fn phases(&self) -> Phases {
        self.table.with(&config::user_phases())
    }

    /// One folder more; `None` when it is open already.
    fn add_folder(&self, path: PathBuf) -> Option<Arc<Folder>> {
        let capabilities = self.capabilities.get().copied().unwrap_or_default();
        let folder = Folder::new(path, self.client.clone(), capabilities, self.documents.clone(), self.table);
        self.folders.add(folder.clone()).then_some(folder)
    }

    /// Start the work of an opened folder: settings, diagnostics, documents, and the offer to resume an interrupted workflow.
    fn open(&self, folder: Arc<Folder>) {
        folder.request_settings();
        if self.client.takes_documents() {
            self.shown.follow(self.folders.clone(), folder.clone());
        }
        folder.clone().keep_refreshed();
        tokio::spawn(async move {
            folder.refresh().await;
            runs::offer_interrupted(folder).await;
        });
    }

    /// Register for changed settings, where the client requires that.
    fn register_settings(&self) {
        if !self.capabilities.get().is_some_and(|capabilities| capabilities.register_configuration) {
            return;
        }
        let client = self.client.clone();
        let registrations = vec![Registration {
            id: "baton-settings".to_owned(),
            method: DidChangeConfiguration::METHOD.to_owned(),
            register_options: Some(json!({ "section": "baton" })),
        }];
        tokio::spawn(async move {
            if let Err(error) = client.request::<RegisterCapability>(RegistrationParams { registrations }).await {
                tracing::warn!(%error, "the editor will not report changed settings; they apply from the next start of the server");
            }
        });
    }

    /// Register the server's documents, where the client takes them.
    fn register_documents(&self) {
        if !self.client.takes_documents() {
            return;
        }
        let client = self.client.clone();
        tokio::spawn(async move {
            let registrations = vec![document_content::registration()];
            if let Err(error) = client.request::<RegisterCapability>(RegistrationParams { registrations }).await {
                tracing::warn!(%error, "the editor will not show documents of the server");
            }
        });
    }

    /// `workspace/textDocumentContent`, which is answered in any client.
    async fn document_content(&self, params: DocumentContentParams) -> Result<DocumentContent> {
        let text = virtual_documents::text(&self.folders, &params.uri).await;
        if let Ok(text) = &text {
            self.shown.note(&params.uri, text);
        }
        text.map(|text| DocumentContent { text }).map_err(|error| {
            let code = match &error {
                NoDocument::Uri(_) => ErrorCode::InvalidParams,
                NoDocument::Refused(Refused::Internal(_)) => ErrorCode::InternalError,
                NoDocument::Run(_) | NoDocument::File { .. } | NoDocument::Refused(_) => REQUEST_FAILED,
            };
            failure(code, self.client.in_its_words(&error.to_string()))
        })
    }

    /// Apply a change to the documents and to the diagnostics of every folder, under one lock.
    fn change_document(&self, change: impl FnOnce(&Documents) -> Option<Change>) {
        let _held = self.documents.lock_changes();
        if let Some(change) = change(&self.documents) {
            for folder in self.folders.all() {
                folder.board.apply(&change);
            }
        }
    }

    /// `window/workDoneProgress/cancel`: the token is the run's id.
    async fn cancel_progress(&self, params: WorkDoneProgressCancelParams) {
        let NumberOrString::String(run) = params.token else { return };
        for folder in self.folders.all() {
            folder.cancel_run(&run).await;
        }
    }

    /// `$/setTrace` is ignored: logs go to standard error, filtered as the environment says.
    async fn set_trace(&self, _: Value) {}

    /// The error for a command that was refused.
    fn refused(&self, error: &Failure) -> Error {
        let code = match error {
            Failure::NoFolder(_) => ErrorCode::InvalidParams,
            Failure::Refused(Refused::Internal(_)) => ErrorCode::InternalError,
            Failure::Refused(_) => REQUEST_FAILED,
        };
        let data = match error {
            Failure::Refused(refused) => refused.data(),
            Failure::NoFolder(_) => None,
        };
        Error { data, ..failure(code, self.client.in_its_words(&error.to_string())) }
    }
}

#[tower_lsp::async_trait]
impl LanguageServer for Server {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        // Called once: the service enforces it.
        self.capabilities.get_or_init(|| Capabilities::of(&params));
        self.client.set_names(CommandNames::of(&params));
        let offered = params.capabilities.general.as_ref().and_then(|general| general.position_encodings.as_deref());
        self.documents.set_encoding(Encoding::agreed(offered));
        for path in from_proto::folders(&params, self.root.as_deref()) {
            self.add_folder(path);
        }
        if let Some(pid) = params.process_id {
            let (client, ended) = (self.client.clone(), editor_process::ended(pid));
            tokio::spawn(async move {
                ended.await;
                client.set_process_ended();
            });
        }
        Ok(InitializeResult {
            capabilities: advertised(self.documents.encoding(), &self.phases()),
            server_info: Some(ServerInfo {
                name: "baton".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        self.register_settings();
        self.register_documents();
        for folder in self.folders.all() {
            self.open(folder);
        }
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        let pushed = params.settings.get("baton").cloned();
        for folder in self.folders.all() {
            folder.request_settings();
            if let Some(value) = pushed.clone().filter(|_| !folder.capabilities.configuration) {
                tokio::spawn(async move { folder.set_settings(value).await });
            }
        }
    }

    async fn shutdown(&self) -> Result<()> {
        self.folders.stop_all().await;
        Ok(())
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        let call = commands::table::parse(&params.command, params.arguments, &|| self.phases())
            .map_err(|error| failure(ErrorCode::InvalidParams, error.to_string()))?;
        let capabilities = self.capabilities.get().copied().unwrap_or_default();
        commands::run(&self.folders, (&self.client, capabilities), call)
            .await
            .map(Some)
            .map_err(|error| self.refused(&error))
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        self.change_document(|documents| documents.did_open(params));
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        self.change_document(|documents| documents.did_change(params));
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        self.change_document(|documents| documents.did_save(params));
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.change_document(|documents| documents.did_close(params));
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        Ok(requests::actions(&self.folders, params).await)
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        Ok(requests::code_lenses(&self.folders, params).await)
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        Ok(requests::hover_at(&self.folders, params).await)
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        if self.root.is_some() {
            return;
        }
        for path in params.event.removed.iter().filter_map(|folder| from_proto::path(&folder.uri)) {
            if let Some(folder) = self.folders.remove(&path) {
                tokio::spawn(async move { folder.close().await });
            }
        }
        for path in params.event.added.iter().filter_map(|folder| from_proto::path(&folder.uri)) {
            if let Some(folder) = self.add_folder(path) {
                self.open(folder);
            }
        }
    }
}

fn advertised(encoding: Encoding, phases: &Phases) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions { include_text: Some(false) })),
            ..TextDocumentSyncOptions::default()
        })),
        code_action_provider: Some(CodeActionProviderCapability::Options(code_actions::options())),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(false) }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: commands::table::ids(phases),
            ..ExecuteCommandOptions::default()
        }),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            file_operations: None,
        }),
        ..ServerCapabilities::default()
    }
}

fn failure(code: ErrorCode, message: String) -> Error {
    Error { code, message: message.into(), data: None }
}
