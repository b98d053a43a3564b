//! Under which names a process's figures stand at their target.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The instance of what one replica exports for all.
const FLEET: &str = "fleet";

/// Whose figures they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// This replica's.
    Replica,
    /// The fleet's.
    Fleet,
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replica => "replica",
            Self::Fleet => "fleet",
        })
    }
}

/// Under which names they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) job: String,
    pub(crate) instance: String,
    /// Of the tenant; empty where there is none.
    pub(crate) prefix: String,
}

impl Names {
    /// The value of the label `instance`. The fleets of several tenants do not overwrite each other.
    pub(crate) fn instance(&self, whose: Whose) -> String {
        match whose {
            Whose::Replica => self.instance.clone(),
            Whose::Fleet if self.prefix.is_empty() => FLEET.to_owned(),
            Whose::Fleet => format!("{FLEET} {}", self.prefix),
        }
    }

    /// The path of a group below a Pushgateway's address
    /// (<https://github.com/prometheus/pushgateway#url>: what does not fit a path is written in base64).
    pub(crate) fn group(&self, whose: Whose) -> String {
        let label = |name: &str, value: &str| {
            if is_plain(value) {
                format!("/{name}/{value}")
            } else {
                format!("/{name}@base64/{}", BASE64_URL_SAFE_NO_PAD.encode(value))
            }
        };
        format!(
            "/metrics{}{}",
            label("job", &self.job),
            label("instance", &self.instance(whose))
        )
    }

    /// The name of a file, which no other replica and no other fleet of this machine has.
    pub(crate) fn file(&self, whose: Whose) -> String {
        let name = format!("{} {}", self.job, self.instance(whose));
        let plain: String = name
            .chars()
            .map(|c| {
                if is_plain(c.encode_utf8(&mut [0; 4])) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        if is_plain(&self.prefix) || whose == Whose::Replica || self.prefix.is_empty() {
            format!("{plain}.prom")
        } else {
            let exact = BASE64_URL_SAFE_NO_PAD.encode(&self.prefix);
            format!("{plain}_{exact}.prom")
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte))
}

/// The name of this machine and of this process, for a replica that was given none.
pub fn of_this_process() -> String {
    let named = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let host: String = named
        .unwrap_or_default()
        .trim()
        .chars()
        .filter(|c| is_plain(c.encode_utf8(&mut [0; 4])))
        .collect();
    let host = if host.is_empty() { "host" } else { &host };
    format!("{host}-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefix: &str) -> Names {
        Names {
            job: "maestro".to_owned(),
            instance: "host-1".to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    #[test]
    fn a_group_is_a_path_and_what_does_not_fit_is_encoded() {
        let plain = names("");
        assert_eq!(
            plain.group(Whose::Replica),
            "/metrics/job/maestro/instance/host-1"
        );
        assert_eq!(
            plain.group(Whose::Fleet),
            "/metrics/job/maestro/instance/fleet"
        );
        let tenant = names("team/a:");
        assert_eq!(tenant.instance(Whose::Fleet), "fleet team/a:");
        assert_eq!(
            tenant.group(Whose::Fleet),
            "/metrics/job/maestro/instance@base64/ZmxlZXQgdGVhbS9hOg"
        );
    }

    #[test]
    fn the_files_of_two_tenants_have_two_names() {
        assert_eq!(names("").file(Whose::Replica), "maestro_host-1.prom");
        assert_eq!(names("").file(Whose::Fleet), "maestro_fleet.prom");
        assert_ne!(
            names("a/b").file(Whose::Fleet),
            names("a_b").file(Whose::Fleet)
        );
        assert_ne!(
            names("a b").file(Whose::Fleet),
            names("a/b").file(Whose::Fleet)
        );
    }
}
