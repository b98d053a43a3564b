//! The blocks of a report, put together from the lines of a log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maestro_entry::block::{Line, Nonce, NotSent};
use sha2::{Digest as _, Sha256};

use super::unpack::{ReportError, unpack};

/// Puts blocks together; the last one counts.
#[derive(Debug)]
pub(super) struct Collector {
    /// The most bytes of a report.
    limit: usize,
    open: Option<Open>,
    last: Last,
}

#[derive(Debug)]
struct Open {
    nonce: Nonce,
    packed: Vec<u8>,
    fault: Option<ReportError>,
}

#[derive(Debug)]
enum Last {
    /// No block was met.
    Nothing,
    Whole {
        packed: Vec<u8>,
        unpacked: u64,
    },
    None(NotSent),
    Broken(ReportError),
}

impl Collector {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            open: None,
            last: Last::Nothing,
        }
    }

    pub(super) fn take(&mut self, nonce: Nonce, line: Line<'_>) {
        match line {
            Line::Begin => {
                self.last = Last::Nothing;
                self.open = Some(Open {
                    nonce,
                    packed: Vec::new(),
                    fault: None,
                });
            }
            Line::None(reason) => {
                self.open = None;
                self.last = Last::None(reason);
            }
            Line::Data(base64) => {
                let most = most_packed(self.limit);
                if let Some(open) = self.open.as_mut().filter(|open| open.nonce == nonce) {
                    open.add(base64, most);
                }
            }
            Line::End {
                packed,
                unpacked,
                sha256,
            } => {
                match self.open.take_if(|open| open.nonce == nonce) {
                    Some(open) => self.last = open.end(packed, unpacked, sha256),
                    // Its beginning was lost.
                    None if matches!(self.last, Last::Nothing) => {
                        self.last = Last::Broken(ReportError::Incomplete);
                    }
                    None => {}
                }
            }
        }
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, ReportError> {
        if self.open.is_some() {
            return Err(ReportError::Incomplete);
        }
        match self.last {
            Last::Nothing => Err(ReportError::Absent),
            Last::None(reason) => Err(ReportError::NotSent(reason)),
            Last::Broken(error) => Err(error),
            Last::Whole { packed, unpacked } => unpack(&packed, unpacked, self.limit),
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let last = match &self.last {
            Last::Whole { packed, .. } => packed.capacity(),
            _ => 0,
        };
        last + self.open.as_ref().map_or(0, |open| open.packed.capacity())
    }
}

/// What gzip makes at the most of so many bytes: five more in each block of 16 KiB that cannot be compressed, and the frame.
pub(super) const fn most_packed(limit: usize) -> usize {
    limit + limit / 1024 + 1024
}

impl Open {
    fn add(&mut self, base64: &[u8], most: usize) {
        if self.fault.is_some() {
            return;
        }
        let fault = match STANDARD.decode(base64) {
            Err(_) => ReportError::Damaged,
            Ok(bytes) if self.packed.len() + bytes.len() > most => ReportError::TooLong { most },
            Ok(bytes) => {
                self.packed.extend_from_slice(&bytes);
                return;
            }
        };
        self.fault = Some(fault);
        self.packed = Vec::new();
    }

    fn end(self, packed: u64, unpacked: u64, sha256: [u8; 32]) -> Last {
        if let Some(fault) = self.fault {
            return Last::Broken(fault);
        }
        let found: [u8; 32] = Sha256::digest(&self.packed).into();
        if self.packed.len() as u64 != packed || found != sha256 {
            return Last::Broken(ReportError::Damaged);
        }
        Last::Whole {
            packed: self.packed,
            unpacked,
        }
    }
}
