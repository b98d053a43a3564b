//! Every expression of the dashboards and of the rules, as it is checked in.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// One line of a panel.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// The dashboard's file and the panel's title.
    pub(crate) place: String,
    /// With the variables put in: every tenant, every stream.
    pub(crate) expression: String,
    /// The same of all streams, on a dashboard that shows those of one kind of worker.
    pub(crate) whole: String,
}

/// A dashboard as far as it can be drawn.
#[derive(Debug)]
pub(crate) struct Dashboard {
    /// Its file's name.
    pub(crate) name: String,
    pub(crate) panels: Vec<Panel>,
}

/// One panel: where it is, in a grid of 24 columns, and what it shows.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) is_one_number: bool,
    /// None for the title of a row.
    pub(crate) expressions: Vec<String>,
}

/// A file of rules.
#[derive(Debug, Deserialize)]
pub(crate) struct Rules {
    pub(crate) groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) rules: Vec<Rule>,
}

/// A rule of either kind.
#[derive(Debug, Deserialize)]
pub(crate) struct Rule {
    pub(crate) alert: Option<String>,
    pub(crate) record: Option<String>,
}

pub(crate) fn deploy(name: &str) -> PathBuf {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    deploy.join(name)
}

/// The dashboards' files, each with its name.
fn files() -> Vec<(String, Value)> {
    let files = fs::read_dir(deploy("grafana")).expect("deploy/grafana");
    let files = files.map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
    files
        .map(|path| {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let name = path.file_stem().expect("a name").to_string_lossy();
            (
                name.into_owned(),
                serde_json::from_str(&text).expect("JSON"),
            )
        })
        .collect()
}

/// Every dashboard.
pub(crate) fn dashboards() -> Vec<Dashboard> {
    // In the order of the files and of their panels, as here.
    let mut drawn = drawn().into_iter();
    let dashboards = files().into_iter().map(|(name, json)| {
        let panels = list(&json["panels"]).iter().map(|panel| {
            let place = |side: &str| panel["gridPos"][side].as_f64().expect("a place");
            let title = panel["title"].as_str().expect("a title");
            let own = drawn.by_ref().take(list(&panel["targets"]).len());
            Panel {
                title: title.to_owned(),
                x: place("x"),
                y: place("y"),
                width: place("w"),
                height: place("h"),
                is_one_number: panel["type"] == "stat",
                expressions: own.map(|line| line.expression).collect(),
            }
        });
        Dashboard {
            panels: panels.collect(),
            name,
        }
    });
    dashboards.collect()
}

/// Every line of every panel.
pub(crate) fn drawn() -> Vec<Drawn> {
    let mut all = Vec::new();
    for (name, json) in files() {
        let stream = list(&json["templating"]["list"])
            .iter()
            .find(|variable| variable["name"] == "stream")
            .and_then(|variable| variable["allValue"].as_str())
            .unwrap_or(".*");
        for panel in list(&json["panels"]) {
            for target in list(&panel["targets"]) {
                let expression = target["expr"].as_str().expect("an expression");
                let expression = expression
                    .replace("$prefix", ".*")
                    .replace("$__rate_interval", "30s");
                let whole = expression.replace("$stream", ".*");
                let expression = expression.replace("$stream", stream);
                assert!(!expression.contains('$'), "{expression}");
                all.push(Drawn {
                    place: format!("{name}: {}", panel["title"].as_str().expect("a title")),
                    expression,
                    whole,
                });
            }
        }
    }
    assert!(all.len() > 100, "{}", all.len());
    all
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The rules of a file.
pub(crate) fn rules(name: &str) -> Vec<Rule> {
    let text = fs::read_to_string(deploy("prometheus").join(name)).expect("the rules");
    let rules: Rules = serde_saphyr::from_str(&text).expect("rules");
    rules
        .groups
        .into_iter()
        .flat_map(|group| group.rules)
        .collect()
}

/// The rules in a directory, where nobody has to wait: alerts fire at once, and what is silent for seconds is silent.
/// How long they really wait is what `deploy/prometheus/tests` is about.
pub(crate) fn impatient(directory: &Path) -> Vec<PathBuf> {
    let copies = ["recording.yaml", "alerts.yaml"].map(|name| {
        let text = fs::read_to_string(deploy("prometheus").join(name)).expect("the rules");
        let lines = text.lines().filter(|line| !line.trim().starts_with("for:"));
        let text = lines.collect::<Vec<_>>().join("\n").replace("> 180", "> 5");
        let copy = directory.join(name);
        fs::write(&copy, text).expect("a copy");
        copy
    });
    copies.to_vec()
}
