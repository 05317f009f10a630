//! A scripted server that accepts lines as InfluxDB does, or fails.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// The reply to a request.
pub(crate) enum Reply {
    /// Accept all lines.
    Accept,
    /// Accept the lines without this word, and answer that the others are bad.
    Partial(&'static str),
    /// Accept nothing; the status, further headers, and the body.
    Refuse(u16, &'static str, &'static str),
    /// Accept nothing and send no answer until the client closes the connection.
    NoAnswer,
}

/// A request that the server got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) bytes: usize,
    pub(crate) lines: usize,
    /// Whether its lines were accepted.
    pub(crate) accepted: bool,
}

type Script = dyn FnMut(&str) -> Reply + Send;

#[derive(Default)]
struct State {
    /// The fields of each point, by measurement with tags and time.
    points: BTreeMap<(String, String), String>,
    seen: Vec<Seen>,
    /// The numbers of the requests whose connection is closed in the middle of the body.
    resets: Range<usize>,
}

/// A server that listens until the process ends.
pub(crate) struct Scripted {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl Scripted {
    /// Starts a server that calls `script` with the body of each request to get the reply.
    pub(crate) fn start(script: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        Self::start_with_resets(0..0, script)
    }

    /// Like [`Self::start`], but closes the connection in the middle of the body for the requests with these numbers.
    pub(crate) fn start_with_resets(resets: Range<usize>, script: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State { resets, ..State::default() }));
        let script: Arc<Mutex<Box<Script>>> = Arc::new(Mutex::new(Box::new(script)));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, script) = (Arc::clone(&shared), Arc::clone(&script));
                thread::spawn(move || while let Ok(true) = serve(&stream, &state, &script) {});
            }
        });
        Self { address, state }
    }

    /// The accepted points: measurement with tags, time, and fields.
    pub(crate) fn points(&self) -> BTreeMap<(String, String), String> {
        self.state.lock().unwrap().points.clone()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }
}

/// Serves one request; returns whether another one may follow on the connection.
fn serve(stream: &TcpStream, state: &Mutex<State>, script: &Mutex<Box<Script>>) -> io::Result<bool> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length / 2];
    reader.read_exact(&mut body)?;
    let at = Instant::now();
    {
        let mut state = state.lock().unwrap();
        state.seen.push(Seen { at, head, bytes: length, lines: 0, accepted: false });
        if state.resets.contains(&state.seen.len()) {
            return Ok(false);
        }
    }
    let mut rest = vec![0; length - body.len()];
    reader.read_exact(&mut rest)?;
    body.extend(rest);
    let reply = (script.lock().unwrap())(&String::from_utf8_lossy(&body));
    let (status, headers, text, bad) = match reply {
        Reply::Accept => (204, "", "", Some("\n")),
        Reply::Partial(bad) => (400, "", r#"{"error":"partial write: a bad line dropped=1"}"#, Some(bad)),
        Reply::Refuse(status, headers, text) => (status, headers, text, None),
        Reply::NoAnswer => return reader.read(&mut [0]).map(|_| false),
    };
    let mut state_now = state.lock().unwrap();
    if let Some(seen) = state_now.seen.iter_mut().find(|seen| seen.at == at) {
        seen.lines = String::from_utf8_lossy(&body).lines().count();
        seen.accepted = bad.is_some();
    }
    drop(state_now);
    if let Some(bad) = bad {
        let mut state = state.lock().unwrap();
        for line in String::from_utf8(body).unwrap().lines().filter(|line| !line.contains(bad)) {
            let (rest, time) = line.rsplit_once(' ').unwrap();
            let (series, fields) = rest.rsplit_once(' ').unwrap();
            state.points.insert((series.to_owned(), time.to_owned()), fields.to_owned());
        }
    }
    let answer = format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {}\r\n\r\n{text}", text.len());
    (&*stream).write_all(answer.as_bytes())?;
    Ok(true)
}
