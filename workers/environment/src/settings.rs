//! What an operator decides about all environments.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use maestro_protocol::environment::Database;
use serde_json::Value;

use crate::databases::{self, REDIS_VERSIONS};
use crate::identity::{Owner, Prefix};
use crate::image;
use crate::quantity::Quantity;
use crate::syntax::{is_label_key, is_label_value, is_subdomain};

/// What an operator decides about all environments. The default is fit for use, but for [`Images::entry`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The fleet that the environments belong to.
    pub owner: Owner,
    /// What the names of their namespaces begin with.
    pub prefix: Prefix,
    /// How long they live.
    pub life: Life,
    /// What each of them may use.
    pub quotas: Quotas,
    /// What a container may use for which nothing was asked.
    pub resources: Resources,
    /// Where images come from.
    pub images: Images,
    /// Which nodes their pods run on.
    pub placement: Placement,
    /// What their pods may reach.
    pub network: Network,
    /// The user that the app's and the tests' containers run as; the image's own without it, who must not be root.
    pub run_as_user: Option<u32>,
}

/// How long an environment lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Without asking; an hour.
    pub default: Duration,
    /// At most, whatever is asked for; seven days.
    pub longest: Duration,
}

/// What all of an environment together may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Processors.
    pub cpu: Quantity,
    /// Bytes of memory.
    pub memory: Quantity,
    /// Pods.
    pub pods: u32,
}

/// The quotas of environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Without asking; 4 processors, 4Gi, 10 pods.
    pub default: Quota,
    /// The most that can be asked for; 32 processors, 64Gi, 100 pods.
    pub largest: Quota,
    /// How many persistent volumes templates may claim; none.
    pub persistent_volume_claims: u32,
}

/// An amount of processor and of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// Processors.
    pub cpu: Quantity,
    /// Bytes of memory.
    pub memory: Quantity,
}

/// What a container is sure of, and what it may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// What the scheduler sets aside.
    pub requests: Amounts,
    /// The most.
    pub limits: Amounts,
}

/// What a container may use for which nothing was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// The app, and every container that says nothing itself.
    pub app: Share,
    /// The database, whichever it is.
    pub database: Share,
    /// Redis.
    pub redis: Share,
    /// The tests.
    pub test: Share,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// Where the node does not have it.
    IfNotPresent,
    /// Never: the node has to have it.
    Never,
}

/// Where images come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// What stands before the names of the databases' images, for example `mirror.example:5000/library`.
    pub registry: Option<String>,
    /// The version of each database where none is asked for; the project's choice for those that are not here.
    pub versions: BTreeMap<&'static str, String>,
    /// The version of Redis, one of [`REDIS_VERSIONS`].
    pub redis: String,
    /// The image that has `/maestro-entry`. Without it no JUnit report can be asked for.
    pub entry: Option<String>,
    /// When images are pulled; as Kubernetes does by itself without it.
    pub pull_policy: Option<PullPolicy>,
    /// The Secrets with which images are pulled. A replaced `service-account` template can bring them along.
    pub pull_secrets: Vec<String>,
}

/// Which nodes pods run on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placement {
    /// The labels of those nodes; any node without one.
    pub node_selector: BTreeMap<String, String>,
    /// The taints that do not keep them away, as in a pod.
    pub tolerations: Vec<Value>,
}

/// What pods may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// What is not the internet, as CIDR: the networks of the cluster and of whoever runs it.
    pub private: Vec<String>,
}

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting `{name}`: {problem}")]
pub struct SettingFault {
    /// Which, in the words of [`Settings`].
    pub name: &'static str,
    /// What is wrong.
    pub problem: String,
}

const HOUR: u64 = 60 * 60;

impl Default for Life {
    fn default() -> Self {
        Self {
            default: Duration::from_secs(HOUR),
            longest: Duration::from_secs(7 * 24 * HOUR),
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            default: Quota {
                cpu: Quantity::whole(4),
                memory: Quantity::mebibytes(4096),
                pods: 10,
            },
            largest: Quota {
                cpu: Quantity::whole(32),
                memory: Quantity::mebibytes(64 * 1024),
                pods: 100,
            },
            persistent_volume_claims: 0,
        }
    }
}

impl Share {
    /// In thousandths of processors and in MiB: those that are sure, and the most.
    const fn of(requests: (u64, u64), limits: (u64, u64)) -> Self {
        const fn amounts((milli, mebibytes): (u64, u64)) -> Amounts {
            Amounts {
                cpu: Quantity::milli(milli),
                memory: Quantity::mebibytes(mebibytes),
            }
        }
        Self {
            requests: amounts(requests),
            limits: amounts(limits),
        }
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            app: Share::of((100, 128), (500, 512)),
            database: Share::of((100, 256), (1000, 1024)),
            redis: Share::of((50, 64), (250, 256)),
            test: Share::of((100, 256), (1000, 1024)),
        }
    }
}

impl Default for Images {
    fn default() -> Self {
        Self {
            registry: None,
            versions: BTreeMap::new(),
            redis: "8".to_owned(),
            entry: None,
            pull_policy: None,
            pull_secrets: Vec::new(),
        }
    }
}

