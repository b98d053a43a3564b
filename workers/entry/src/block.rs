//! A report as lines of a log.
//!
//! ```text
//! ::maestro-junit.1:6f0c…:begin
//! ::maestro-junit.1:6f0c…:+H4sIAAAAAAAA/7WRQW…
//! ::maestro-junit.1:6f0c…:+…
//! ::maestro-junit.1:6f0c…:end 812 4711 9f86d081…
//! ```
//!
//! Between the second and the last line stands the report, compressed with gzip and written as base64 (RFC 4648, with
//! padding, each line by itself). The last line has the number of compressed bytes, the number of the report's own, and
//! the SHA-256 of the compressed ones. Where there is nothing to send, one line says why: `…:none missing`.
//!
//! A line has at most [`MAX_LINE`] bytes and is written in one piece, which a pipe keeps in one piece up to 4096
//! (`PIPE_BUF`, see pipe(7)): what other processes print meanwhile stands between lines, never within one, and readers
//! that split long lines (container runtimes do, at 8 or 16 KiB) split none of these.
//!
//! The nonce keeps the lines of one block together. It is no secret: a test can print a block as well, having the same
//! standard output. So **the last block counts**, and if that one is not complete, none does. `maestro-entry` speaks after
//! the command has ended and after what the command left running has been ended, so the last word is its own; whoever gets
//! around that has forged the report of their own tests, which they could have done in the file as well.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// What each line begins with. The number is the version of the format.
pub const PREFIX: &str = "::maestro-junit.1:";

/// The most bytes of a line, its end not counted.
pub const MAX_LINE: usize = 1023;

/// The most bytes of a report, before compression, unless told otherwise: 4 MiB.
pub const MAX_REPORT: usize = 4 * 1024 * 1024;

/// Bytes of the compressed report in one line; as base64 they are 960.
const CHUNK: usize = 720;

/// Which block a line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(u64);

impl Nonce {
    /// One that no other block has, by all likelihood.
    pub fn random() -> Self {
        use std::hash::{BuildHasher, Hasher, RandomState};
        Self(RandomState::new().build_hasher().finish())
    }
}

/// Why no report is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// There is no file.
    #[error("the tests wrote no report")]
    Missing,
    /// The file was there before the command and is as it was: it is of another run.
    #[error("the tests wrote no report; the one in its place was there before")]
    Stale,
    /// It is no regular file.
    #[error("what stands in the place of the report is no file")]
    NotAFile,
    /// It cannot be read.
    #[error("the report cannot be read")]
    Unreadable,
    /// It is larger than it may be.
    #[error("the report has {bytes} bytes, but {limit} are the most that is sent")]
    TooLarge {
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        limit: u64,
    },
}

/// What a line of a block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// A report follows.
    Begin,
    /// The next piece of it, as base64.
    Data(&'a [u8]),
    /// It is complete.
    End {
        /// Compressed bytes.
        packed: u64,
        /// Bytes of the report.
        unpacked: u64,
        /// The SHA-256 of the compressed bytes.
        sha256: [u8; 32],
    },
    /// There is no report.
    None(NotSent),
}

/// Writes a report, each line by one call of `write`.
pub fn write(report: &[u8], nonce: Nonce, out: &mut impl Write) -> io::Result<()> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(report)?;
    let packed = encoder.finish()?;
    begin(&Line::Begin, nonce, out)?;
    for chunk in packed.chunks(CHUNK) {
        let data = STANDARD.encode(chunk);
        line(&Line::Data(data.as_bytes()), nonce, out)?;
    }
    let end = Line::End {
        packed: packed.len() as u64,
        unpacked: report.len() as u64,
        sha256: Sha256::digest(&packed).into(),
    };
    line(&end, nonce, out)
}

/// Says why there is no report.
pub fn write_none(reason: NotSent, nonce: Nonce, out: &mut impl Write) -> io::Result<()> {
    begin(&Line::None(reason), nonce, out)
}

/// A block's first line. The command's last one may have no end, so an end is put before; the reader takes it out again.
fn begin(first: &Line<'_>, nonce: Nonce, out: &mut impl Write) -> io::Result<()> {
    out.write_all(format!("\n{}\n", text(first, nonce)).as_bytes())
}

fn line(line: &Line<'_>, nonce: Nonce, out: &mut impl Write) -> io::Result<()> {
    out.write_all(format!("{}\n", text(line, nonce)).as_bytes())
}

