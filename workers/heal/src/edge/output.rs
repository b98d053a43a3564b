//! A command's output, read to its end and kept to a bound.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The head and the tail of a stream of any length.
pub(super) struct Bounded {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    omitted: u64,
}

impl Bounded {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            half: limit / 2,
            head: Vec::new(),
            tail: VecDeque::new(),
            omitted: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(head);
        // Of one large piece only its end can survive.
        let (skipped, kept) = rest.split_at(rest.len().saturating_sub(self.half));
        self.tail.extend(kept);
        let surplus = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..surplus);
        self.omitted += (skipped.len() + surplus) as u64;
    }

    /// Reads until the end of the stream. An error of reading ends it as well: the writer is gone.
    pub(super) async fn drain(&mut self, mut stream: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            self.push(&buffer[..count]);
        }
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        if self.omitted > 0 {
            self.head
                .extend_from_slice(format!("\n… {} bytes omitted …\n", self.omitted).as_bytes());
        }
        self.head.extend(self.tail);
        self.head
    }
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    #[test]
    fn a_short_output_is_kept_whole() {
        let mut output = Bounded::new(8);
        output.push(b"abc");
        output.push(b"defgh");
        assert_eq!(output.into_bytes(), b"abcdefgh");
    }

    #[test]
    fn of_a_long_output_the_head_and_the_tail_are_kept() {
        for piece in [1, 3, 1000] {
            let mut output = Bounded::new(8);
            let bytes: Vec<u8> = (b'a'..=b'z').collect();
            bytes.chunks(piece).for_each(|chunk| output.push(chunk));
            assert_eq!(
                String::from_utf8(output.into_bytes()).unwrap(),
                "abcd\n… 18 bytes omitted …\nwxyz"
            );
        }
    }
}
