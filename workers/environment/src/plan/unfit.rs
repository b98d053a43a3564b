//! Why no environment can be made of a request.

use crate::quantity::Quantity;
use crate::templates::TemplateFault;

/// Why no environment can be made of a request: nothing was created, and the same request will not do any better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A member of the payload is not what Kubernetes or the operator takes.
    #[error("`{field}`: {problem}")]
    Field {
        /// The member, for example `app.env.PATH`.
        field: String,
        /// What is wrong with it, as a sentence without its end.
        problem: String,
    },
    /// A further template that is not there.
    #[error("`templates`: no further template is called {name}{}", listed(.known))]
    UnknownTemplate {
        /// The name that was asked for, as JSON, cut where it is long.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A template cannot be used with this request.
    #[error("the template does not go with this request: {0}")]
    Template(Box<TemplateFault>),
    /// Two templates make the same object.
    #[error("the templates `{first}` and `{second}` both make {object}")]
    Collision {
        /// Kind and name, for example `Service/app`.
        object: String,
        /// The template that makes it.
        first: String,
        /// The other one, which may be the same.
        second: String,
    },
    /// More is asked for than the environment may use.
    #[error("the quota allows {allowed} of `{resource}`, but all parts together ask for {asked}")]
    Quota {
        /// As in the quota, for example `limits.memory`.
        resource: String,
        /// What all objects together ask for.
        asked: Quantity,
        /// What the quota has.
        allowed: Quantity,
    },
    /// An object that the API server would not take.
    #[error(
        "{object} would have {bytes} bytes, but Kubernetes keeps no object of more than {most}"
    )]
    TooLarge {
        /// Kind and name.
        object: String,
        /// Its size as JSON.
        bytes: usize,
        /// The most that is sent.
        most: usize,
    },
    /// More objects than one environment may have.
    #[error("the templates make {count} objects, but an environment has at most {most}")]
    TooMany {
        /// So many.
        count: usize,
        /// The most.
        most: usize,
    },
}

impl Unfit {
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// Why, in one word for a program: `reason` of the status.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Field { .. } => "InvalidSpec",
            Self::UnknownTemplate { .. } => "UnknownTemplate",
            Self::Template(_) => "TemplateFailed",
            Self::Collision { .. } => "NameCollision",
            Self::Quota { .. } => "QuotaExceeded",
            Self::TooLarge { .. } | Self::TooMany { .. } => "TooLarge",
        }
    }
}

impl From<TemplateFault> for Unfit {
    fn from(fault: TemplateFault) -> Self {
        Self::Template(Box::new(fault))
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "; this worker has none".to_owned();
    }
    format!("; there are `{}`", names.join("`, `"))
}
