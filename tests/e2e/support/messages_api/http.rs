//! As much of HTTP/1.1 as the server needs.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A client that has connected.
pub struct Connection {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

/// A request, whatever it is about.
pub struct HttpRequest {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(stream.try_clone()?), writer: stream })
    }

    /// The next request; `None` when the client has left.
    pub fn read_request(&mut self) -> io::Result<Option<HttpRequest>> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err(io::Error::other("no request line"));
        };
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(Some(HttpRequest { method, path, headers, body }))
    }

    pub fn respond(&mut self, code: u16, headers: &[(String, String)], body: &[u8]) -> io::Result<()> {
        let mut response = format!("HTTP/1.1 {code} Scripted\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            response.push_str(&format!("{name}: {value}\r\n"));
        }
        response.push_str("\r\n");
        let mut response = response.into_bytes();
        response.extend_from_slice(body);
        self.writer.write_all(&response)
    }

    /// The beginning of a response, unchanged.
    pub fn begin(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes())
    }

    pub fn start_stream(&mut self, headers: &[(&str, &str)]) -> io::Result<()> {
        let mut response = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n".to_owned();
        for (name, value) in headers {
            response.push_str(&format!("{name}: {value}\r\n"));
        }
        response.push_str("\r\n");
        self.writer.write_all(response.as_bytes())
    }

    /// Each piece is a chunk of its own, and a client's HTTP library hands each on by itself: where the pieces are
    /// split, the client sees them split, however TCP packs them.
    pub fn send_chunks(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let mut out = Vec::new();
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        }
        self.writer.write_all(&out)
    }

    pub fn end_stream(&mut self) -> io::Result<()> {
        self.writer.write_all(b"0\r\n\r\n")
    }

    /// Hang up in the middle of whatever was going on.
    pub fn close(&mut self) -> io::Result<()> {
        self.writer.shutdown(Shutdown::Both)?;
        Err(io::Error::other("closed by the script"))
    }

    /// Send this again and again until the client hangs up.
    pub fn trickle(&mut self, bytes: &[u8], is_stopped: impl Fn() -> bool) -> io::Result<()> {
        while !is_stopped() {
            self.writer.write_all(bytes)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        self.close()
    }

    /// Send nothing more until the client hangs up.
    pub fn wait_until_left(&mut self, is_stopped: impl Fn() -> bool) -> io::Result<()> {
        self.writer.set_read_timeout(Some(Duration::from_millis(50)))?;
        let mut byte = [0];
        loop {
            match self.reader.read(&mut byte) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
            if is_stopped() {
                return self.close();
            }
        }
    }
}
