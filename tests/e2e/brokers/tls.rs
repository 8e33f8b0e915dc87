//! Certificates made here, and what must hold of every broker that is reached by TLS.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Broker, all_events, doctor, finds, notices, program, run_to};
use crate::support::greeting::{GREETING, script};
use crate::support::messages_api::MessagesApi;
use crate::support::session::Session;

/// A server's certificate for 127.0.0.1, and who issued it.
pub(super) struct Certificates {
    _folder: TempDir,
    /// The issuer's certificate.
    pub(super) issuer: PathBuf,
    /// The certificate of somebody who issued nothing.
    pub(super) stranger: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Certificates {
    pub(super) fn make() -> Option<Self> {
        let openssl = program("openssl")?;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let make = |name: &str, more: &[&str]| {
            let mut command = Command::new(&openssl);
            command.current_dir(folder.path()).args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]);
            command.args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", &format!("/CN={name}")]);
            command.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]).args(more);
            let made = command.stdin(Stdio::null()).output().expect("openssl runs");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        };
        make("issuer", &[]);
        make("stranger", &[]);
        let of_server = ["basicConstraints=critical,CA:FALSE", "subjectAltName=IP:127.0.0.1"];
        let [ca, name] = of_server;
        make("server", &["-CA", "issuer.pem", "-CAkey", "issuer.key", "-addext", ca, "-addext", name]);
        Some(Self {
            issuer: path("issuer.pem"),
            stranger: path("stranger.pem"),
            certificate: path("server.pem"),
            key: path("server.key"),
            _folder: folder,
        })
    }
}

/// Whose issuer is not trusted gets nothing, which is told with what to do; and everything as soon as it is.
pub(super) fn only_a_trusted_one_gets_events(broker: &impl Broker, certificates: &Certificates, password: &str) {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let _server = broker.start(&session.path(".."));
    let sink = broker.address(password);
    run_to(&session, &api, &sink).env("SSL_CERT_FILE", &certificates.stranger).run().expect(0);
    let told = "takes no events: its certificate is not trusted: UnknownIssuer; let this system trust its issuer, or name the \
                issuer's file in SSL_CERT_FILE";
    assert_eq!(notices(&session, told), 1);
    let told = " takes no events: its certificate is not trusted: UnknownIssuer";
    finds(doctor(&session, &api, &sink).env("SSL_CERT_FILE", &certificates.stranger), told);
    let flush = session.baton(["events", "--flush"]).env("BATON_SINKS", &sink);
    flush.env("SSL_CERT_FILE", &certificates.issuer).run().expect(0);
    assert_eq!(broker.events(), all_events(&session));
    finds(doctor(&session, &api, &sink).env("SSL_CERT_FILE", &certificates.issuer), " answers");
}
