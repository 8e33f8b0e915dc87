//! Whether a server listens at an address, looked at for a moment: where nothing is set up, one that runs here may serve.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

/// How long is looked, in all. A server on this machine answers within a millisecond.
const PATIENCE: Duration = Duration::from_millis(200);

/// Whether something accepts a connection there. Nothing is sent.
pub(super) fn is_listening(host: &str, port: u16) -> bool {
    let host = host.trim_matches(['[', ']']).to_owned();
    let (found, answer) = mpsc::channel();
    // On a thread of its own: looking a name up may take longer than one has patience for. It ends by itself.
    let looking = std::thread::Builder::new().name("listening".to_owned()).spawn(move || {
        let Ok(addresses) = (host.as_str(), port).to_socket_addrs() else { return };
        for address in addresses {
            if TcpStream::connect_timeout(&address, PATIENCE).is_ok() {
                // Nobody waits for it any more where that took too long.
                let _ = found.send(());
                return;
            }
        }
    });
    looking.is_ok() && answer.recv_timeout(PATIENCE).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_is_found_where_it_listens_and_nowhere_else() {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = server.local_addr().expect("an address").port();
        assert!(is_listening("127.0.0.1", port));
        drop(server);
        assert!(!is_listening("127.0.0.1", port));
        assert!(!is_listening("no such host", port) && !is_listening("[::1", 1));
    }
}
