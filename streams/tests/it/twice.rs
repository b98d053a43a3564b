//! A commit that Redis has carried out comes a second time, word for word: a client for a cluster sends again what it had no answer to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use maestro_streams::{Delivery, Entry, Handler, Inspection, Outcome};

use crate::rig::{Rig, config, done, job, until};

/// Enough for a commit that looks no entry up.
const MANY: usize = 40;

/// Handles nothing for a long time.
struct Later;

impl Handler for Later {
    fn inspect(&self, _: &Entry) -> Inspection {
        Inspection::not_before(u64::MAX / 4)
    }

    async fn handle(&self, delivery: Delivery) -> Outcome {
        done(&delivery)
    }
}

/// What the server is asked from now on, a command each, as `MONITOR` prints it.
fn overheard(rig: &Rig) -> Receiver<String> {
    let mut stream = UnixStream::connect(rig.server.socket().expect("a socket")).expect("MONITOR");
    stream.write_all(b"MONITOR\r\n").expect("MONITOR");
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next().expect("an answer").expect("a line"), "+OK");
    let (sender, receiver) = channel();
    // It ends with the server.
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// The words of a command, without the escapes of `MONITOR`.
fn words(line: &str) -> Vec<Vec<u8>> {
    let Some((_, mut rest)) = line.split_once("] ") else {
        return Vec::new();
    };
    let mut words = Vec::new();
    while let Some(begun) = rest.strip_prefix('"') {
        let (mut word, mut bytes) = (Vec::new(), begun.bytes().enumerate());
        rest = loop {
            match bytes.next().expect("a word ends") {
                (at, b'"') => break begun[at + 1..].trim_start(),
                (_, b'\\') => match bytes.next().expect("an escape").1 {
                    b'x' => {
                        let mut digit = || char::from(bytes.next().expect("a digit").1);
                        let hex: String = [digit(), digit()].into_iter().collect();
                        word.push(u8::from_str_radix(&hex, 16).expect("two digits"));
                    }
                    b'n' => word.push(b'\n'),
                    b'r' => word.push(b'\r'),
                    b't' => word.push(b'\t'),
                    b'a' => word.push(7),
                    b'b' => word.push(8),
                    other => word.push(other),
                },
                (_, byte) => word.push(byte),
            }
        };
        words.push(word);
    }
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_commit_has_set_aside_is_still_there_when_it_comes_again() {
    let rig = Rig::new();
    let messages: Vec<_> = (0..MANY).map(|n| job(&n.to_string())).collect();
    let heard = overheard(&rig);
    rig.publisher().publish(&messages).await.unwrap();
    let worker = rig.start(config(), Later);
    let waiting = || rig.len_of("ZCARD", "{jobs}:delayed");
    until("all wait", || async { waiting().await == MANY as u64 }).await;
    let mut again = 0;
    let mut connection = rig.redis().await;
    for line in heard.try_iter() {
        let words = words(&line);
        // The commit alone appends dead letters.
        if words.first().is_some_and(|word| word == b"EVALSHA")
            && words.iter().any(|word| word == b"{jobs}:dead")
            && words.iter().any(|word| word == b"l")
        {
            let mut command = redis::cmd("EVALSHA");
            for word in &words[1..] {
                command.arg(&word[..]);
            }
            let _: redis::Value = command.query_async(&mut connection).await.unwrap();
            again += 1;
        }
    }
    assert!(again > 0);
    assert_eq!(waiting().await, MANY as u64);
    worker.stop().await;
}
