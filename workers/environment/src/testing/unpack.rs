//! A report out of its compressed form.

use std::io::Read as _;

use flate2::read::GzDecoder;
use maestro_entry::block::NotSent;

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The log has no block: the container was ended before it was printed, or not started by `maestro-entry`.
    #[error("the tests were ended before their report was sent")]
    Absent,
    /// `maestro-entry` says that it has none.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// The block has no beginning or no end: the log was cut, or the container ended.
    #[error("the report in the log is not complete")]
    Incomplete,
    /// The block is not what was sent.
    #[error("the report in the log is damaged")]
    Damaged,
    /// The block is longer than any that was rightly sent.
    #[error("the report in the log has more than {most} compressed bytes")]
    TooLong {
        /// The most compressed bytes.
        most: usize,
    },
    /// Unpacked, it is larger than it may be.
    #[error("the report in the log has more than {most} bytes")]
    TooLarge {
        /// The most bytes.
        most: usize,
    },
}

/// Unpacks at most so many bytes, whatever the compressed ones promise.
pub(super) fn unpack(packed: &[u8], unpacked: u64, most: usize) -> Result<Vec<u8>, ReportError> {
    let mut report = Vec::new();
    GzDecoder::new(packed)
        .take(most as u64 + 1)
        .read_to_end(&mut report)
        .map_err(|_| ReportError::Damaged)?;
    if report.len() > most {
        return Err(ReportError::TooLarge { most });
    }
    if report.len() as u64 != unpacked {
        return Err(ReportError::Damaged);
    }
    Ok(report)
}
