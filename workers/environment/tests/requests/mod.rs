//! Requests as messages have them, and what becomes of them with settings that are usual.

use maestro_environment::credentials::Credentials;
use maestro_environment::identity::Identity;
use maestro_environment::plan::{Plan, Unfit, plan};
use maestro_environment::settings::Settings;
use maestro_environment::templates::Templates;
use maestro_protocol::environment::EnvironmentRequested;
use serde_json::Value;

/// The payload of a message.
pub(crate) fn request(data: Value) -> EnvironmentRequested {
    serde_json::from_value(data).unwrap()
}

/// The settings of an operator who collects reports.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.images.entry = Some("maestro-entry:1".to_owned());
    settings
}

pub(crate) fn identity() -> Identity {
    Identity {
        owner: "maestro".parse().unwrap(),
        source: Some("ci".to_owned()),
        id: "build-17".to_owned(),
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials {
        database: "DATABASExxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
        database_root: "ROOTxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
        redis: "REDISxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
    }
}

pub(crate) fn planned(request: &EnvironmentRequested) -> Result<Plan, Unfit> {
    planned_at(request, "2026-07-01T12:00:00Z")
}

pub(crate) fn planned_at(request: &EnvironmentRequested, now: &str) -> Result<Plan, Unfit> {
    planned_with(request, &settings(), &Templates::built_in().unwrap(), now)
}

pub(crate) fn planned_with(
    request: &EnvironmentRequested,
    settings: &Settings,
    templates: &Templates,
    now: &str,
) -> Result<Plan, Unfit> {
    plan(
        request,
        &identity(),
        settings,
        templates,
        &credentials(),
        now.parse().unwrap(),
    )
}