fn text(line: &Line<'_>, nonce: Nonce) -> String {
    let said = match line {
        Line::Begin => "begin".to_owned(),
        Line::Data(base64) => format!("+{}", String::from_utf8_lossy(base64)),
        Line::End {
            packed,
            unpacked,
            sha256,
        } => {
            let digits: Vec<String> = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("end {packed} {unpacked} {}", digits.concat())
        }
        Line::None(NotSent::Missing) => "none missing".to_owned(),
        Line::None(NotSent::Stale) => "none stale".to_owned(),
        Line::None(NotSent::NotAFile) => "none not-a-file".to_owned(),
        Line::None(NotSent::Unreadable) => "none unreadable".to_owned(),
        Line::None(NotSent::TooLarge { bytes, limit }) => format!("none too-large {bytes} {limit}"),
    };
    format!("{PREFIX}{:016x}:{said}", nonce.0)
}

/// Reads a line, without its end; nothing where it is none of a block.
pub fn parse(line: &[u8]) -> Option<(Nonce, Line<'_>)> {
    let rest = line.strip_prefix(PREFIX.as_bytes())?;
    let (nonce, said) = rest.split_at_checked(16)?;
    let nonce = Nonce(number(nonce, 16)?);
    let said = said.strip_prefix(b":")?;
    if let Some(data) = said.strip_prefix(b"+") {
        return Some((nonce, Line::Data(data)));
    }
    let mut words = said.split(|byte| *byte == b' ');
    let mut next = || words.next();
    let line = match next()? {
        b"begin" => Line::Begin,
        b"end" => Line::End {
            packed: number(next()?, 10)?,
            unpacked: number(next()?, 10)?,
            sha256: hash(next()?)?,
        },
        b"none" => Line::None(match next()? {
            b"missing" => NotSent::Missing,
            b"stale" => NotSent::Stale,
            b"not-a-file" => NotSent::NotAFile,
            b"unreadable" => NotSent::Unreadable,
            b"too-large" => NotSent::TooLarge {
                bytes: number(next()?, 10)?,
                limit: number(next()?, 10)?,
            },
            _ => return None,
        }),
        _ => return None,
    };
    next().is_none().then_some((nonce, line))
}

/// Digits alone: neither a sign nor capital letters.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let plain = digits
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(digits).ok().filter(|_| plain)?;
    u64::from_str_radix(text, radix).ok()
}

fn hash(digits: &[u8]) -> Option<[u8; 32]> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let bytes = pairs
        .iter()
        .map(|pair| number(pair, 16).and_then(|byte| u8::try_from(byte).ok()))
        .collect::<Option<Vec<u8>>>()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_REASONS: [NotSent; 5] = [
        NotSent::Missing,
        NotSent::Stale,
        NotSent::NotAFile,
        NotSent::Unreadable,
        NotSent::TooLarge {
            bytes: 12,
            limit: 10,
        },
    ];

    #[test]
    fn every_line_is_read_as_it_was_written() {
        let nonce = Nonce::random();
        let end = Line::End {
            packed: u64::MAX,
            unpacked: 0,
            sha256: [0xab; 32],
        };
        let lines = [Line::Begin, Line::Data(b"QUJD"), end]
            .into_iter()
            .chain(ALL_REASONS.map(Line::None));
        for line in lines {
            assert_eq!(parse(text(&line, nonce).as_bytes()), Some((nonce, line)));
        }
        assert_ne!(nonce, Nonce::random());
    }

    #[test]
    fn what_is_only_like_a_line_is_none() {
        let none = format!("{PREFIX}0123456789abcdef:none missing");
        assert!(parse(none.as_bytes()).is_some());
        for text in [
            format!(" {none}"),
            format!("{none} "),
            format!("{none} x"),
            format!("{none}\r"),
            none.replace("0123", "+123"),
            none.replace("abcdef", "ABCDEF"),
            none.replace("none missing", "none"),
            none.replace("none missing", "none so"),
            none.replace("none missing", "none too-large 1"),
            none.replace("none missing", "end 1 2 abc"),
            none.replace("none missing", "end 1 -2 00"),
            none.replace("none missing", ""),
            PREFIX.to_owned(),
            String::new(),
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn no_line_is_longer_than_the_most_and_each_is_written_at_once() {
        struct Calls(Vec<Vec<u8>>);
        impl Write for Calls {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.to_owned());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        // What does not get smaller by compression.
        let mut state = 1_u64;
        let report: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(100_000)
        .collect();
        let mut calls = Calls(Vec::new());
        write(&report, Nonce(7), &mut calls).unwrap();
        for reason in ALL_REASONS {
            write_none(reason, Nonce(u64::MAX), &mut calls).unwrap();
        }
        for call in &calls.0 {
            let line = call.strip_prefix(b"\n").unwrap_or(call);
            let line = line.strip_suffix(b"\n").unwrap();
            assert!(line.len() <= MAX_LINE && parse(line).is_some());
        }
        let data = calls.0.iter().filter(|call| call.len() > 900).count();
        assert!(data >= 100_000 / CHUNK);
    }
}