impl Default for Network {
    /// What the registries of addresses keep for private and local use
    /// ([RFC 6890](https://www.rfc-editor.org/rfc/rfc6890)): whoever gives the pods public addresses adds those.
    fn default() -> Self {
        let networks = [
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "224.0.0.0/4",
            "fc00::/7",
            "fe80::/10",
            "ff00::/8",
        ];
        Self {
            private: networks.map(str::to_owned).to_vec(),
        }
    }
}

impl PullPolicy {
    /// Kubernetes's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

impl Images {
    /// The image of a database: `postgres:17`, with the registry before it.
    pub(crate) fn of(&self, name: &str, version: &str) -> String {
        match &self.registry {
            None => format!("{name}:{version}"),
            Some(registry) => format!("{}/{name}:{version}", registry.trim_end_matches('/')),
        }
    }

    /// The version of a database where none is asked for.
    pub(crate) fn version_of(&self, database: Database) -> &str {
        let kind = databases::kind(database);
        let set = self.versions.get(kind.template);
        set.map_or(kind.default, String::as_str)
    }
}

impl Network {
    /// The private networks of IP version 4, and of version 6.
    pub(crate) fn by_version(&self) -> (Vec<&str>, Vec<&str>) {
        self.private
            .iter()
            .map(String::as_str)
            .partition(|network| !network.contains(':'))
    }
}

impl Settings {
    /// Finds what no environment could be made with.
    pub fn check(&self) -> Result<(), SettingFault> {
        self.check_life()?;
        self.check_amounts()?;
        self.check_images()?;
        for (key, value) in &self.placement.node_selector {
            if !is_label_key(key) || !is_label_value(value) {
                return fault(
                    "placement.node_selector",
                    format!("`{key}={value}` is no label"),
                );
            }
        }
        if let Some(other) = self
            .placement
            .tolerations
            .iter()
            .find(|each| !each.is_object())
        {
            return fault(
                "placement.tolerations",
                format!("{other} is no toleration, which is a map"),
            );
        }
        if let Some(network) = self.network.private.iter().find(|each| !is_network(each)) {
            return fault(
                "network.private",
                format!(
                    "`{network}` is no network such as `10.0.0.0/8`, whose length is at least 1"
                ),
            );
        }
        if self.run_as_user == Some(0) {
            return fault("run_as_user", "user 0 is root, which no container runs as");
        }
        Ok(())
    }

    fn check_life(&self) -> Result<(), SettingFault> {
        if self.life.default.as_secs() == 0 {
            return fault("life.default", "an environment lives at least a second");
        }
        if self.life.default > self.life.longest {
            return fault("life.default", "it is longer than `life.longest`");
        }
        Ok(())
    }

    fn check_amounts(&self) -> Result<(), SettingFault> {
        let Quotas {
            default, largest, ..
        } = self.quotas;
        if default.cpu > largest.cpu
            || default.memory > largest.memory
            || default.pods > largest.pods
        {
            return fault("quotas.default", "it is more than `quotas.largest`");
        }
        if default.cpu.is_zero() || default.memory.is_zero() || default.pods == 0 {
            return fault("quotas.default", "nothing can run with a quota of zero");
        }
        let shares = [
            ("resources.app", self.resources.app),
            ("resources.database", self.resources.database),
            ("resources.redis", self.resources.redis),
            ("resources.test", self.resources.test),
        ];
        for (name, Share { requests, limits }) in shares {
            if requests.cpu > limits.cpu || requests.memory > limits.memory {
                return fault(name, "the requests are more than the limits");
            }
            if limits.cpu.is_zero() || limits.memory.is_zero() {
                return fault(name, "a limit of zero is none");
            }
        }
        Ok(())
    }

    fn check_images(&self) -> Result<(), SettingFault> {
        let images = &self.images;
        if !REDIS_VERSIONS.contains(&images.redis.as_str()) {
            let known = REDIS_VERSIONS.join("`, `");
            return fault(
                "images.redis",
                format!("`{}` is none of `{known}`", images.redis),
            );
        }
        for database in databases::ALL {
            let kind = databases::kind(database);
            let version = images.version_of(database);
            if !kind.versions.contains(&version) {
                let known = kind.versions.join("`, `");
                return fault(
                    "images.versions",
                    format!("{} `{version}` is none of `{known}`", kind.template),
                );
            }
            if let Err(problem) = image::check(&images.of(kind.image, version)) {
                return fault("images.registry", problem.to_string());
            }
        }
        if let Some(Err(problem)) = images.entry.as_deref().map(image::check) {
            return fault("images.entry", problem.to_string());
        }
        match images.pull_secrets.iter().find(|name| !is_subdomain(name)) {
            Some(name) => fault(
                "images.pull_secrets",
                format!("`{name}` is no name of a Secret"),
            ),
            None => Ok(()),
        }
    }
}

fn fault<T>(name: &'static str, problem: impl Into<String>) -> Result<T, SettingFault> {
    Err(SettingFault {
        name,
        problem: problem.into(),
    })
}

/// A network that leaves something of all addresses, with nothing set behind its length.
fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u32>()) else {
        return false;
    };
    match address {
        IpAddr::V4(address) => {
            (1..=32).contains(&length) && address.to_bits().trailing_zeros() >= 32 - length
        }
        IpAddr::V6(address) => {
            (1..=128).contains(&length) && address.to_bits().trailing_zeros() >= 128 - length
        }
    }
}
