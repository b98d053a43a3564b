//! What the provision worker would apply for a request, for whoever applies it without a worker.

use maestro_environment::credentials::Credentials;
use maestro_environment::identity::Identity;
use maestro_environment::plan::{Object, plan};
use maestro_environment::settings::Settings;
use maestro_environment::templates::Templates;
use maestro_protocol::environment::EnvironmentRequested;
use serde_json::Value;

/// The objects of an environment.
#[derive(Debug, Clone)]
pub(crate) struct Manifests {
    /// The namespace's name.
    pub(crate) namespace: String,
    /// The namespace first, then the others in the order in which they are applied.
    pub(crate) all: Vec<Value>,
}

impl Manifests {
    /// Those of this request, by this name.
    pub(crate) fn of(spec: &Value, owner: &str, id: &str) -> anyhow::Result<Self> {
        let request: EnvironmentRequested = serde_json::from_value(spec.clone())?;
        let settings = Settings::default();
        let identity = Identity {
            owner: owner.parse()?,
            source: Some("bench".to_owned()),
            id: id.to_owned(),
        };
        let templates = Templates::built_in()?;
        let credentials = Credentials::generate()?;
        let now = jiff::Timestamp::now();
        let plan = plan(
            &request,
            &identity,
            &settings,
            &templates,
            &credentials,
            now,
        )?;
        let rest = plan
            .guards
            .iter()
            .chain(&plan.configuration)
            .chain(&plan.workloads);
        let all: Vec<&Object> = std::iter::once(&plan.namespace).chain(rest).collect();
        Ok(Self {
            namespace: identity.namespace(&settings.prefix),
            all: all
                .into_iter()
                .map(|object| object.manifest.clone())
                .collect(),
        })
    }

    /// As `kubectl apply -f` reads them: a List. What an object without a namespace is in, `kubectl` is told apart.
    pub(crate) fn list(&self) -> Value {
        serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": self.all })
    }
}
