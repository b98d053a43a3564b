//! Running the program, and reading what it prints.

use std::io::Read as _;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use maestro_entry::block::{self, Line, NotSent};
use sha2::{Digest as _, Sha256};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_maestro-entry");

/// What `maestro-entry` does with these arguments.
pub(crate) fn entry(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

/// Runs a script for `sh`, with options of `run` before it.
pub(crate) fn run(options: &[&str], script: &str) -> Output {
    let arguments = [&["run"], options, &["--", "sh", "-c", script]].concat();
    entry(&arguments)
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What is printed beside a block, and what the block says.
pub(crate) fn printed(stdout: &[u8]) -> (String, Option<Result<Vec<u8>, NotSent>>) {
    let (mut beside, mut packed, mut said) = (String::new(), Vec::new(), None);
    for line in stdout.split_inclusive(|byte| *byte == b'\n') {
        match block::parse(line.strip_suffix(b"\n").unwrap_or(line)) {
            None => beside.push_str(text(line)),
            Some((_, Line::Begin)) => {}
            Some((_, Line::Data(base64))) => packed.extend(STANDARD.decode(base64).unwrap()),
            Some((_, Line::None(reason))) => said = Some(Err(reason)),
            Some((
                _,
                Line::End {
                    packed: bytes,
                    unpacked,
                    sha256,
                },
            )) => {
                assert_eq!(packed.len() as u64, bytes);
                assert_eq!(<[u8; 32]>::from(Sha256::digest(&packed)), sha256);
                let mut report = Vec::new();
                GzDecoder::new(packed.as_slice())
                    .read_to_end(&mut report)
                    .unwrap();
                assert_eq!(report.len() as u64, unpacked);
                said = Some(Ok(report));
            }
        }
    }
    (beside, said)
}
