//! What a call to Kubernetes can come to, other than its answer: what was tried, and whose fault it is.

use std::time::Duration;

use kube::core::response::Status;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The API server cannot be reached, does not answer in time, or says that it is not in order. No message is to blame.
    #[error("unable to {doing}: {detail}")]
    Unavailable {
        /// What was tried.
        doing: String,
        /// How that showed.
        detail: String,
    },
    /// The worker's own identity may not do this. An operator's matter, and no message's fault.
    #[error("unable to {doing}: this worker lacks the right: {detail}")]
    Denied {
        /// What was tried.
        doing: String,
        /// The server's sentence.
        detail: String,
    },
    /// The server understood and said no.
    #[error("unable to {doing}: {message}")]
    Refused {
        /// What was tried.
        doing: String,
        /// Why, for a program.
        refusal: Refusal,
        /// The server's sentence.
        message: String,
    },
}

/// Why the server said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such object.
    NotFound,
    /// There is one of that name already.
    Exists,
    /// It has changed since it was read, or is not the one that was meant.
    Conflict,
    /// The namespace is going away.
    Terminating,
    /// A resource quota does not allow it.
    Quota,
    /// Admission or validation: the object itself is at fault.
    Invalid,
}

impl ApiError {
    pub(super) fn of(doing: String, error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::said(doing, &status),
            // The group is served, and the kind is not in it.
            kube::Error::Discovery(missing) => Self::Refused {
                doing,
                refusal: Refusal::NotFound,
                message: missing.to_string(),
            },
            other => Self::Unavailable {
                doing,
                detail: chain(&other),
            },
        }
    }

    pub(super) fn silent(doing: String, limit: Duration) -> Self {
        Self::Unavailable {
            doing,
            detail: format!("no answer within {} s", limit.as_secs()),
        }
    }

    fn said(doing: String, status: &Status) -> Self {
        let message = status.message.clone();
        let causes = status.details.iter().flat_map(|details| &details.causes);
        let terminating = causes
            .clone()
            .any(|cause| cause.reason == "NamespaceTerminating")
            || message.contains("because it is being terminated");
        let refusal = match (status.code, status.reason.as_str()) {
            (404, _) => Refusal::NotFound,
            (403 | 409, _) if terminating => Refusal::Terminating,
            (409, "AlreadyExists") => Refusal::Exists,
            (409, _) => Refusal::Conflict,
            (403, _) if message.contains("exceeded quota") => Refusal::Quota,
            // How every authorizer of Kubernetes begins: `pods is forbidden: User "x" cannot list resource …`.
            (403, _) if message.contains("User \"") && message.contains(" cannot ") => {
                return Self::Denied {
                    doing,
                    detail: message,
                };
            }
            (401, _) => {
                return Self::Unavailable {
                    doing,
                    detail: format!(
                        "the API server does not accept this worker's credentials: {message}"
                    ),
                };
            }
            (400 | 403 | 405 | 413 | 415 | 422, _) => Refusal::Invalid,
            // What servers before 1.22 say of an object that server-side apply cannot merge. It is no better the next time.
            (500, _) if message.starts_with("failed to create typed patch object") => {
                Refusal::Invalid
            }
            _ => {
                return Self::Unavailable {
                    doing,
                    detail: format!("the API server answers {}: {message}", status.code),
                };
            }
        };
        Self::Refused {
            doing,
            refusal,
            message,
        }
    }

    /// Why the server said no, if it did.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            Self::Unavailable { .. } | Self::Denied { .. } => None,
        }
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> Status {
        Status {
            code,
            reason: reason.to_owned(),
            message: message.to_owned(),
            ..Status::default()
        }
    }

    fn of(status: Status) -> ApiError {
        ApiError::of("try".to_owned(), kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn a_missing_right_is_told_from_a_quota_an_ending_namespace_and_a_refused_object() {
        let denied = r#"pods is forbidden: User "system:serviceaccount:m:w" cannot list resource "pods" in API group "" in the namespace "x""#;
        assert!(matches!(
            of(status(403, "Forbidden", denied)),
            ApiError::Denied { .. }
        ));
        let quota = r#"pods "a" is forbidden: exceeded quota: q, requested: cpu=2, used: cpu=0, limited: cpu=1"#;
        assert_eq!(
            of(status(403, "Forbidden", quota)).refusal(),
            Some(Refusal::Quota)
        );
        let ending = status(
            403,
            "Forbidden",
            r#"secrets "a" is forbidden: unable to create new content in namespace x because it is being terminated"#,
        );
        assert_eq!(of(ending).refusal(), Some(Refusal::Terminating));
        let caused = serde_json::json!({
            "code": 409, "reason": "Conflict", "message": "later",
            "details": { "causes": [{ "reason": "NamespaceTerminating" }] },
        });
        let caused: Status = serde_json::from_value(caused).unwrap();
        assert_eq!(of(caused).refusal(), Some(Refusal::Terminating));
        let policy =
            r#"pods "a" is forbidden: violates PodSecurity "restricted:latest": host namespaces"#;
        assert_eq!(
            of(status(403, "Forbidden", policy)).refusal(),
            Some(Refusal::Invalid)
        );
    }

    #[test]
    fn what_may_pass_by_itself_is_no_refusal() {
        for code in [401, 429, 500, 502, 503, 504] {
            let error = of(status(code, "", "later"));
            assert!(matches!(error, ApiError::Unavailable { .. }), "{error:?}");
        }
        assert_eq!(
            of(status(409, "AlreadyExists", "there")).refusal(),
            Some(Refusal::Exists)
        );
        assert_eq!(
            of(status(409, "Conflict", "changed")).refusal(),
            Some(Refusal::Conflict)
        );
        assert_eq!(
            of(status(422, "Invalid", "bad")).refusal(),
            Some(Refusal::Invalid)
        );
        let old = "failed to create typed patch object: .spec.ports: element 0";
        assert_eq!(of(status(500, "", old)).refusal(), Some(Refusal::Invalid));
    }
}
