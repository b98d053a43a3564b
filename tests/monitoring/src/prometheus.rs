//! A Prometheus.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::get::{encoded, get};
use crate::program::{Program, until};

/// A Prometheus that scrapes one Pushgateway; ends when dropped.
#[derive(Debug)]
pub struct Prometheus {
    program: Program,
    _directory: tempfile::TempDir,
}

/// One element of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels, its name as `__name__`.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// The times and values of one line of a chart.
pub type Series = Vec<(f64, f64)>;

/// An alert that is pending or fires.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// `pending` or `firing`.
    pub state: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Prometheus {
    /// Starts one that scrapes the Pushgateway at this address every `interval` (as Prometheus writes it), and evaluates these rules
    /// as often.
    ///
    /// # Panics
    /// When it cannot be started, or does not take a rule.
    pub fn start(pushgateway: &str, interval: &str, rules: &[PathBuf]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let rules: Vec<_> = rules
            .iter()
            .map(|path| format!("  - {}\n", absolute(path).display()))
            .collect();
        let config = format!(
            "global:\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\n  evaluation_interval: {interval}\nrule_files:\n{}scrape_configs:\n- job_name: pushgateway\n  honor_labels: true\n  static_configs: [{{targets: [\"{pushgateway}\"]}}]\n",
            rules.concat()
        );
        let file = directory.path().join("prometheus.yaml");
        fs::write(&file, config).expect("prometheus.yaml");
        let arguments = [
            format!("--config.file={}", file.display()),
            format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ),
            "--web.listen-address=127.0.0.1:0".to_owned(),
        ];
        let program = Program::start("prometheus", &arguments);
        // It listens before it answers.
        until("Prometheus is ready", || {
            (get(program.address(), "/-/ready").status == 200).then_some(())
        });
        Self {
            program,
            _directory: directory,
        }
    }

    /// What an expression evaluates to now.
    ///
    /// # Panics
    /// When Prometheus does not take it.
    pub fn query(&self, expression: &str) -> Vec<Sample> {
        let data = self.api(&format!("query?query={}", encoded(expression)), expression);
        match data["resultType"].as_str() {
            Some("scalar") => vec![Sample {
                labels: BTreeMap::new(),
                value: number(&data["result"][1]),
            }],
            _ => list(&data["result"])
                .iter()
                .map(|element| Sample {
                    labels: labels(&element["metric"]),
                    value: number(&element["value"][1]),
                })
                .collect(),
        }
    }

    /// What an expression was, every `step` seconds from one time to another, in seconds since 1970: of each series the times and values.
    ///
    /// # Panics
    /// When Prometheus does not take it.
    pub fn range(&self, expression: &str, (from, to): (f64, f64), step: f64) -> Vec<Series> {
        let path = format!(
            "query_range?query={}&start={from}&end={to}&step={step}",
            encoded(expression)
        );
        let data = self.api(&path, expression);
        let all = list(&data["result"]).iter();
        all.map(|series| {
            let points = list(&series["values"]).iter();
            points
                .map(|point| (point[0].as_f64().unwrap_or_default(), number(&point[1])))
                .filter(|(_, value)| value.is_finite())
                .collect()
        })
        .collect()
    }

    /// Every alert that is pending or fires.
    ///
    /// # Panics
    /// When Prometheus does not answer.
    pub fn alerts(&self) -> Vec<Alert> {
        let data = self.api("alerts", "the alerts");
        let alerts = list(&data["alerts"]).iter();
        alerts
            .map(|alert| Alert {
                name: text(&alert["labels"]["alertname"]),
                state: text(&alert["state"]),
                labels: labels(&alert["labels"]),
            })
            .collect()
    }

    /// The rules whose last evaluation failed, each with its error.
    ///
    /// # Panics
    /// When Prometheus does not answer.
    pub fn broken_rules(&self) -> Vec<String> {
        let data = self.api("rules", "the rules");
        let rules = list(&data["groups"])
            .iter()
            .flat_map(|group| list(&group["rules"]));
        rules
            .filter(|rule| rule["health"] == "err")
            .map(|rule| format!("{}: {}", rule["name"], rule["lastError"]))
            .collect()
    }

    fn api(&self, path: &str, asked: &str) -> Value {
        let answer = get(self.program.address(), &format!("/api/v1/{path}"));
        let mut json: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(json["status"], "success", "{asked}: {}", answer.body);
        json["data"].take()
    }
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().expect("the file of rules")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> f64 {
    text(value).parse().expect("a number")
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let members = value.as_object().into_iter().flatten();
    members
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}
