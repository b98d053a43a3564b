//! Every template is tried before the worker takes its first message: with sample requests in which whatever a
//! template may branch on is once there and once not.

use std::path::Path;

use jiff::Timestamp;
use maestro_protocol::environment::{
    App, Database, Egress, EnvironmentRequested, Network, TestJob,
};

use super::{Basis, fit, make};
use crate::credentials::Credentials;
use crate::databases;
use crate::identity::Identity;
use crate::settings::Settings;
use crate::templates::{TemplateFault, TemplateFaults, Templates};

/// The built-in templates, with those of a directory in their place or beside them, read and tried.
pub fn load(directory: Option<&Path>, settings: &Settings) -> Result<Templates, TemplateFaults> {
    let templates = match directory {
        None => Templates::built_in()?,
        Some(directory) => Templates::read(directory)?,
    };
    rehearse(&templates, settings)?;
    Ok(templates)
}

/// Renders every template with sample facts, and looks at what comes of it as it is looked at for a message.
///
/// A further template is tried beside a full environment: with every part that it may refer to.
pub fn rehearse(templates: &Templates, settings: &Settings) -> Result<(), TemplateFaults> {
    let mut settings = settings.clone();
    settings
        .images
        .entry
        .get_or_insert_with(|| "entry:1".to_owned());
    let mut faults: Vec<TemplateFault> = Vec::new();
    let mut note = |tried: Result<(), TemplateFault>| {
        if let Err(fault) = tried
            && !faults.contains(&fault)
        {
            faults.push(fault);
        }
    };
    for request in samples() {
        note(rehearse_one(&request, None, templates, &settings));
    }
    for name in templates.further() {
        for database in databases::ALL {
            note(rehearse_one(
                &full(database),
                Some(name),
                templates,
                &settings,
            ));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(TemplateFaults(faults))
    }
}

fn rehearse_one(
    request: &EnvironmentRequested,
    further: Option<&str>,
    templates: &Templates,
    settings: &Settings,
) -> Result<(), TemplateFault> {
    let identity = Identity {
        owner: settings.owner.clone(),
        source: Some("sample".to_owned()),
        id: "sample".to_owned(),
    };
    let labels = request.labels.clone().unwrap_or_default();
    let namespace = identity.namespace(&settings.prefix);
    // What a sample asks for is always allowed, whatever the settings are.
    let Ok(terms) = fit::terms(request, settings) else {
        return Ok(());
    };
    let basis = Basis {
        request,
        identity: &identity,
        settings,
        credentials: &Credentials::sample(),
        terms: &terms,
        namespace: &namespace,
        expires_at: Timestamp::UNIX_EPOCH,
        labels: &labels,
    };
    let mut names = super::built_in_names(request);
    names.extend(further);
    make(&basis, templates, &names).map(drop)
}

fn samples() -> Vec<EnvironmentRequested> {
    let mut samples = Vec::new();
    for database in databases::ALL {
        samples.push(full(database));
        for version in databases::kind(database).versions {
            samples.push(EnvironmentRequested {
                database: Some(database),
                database_version: Some((*version).to_owned()),
                ..EnvironmentRequested::default()
            });
        }
    }
    samples.push(EnvironmentRequested {
        redis: Some(true),
        ..EnvironmentRequested::default()
    });
    let app = App {
        image: "sample:1".to_owned(),
        port: None,
        replicas: None,
        env: None,
        command: None,
        health_path: None,
        resources: None,
    };
    let listening = App {
        port: Some(8080),
        ..app.clone()
    };
    for app in [app, listening] {
        samples.push(EnvironmentRequested {
            app: Some(app),
            test: Some(TestJob {
                image: "sample:1".to_owned(),
                command: vec!["sample".to_owned()],
                env: None,
                timeout_s: None,
                framework: None,
                junit_path: None,
            }),
            ..EnvironmentRequested::default()
        });
    }
    samples
}

/// A request for everything.
fn full(database: Database) -> EnvironmentRequested {
    let pairs = |key: &str| Some([(key.to_owned(), "sample".to_owned())].into());
    EnvironmentRequested {
        app: Some(App {
            image: "sample:1".to_owned(),
            port: Some(8080),
            replicas: Some(2),
            env: pairs("SAMPLE"),
            command: Some(vec!["sample".to_owned()]),
            health_path: Some("/health".to_owned()),
            resources: None,
        }),
        database: Some(database),
        redis: Some(true),
        test: Some(TestJob {
            image: "sample:1".to_owned(),
            command: vec!["sample".to_owned()],
            env: pairs("SAMPLE"),
            timeout_s: None,
            framework: None,
            junit_path: Some("/tmp/junit.xml".to_owned()),
        }),
        network: Some(Network {
            egress: Some(Egress::Internet),
        }),
        labels: pairs("sample"),
        ..EnvironmentRequested::default()
    }
}
