//! Why an environment cannot come up: one word for programs, one sentence for people, and the container to look at.

/// Why an environment cannot come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// A container's image cannot be pulled.
    ImagePull,
    /// A container ends again and again.
    CrashLoop,
    /// A container cannot be made as it is described.
    ContainerConfig,
    /// The environment's quota does not allow what it is to hold.
    QuotaExceeded,
    /// The cluster refuses an object or its pods.
    Rejected,
    /// No node takes a pod.
    Unschedulable,
    /// A pod was ended from outside.
    Evicted,
    /// Not all was ready in time.
    Deadline,
    /// It was taken away meanwhile.
    Deleted,
    /// Its name belongs to somebody else.
    NameTaken,
    /// The request asks for what cannot be.
    Invalid,
}

impl Reason {
    /// The word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::ImagePull => "ImagePull",
            Self::CrashLoop => "CrashLoop",
            Self::ContainerConfig => "ContainerConfig",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::Rejected => "Rejected",
            Self::Unschedulable => "Unschedulable",
            Self::Evicted => "Evicted",
            Self::Deadline => "Deadline",
            Self::Deleted => "Deleted",
            Self::NameTaken => "NameTaken",
            Self::Invalid => "Invalid",
        }
    }
}

/// Why an environment cannot come up, and where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: Reason,
    /// One sentence for a person.
    pub(crate) detail: String,
    /// `Pod/app-5d9c7b9f4-x2x7p`, for example.
    pub(crate) object: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) exit_code: Option<i32>,
    /// The cluster's own words.
    pub(crate) message: Option<String>,
    /// Whose log tells more: the pod, and whether the run before the present one is meant.
    pub(crate) log: Option<(String, bool)>,
}

impl Fault {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            object: None,
            container: None,
            exit_code: None,
            message: None,
            log: None,
        }
    }

    /// The cluster's own words for it, where it has any.
    #[must_use]
    pub(crate) fn message(mut self, message: Option<&str>) -> Self {
        self.message = message
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
        self
    }

    /// What it is about.
    #[must_use]
    pub(crate) fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }
}
