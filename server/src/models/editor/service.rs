use async_trait::async_trait;
use serde_json::Value;

/// An editor that offers its models.
#[async_trait]
pub trait EditorModels: Send + Sync {
    /// Send one turn's request and wait for the answer, however long it takes. The future may be dropped at any
    /// moment, which withdraws the request.
    ///
    /// # Errors
    /// When there is no answer.
    async fn turn(&self, request: Value) -> Result<Value, EditorRefusal>;
}

/// Why an editor gives no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditorRefusal {
    /// What kind of failure.
    pub kind: RefusalKind,
    /// What the editor says, which is untrusted.
    pub said: String,
}

/// What kind of failure an [`EditorRefusal`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The model's provider blocked the request: a quota, a policy, a filter.
    Blocked,
    /// The user has not allowed the use of the models.
    NoPermission,
    /// There is no model to serve the tier.
    NotFound,
    /// The user stopped the turn in the editor.
    Cancelled,
    /// The editor does not know the request.
    Unsupported,
    /// Anything else, which may be over the next time.
    Failed,
    /// The editor left.
    Gone,
}
