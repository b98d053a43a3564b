//! One object of Kubernetes, as a file says it.

use serde_json::Value;

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest(pub Value);

impl Manifest {
    /// What stands at a JSON pointer; empty where it is no text or nothing is there.
    pub fn at(&self, pointer: &str) -> &str {
        let text = self.0.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_default()
    }

    /// `apiVersion`.
    pub fn api_version(&self) -> &str {
        self.at("/apiVersion")
    }

    /// `kind`.
    pub fn kind(&self) -> &str {
        self.at("/kind")
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.at("/metadata/name")
    }

    /// `Kind/name`, for people.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind(), self.name())
    }

    /// A label of its own.
    pub fn label(&self, name: &str) -> &str {
        let labels = self.0.pointer("/metadata/labels");
        let label = labels.and_then(|labels| labels.get(name));
        label.and_then(Value::as_str).unwrap_or_default()
    }

    /// The pods that it makes, if it does: their `spec`.
    pub fn pod(&self) -> Option<&Value> {
        match self.kind() {
            "Deployment" | "StatefulSet" | "Job" => self.0.pointer("/spec/template/spec"),
            _ => None,
        }
    }

    /// The containers of its pods, those that run first included.
    pub fn containers(&self) -> Vec<&Value> {
        ["initContainers", "containers"]
            .into_iter()
            .filter_map(|list| self.pod()?.get(list)?.as_array())
            .flatten()
            .collect()
    }

    /// Whether it is a worker of the fleet.
    pub fn is_worker(&self) -> bool {
        self.kind() == "Deployment" && self.label("app.kubernetes.io/name") == "maestro"
    }
}

/// What an environment variable of a container is set to.
pub fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let variables = container.get("env")?.as_array()?;
    let variable = variables.iter().find(|variable| variable["name"] == name)?;
    variable.get("value")?.as_str()
}
