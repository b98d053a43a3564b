//! The text format, read: whether all of it is described.

use crate::catalogue::{EVERYWHERE, Kind, LABELS, Metric, metric};

/// What stands in this text (the exposition format) and not in the table: unknown names, unknown labels, and values that are
/// outside of a label's closed set. One sentence each.
pub fn undescribed(text: &str) -> Vec<String> {
    let samples = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut found: Vec<String> = samples.filter_map(|line| fault(line).err()).collect();
    found.sort();
    found.dedup();
    found
}

fn fault(line: &str) -> Result<(), String> {
    let end = line.find(['{', ' ']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let described = family(name).ok_or_else(|| format!("{name} is not described"))?;
    for (label, value) in labels(rest) {
        let is_bucket = label == "le" && name.ends_with("_bucket");
        if !(is_bucket || EVERYWHERE.contains(&label) || described.labels.contains(&label)) {
            return Err(format!("{name} has a label {label} that is not described"));
        }
        let values = LABELS.iter().find(|known| known.name == label);
        let values = values.map_or(&[][..], |known| known.values);
        if !(values.is_empty() || values.contains(&value)) {
            return Err(format!(
                "{name} has a label {label} with the unknown value {value}"
            ));
        }
    }
    Ok(())
}

fn family(name: &str) -> Option<&'static Metric> {
    let of_histogram = || {
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))?;
        metric(base).filter(|metric| matches!(metric.kind, Kind::Histogram(_)))
    };
    match metric(name) {
        Some(metric) if !matches!(metric.kind, Kind::Histogram(_)) => Some(metric),
        // A histogram under its bare name was rendered as a summary: its buckets are not set.
        _ => of_histogram(),
    }
}

/// The labels of `{a="b",c="d"} 1`. An escaped quote stays as it is.
fn labels(mut rest: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut escaped = false;
        let end = after.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        found.push((name.trim_start_matches(['{', ',']), &after[..end]));
        rest = &after[end + 1..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_table_does_not_describe_is_told() {
        let text = "\
# HELP maestro_invented_total text
maestro_invented_total 1
maestro_heals_total{verdict=\"healed\",strategy=\"none\",job=\"a\\\"b\"} 1
maestro_heals_total{verdict=\"guessed\",strategy=\"none\"} 1
maestro_heals_total{project=\"shop\"} 1
streams_wait_seconds_bucket{stream=\"a\",group=\"b\",lane=\"usual\",le=\"+Inf\"} 1
streams_wait_seconds{stream=\"a\",quantile=\"0.5\"} 1
streams_in_flight_count 1
";
        assert_eq!(
            undescribed(text),
            [
                "maestro_heals_total has a label project that is not described",
                "maestro_heals_total has a label verdict with the unknown value guessed",
                "maestro_invented_total is not described",
                "streams_in_flight_count is not described",
                "streams_wait_seconds is not described",
            ]
        );
    }
}
