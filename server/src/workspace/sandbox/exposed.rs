//! What the levels without a view share: a check runs in the real tree and can read every file of the user. Its environment is
//! the same as in a view, and since it can read files of secrets, what they hold is masked in what it prints.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::environment::{Wanted, of_check};
#[cfg(unix)]
use super::hidden::home_of_user;
use super::hidden::{Found, Listings, Places, at_home, find};
use super::job::Job;
use crate::workspace::Workspace;

/// The user of this process.
#[derive(Debug, Clone)]
pub(super) struct Exposed {
    /// All variables of this process.
    pub(super) variables: Vec<(OsString, OsString)>,
    homes: Vec<PathBuf>,
    /// Looked up at the first check, as it takes its time.
    at_home: Arc<OnceLock<Found>>,
}

/// What a check is given, and what is not to be seen in what it prints.
pub(super) struct Given {
    pub(super) variables: Vec<(OsString, OsString)>,
    pub(super) masked: Vec<String>,
}

impl Exposed {
    pub(super) fn of_process() -> Self {
        let variables: Vec<(OsString, OsString)> = env::vars_os().collect();
        let names = ["HOME", "USERPROFILE"];
        let named = variables.iter().filter(|(name, _)| names.iter().any(|home| name == home));
        let homes = named.map(|(_, value)| PathBuf::from(value));
        #[cfg(unix)]
        let homes = homes.chain(home_of_user());
        Self { homes: homes.filter(|home| home.is_absolute()).collect(), variables, at_home: Arc::default() }
    }

    /// A user with these variables and no home folder.
    #[cfg(test)]
    pub(super) fn with(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Self { variables, homes: Vec::new(), at_home: Arc::default() }
    }

    /// The environment of a job, and the values to be masked: those that are kept from it, and those of the files of
    /// secrets.
    pub(super) async fn give(&self, workspace: &Workspace, job: &Job) -> Given {
        let wanted = Wanted { secrets: job.secrets, network: job.network, ..Wanted::default() };
        let environment = of_check(&self.variables, wanted);
        let places = Places {
            workspace: workspace.root().to_owned(),
            homes: self.homes.clone(),
            own: Vec::new(),
            named: environment.secret_places.iter().map(PathBuf::from).collect(),
        };
        let known = self.at_home.clone();
        let values = tokio::task::spawn_blocking(move || {
            find(&places, known.get_or_init(|| at_home(&places)), &mut Listings::default()).values()
        });
        let mut masked = environment.masked;
        masked.extend(values.await.unwrap_or_default());
        Given { variables: environment.variables, masked }
    }
}
