//! Logs of containers: the last lines of one that failed, and one that is followed from its first line.

use std::time::Duration;

use futures_util::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::LogParams;
use tokio_util::sync::CancellationToken;

use super::Cluster;

/// How long the last lines may take: a verdict does not wait for a node that does not answer.
const TAIL: Duration = Duration::from_millis(700);
/// How long to wait before a log is asked for again.
const AGAIN: Duration = Duration::from_millis(250);
/// How long what is left of a log may take, once its container has ended.
const REST: Duration = Duration::from_secs(10);
/// The longest time stamp at the beginning of a line, `2026-07-01T12:00:00.123456789+00:00`, with some room.
const STAMP: usize = 48;

/// A container of a pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContainerOf<'a> {
    /// Its namespace.
    pub(crate) namespace: &'a str,
    /// Its pod.
    pub(crate) pod: &'a str,
    /// Its name.
    pub(crate) container: &'a str,
}

impl Cluster {
    /// The last lines of a container's log; of the run before this one with `previous`. Nothing if they cannot be had soon.
    pub(crate) async fn last_lines(
        &self,
        of: ContainerOf<'_>,
        lines: u16,
        previous: bool,
    ) -> Option<String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), of.namespace);
        let parameters = LogParams {
            container: Some(of.container.to_owned()),
            tail_lines: Some(lines.into()),
            limit_bytes: Some(16 * 1024),
            previous,
            ..LogParams::default()
        };
        let answer = tokio::time::timeout(TAIL, pods.logs(of.pod, &parameters)).await;
        match answer {
            Ok(Ok(text)) if !text.trim().is_empty() => Some(text),
            Ok(Err(error)) => {
                tracing::debug!(pod = of.pod, container = of.container, %error, "no log");
                None
            }
            Ok(Ok(_)) | Err(_) => None,
        }
    }

    /// Feeds a container's log from its first line to its last. Returns some seconds after `ended` fires at the latest, and
    /// says whether the end of the log was seen. A broken connection is made again, and goes on where it broke off.
    pub(crate) async fn follow(
        &self,
        container: ContainerOf<'_>,
        ended: &CancellationToken,
        mut feed: impl FnMut(&[u8]),
    ) -> bool {
        let mut lines = Lines::default();
        let reading = async {
            loop {
                // What is asked for after the end needs no following, and is all there is.
                let is_last = ended.is_cancelled();
                let is_whole = self.read(container, !is_last, &mut lines, &mut feed).await;
                if is_last {
                    return is_whole;
                }
                tokio::select! {
                    () = ended.cancelled() => {}
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
        };
        let overdue = async {
            ended.cancelled().await;
            tokio::time::sleep(REST).await;
        };
        tokio::select! {
            is_whole = reading => is_whole,
            () = overdue => false,
        }
    }

    /// Whether the log was read to the end of what there is.
    async fn read(
        &self,
        of: ContainerOf<'_>,
        follow: bool,
        lines: &mut Lines,
        feed: &mut impl FnMut(&[u8]),
    ) -> bool {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), of.namespace);
        let parameters = LogParams {
            container: Some(of.container.to_owned()),
            follow,
            timestamps: true,
            since_time: lines.last,
            ..LogParams::default()
        };
        let stream = match pods.log_stream(of.pod, &parameters).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(pod = of.pod, container = of.container, %error, "no log yet");
                return false;
            }
        };
        lines.begin();
        match copy(stream, |chunk| lines.take(chunk, feed)).await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(pod = of.pod, container = of.container, %error, "a log broke off");
                false
            }
        }
    }
}

async fn copy(stream: impl AsyncBufRead, mut take: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut stream = std::pin::pin!(stream);
    loop {
        let chunk = stream.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(());
        }
        take(chunk);
        let length = chunk.len();
        stream.consume_unpin(length);
    }
}

/// A log with a time stamp before each line: takes the stamps off, and leaves out what an earlier connection had brought.
#[derive(Debug, Default)]
struct Lines {
    /// The stamp of the newest line.
    last: Option<Timestamp>,
    /// The newest line of the connections before this one.
    seen: Option<Timestamp>,
    stamp: Vec<u8>,
    place: Place,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Stamp,
    Line,
    Repeated,
}

impl Lines {
    /// A new connection begins, with a line.
    fn begin(&mut self) {
        self.seen = self.last;
        self.stamp.clear();
        self.place = Place::Stamp;
    }

    fn take(&mut self, mut chunk: &[u8], feed: &mut impl FnMut(&[u8])) {
        while !chunk.is_empty() {
            if self.place == Place::Stamp {
                let end = chunk
                    .iter()
                    .position(|byte| *byte == b' ' || *byte == b'\n');
                let part = &chunk[..end.unwrap_or(chunk.len())];
                self.stamp.extend_from_slice(part);
                chunk = &chunk[part.len()..];
                if end.is_some() || self.stamp.len() > STAMP {
                    self.read_stamp(&mut chunk, feed);
                }
                continue;
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let line = &chunk[..end.map_or(chunk.len(), |end| end + 1)];
            if self.place == Place::Line {
                feed(line);
            }
            if end.is_some() {
                self.place = Place::Stamp;
            }
            chunk = &chunk[line.len()..];
        }
    }

    fn read_stamp(&mut self, chunk: &mut &[u8], feed: &mut impl FnMut(&[u8])) {
        let stamp = std::str::from_utf8(&self.stamp)
            .ok()
            .and_then(|text| text.parse::<Timestamp>().ok());
        match stamp {
            Some(stamp) if self.seen.is_some_and(|seen| stamp <= seen) => {
                self.place = Place::Repeated;
            }
            Some(stamp) => {
                self.last = Some(stamp);
                self.place = Place::Line;
            }
            // No stamp after all: it is the line's own.
            None => {
                feed(&self.stamp);
                self.place = Place::Line;
                self.stamp.clear();
                return;
            }
        }
        self.stamp.clear();
        if let Some(rest) = chunk.strip_prefix(b" ") {
            *chunk = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &mut Lines, text: &str, size: usize) -> String {
        let mut out = Vec::new();
        lines.begin();
        for chunk in text.as_bytes().chunks(size) {
            lines.take(chunk, &mut |part| out.extend_from_slice(part));
        }
        String::from_utf8(out).unwrap()
    }

    const FIRST: &str =
        "2026-07-01T12:00:00.1Z one\n2026-07-01T12:00:00.12Z two words\n2026-07-01T12:00:01Z \n";

    #[test]
    fn stamps_are_taken_off_however_the_log_is_cut() {
        for size in 1..FIRST.len() {
            let mut lines = Lines::default();
            assert_eq!(
                read(&mut lines, FIRST, size),
                "one\ntwo words\n\n",
                "{size}"
            );
        }
    }

    #[test]
    fn what_an_earlier_connection_brought_is_left_out() {
        let second = "2026-07-01T12:00:00.12Z two words\n2026-07-01T12:00:01Z \n2026-07-01T12:00:01.5Z three\n";
        for size in 1..second.len() {
            let mut lines = Lines::default();
            read(&mut lines, FIRST, 7);
            assert_eq!(read(&mut lines, second, size), "three\n", "{size}");
        }
    }

    #[test]
    fn a_line_without_a_stamp_is_kept_as_it_is() {
        let text = "unable to retrieve container logs\nx\n2026-07-01T12:00:01Z y\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let said = read(&mut lines, text, size);
            assert_eq!(said, "unable to retrieve container logs\nx\ny\n", "{size}");
        }
    }
}
