//! What the worker relies on in templates that an operator may have replaced.

use super::facts::Basis;
use crate::credentials::{DATABASE_PASSWORD, DATABASE_ROOT_PASSWORD, REDIS_PASSWORD};
use crate::databases;
use crate::names::{CREDENTIALS, TEST};
use crate::templates::{Rendered, TemplateFault, Templates};

/// The template of the Secret.
pub(super) const SECRET: &str = "secret";
/// The template of the tests' Job.
pub(super) const TEST_JOB: &str = "test-job";

/// Finds what a built-in template's replacement lacks.
pub(super) fn check(
    template: &str,
    rendered: &[Rendered<'_>],
    basis: &Basis<'_>,
    templates: &Templates,
) -> Result<(), TemplateFault> {
    match template {
        SECRET => check_secret(rendered, basis, templates),
        TEST_JOB => check_job(rendered, templates),
        _ => Ok(()),
    }
}

fn find<'a, 'b>(rendered: &'a [Rendered<'b>], kind: &str, name: &str) -> Option<&'a Rendered<'b>> {
    rendered
        .iter()
        .find(|each| each.manifest["kind"] == kind && each.manifest["metadata"]["name"] == name)
}

/// The passwords stand in the Secret in clear, since it is where they are read from when another worker goes on.
fn check_secret(
    rendered: &[Rendered<'_>],
    basis: &Basis<'_>,
    templates: &Templates,
) -> Result<(), TemplateFault> {
    let Some(secret) = find(rendered, "Secret", CREDENTIALS) else {
        return Err(templates.fault(
            SECRET,
            format!("the template `{SECRET}` makes no Secret called `{CREDENTIALS}`"),
        ));
    };
    let mut needed = Vec::new();
    if let Some((database, _)) = basis.terms.database {
        needed.push((DATABASE_PASSWORD, &basis.credentials.database));
        if databases::kind(database).has_root {
            needed.push((DATABASE_ROOT_PASSWORD, &basis.credentials.database_root));
        }
    }
    if basis.request.redis == Some(true) {
        needed.push((REDIS_PASSWORD, &basis.credentials.redis));
    }
    for (key, password) in needed {
        if secret.manifest["stringData"][key] != **password {
            return Err(secret.fault(
                &["stringData"],
                format!("`stringData.{key}` is the generated password, as in `secret.entries`, since a worker that goes on reads it there"),
            ));
        }
    }
    Ok(())
}

/// A Job that ran its tests twice would say two things, and one that deletes itself may do so before it was read.
fn check_job(rendered: &[Rendered<'_>], templates: &Templates) -> Result<(), TemplateFault> {
    let Some(job) = find(rendered, "Job", TEST) else {
        return Err(templates.fault(
            TEST_JOB,
            format!("the template `{TEST_JOB}` makes no Job called `{TEST}`"),
        ));
    };
    let spec = &job.manifest["spec"];
    let one = |name: &str| spec[name].is_null() || spec[name] == 1;
    if spec["backoffLimit"] != 0 {
        return Err(job.fault(
            &["spec", "backoffLimit"],
            "`spec.backoffLimit` is 0, since tests run once",
        ));
    }
    if !one("completions") || !one("parallelism") {
        return Err(job.fault(
            &["spec"],
            "`completions` and `parallelism` are 1, since tests run once",
        ));
    }
    if spec["template"]["spec"]["restartPolicy"] != "Never" {
        return Err(job.fault(
            &["spec", "template", "spec", "restartPolicy"],
            "`restartPolicy` is `Never`, since tests run once",
        ));
    }
    if spec["activeDeadlineSeconds"].is_null() {
        return Err(job.fault(
            &["spec"],
            "`spec.activeDeadlineSeconds` is missing; `{{ test.timeout_s }}` is what was asked for",
        ));
    }
    if !spec["ttlSecondsAfterFinished"].is_null() {
        return Err(job.fault(
            &["spec", "ttlSecondsAfterFinished"],
            "a Job that deletes itself may be gone before its results are read; the namespace takes it along",
        ));
    }
    let containers = spec["template"]["spec"]["containers"].as_array();
    let named = containers
        .into_iter()
        .flatten()
        .any(|each| each["name"] == TEST);
    if !named {
        return Err(job.fault(
            &["spec", "template", "spec", "containers"],
            format!("no container is called `{TEST}`, whose exit code and log are the tests' own"),
        ));
    }
    Ok(())
}
