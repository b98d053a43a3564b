//! The ids under which a report's failures are published.

use std::collections::HashMap;

use maestro_protocol::error::ErrorReported;
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// An id for each message of a report.
///
/// It is a hash of the report's bytes, the run that the producer names, the message, and how often this same message
/// stood before it in the report: publishing a report again says the same again, and the fleet does not handle it twice.
pub(super) fn identified(
    errors: impl IntoIterator<Item = ErrorReported>,
    report: &[u8],
    run: Option<&str>,
) -> Vec<(String, ErrorReported)> {
    let report_hash = Sha256::digest(report);
    let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
    errors
        .into_iter()
        .map(|error| {
            let mut hash = Sha256::new();
            hash.update(report_hash);
            hash.update([u8::from(run.is_some())]);
            hash.update(run.unwrap_or_default());
            hash.update([0]);
            hash.update(serde_json::to_vec(&error).unwrap_or_default());
            let repeat = seen.entry(hash.clone().finalize().to_vec()).or_default();
            hash.update(repeat.to_be_bytes());
            *repeat += 1;
            (hex(&hash.finalize()[..16]), error)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use maestro_junit::{Limits, Unseen};
    use maestro_protocol::project::{Framework, Project};

    use super::*;

    #[test]
    fn the_same_report_gives_the_same_ids_and_another_run_gives_others() {
        let ids = |xml: &str, run: Option<&str>| -> Vec<String> {
            let project = Project {
                repository: "https://example.org/x.git".into(),
                revision: None,
                directory: None,
            };
            let report = maestro_junit::read(xml.as_bytes(), &Limits::default()).unwrap();
            let errors = report
                .failures(Some(Framework::Pytest), &Unseen)
                .map(|failure| failure.into_error(project.clone(), None, None));
            identified(errors, xml.as_bytes(), run)
                .into_iter()
                .map(|(id, _)| id)
                .collect()
        };
        let case = "<testcase name='a' classname='b'><failure/></testcase>";
        let xml = format!("<testsuite timestamp='2026-07-01'>{case}{case}</testsuite>");
        assert_eq!(ids(&xml, None), ids(&xml, None));
        assert_ne!(ids(&xml, None), ids(&xml, Some("7")));
        assert_ne!(ids(&xml, Some("")), ids(&xml, None));
        let later = xml.replace("2026-07-01", "2026-07-02");
        assert_ne!(ids(&xml, None), ids(&later, None));
        let both = ids(&xml, None);
        assert_eq!(both.len(), 2);
        assert_ne!(both[0], both[1]);
    }
}
