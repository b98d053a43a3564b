//! The next state of one container: what a kubelet would write after it has looked at it again.

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::play::Act;

/// When a container that has ended runs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    Always,
    OnFailure,
    Never,
}

impl Restart {
    fn after(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

/// One step on from where the container was (`None`: the kubelet has not seen it yet); the same status where nothing is left to happen.
pub(super) fn next(
    container: &Container,
    act: &Act,
    restart: Restart,
    was: Option<&ContainerStatus>,
    now: &Time,
) -> ContainerStatus {
    let Some(was) = was else {
        return ContainerStatus {
            name: container.name.clone(),
            image: image(container).to_owned(),
            started: Some(false),
            state: Some(waiting("ContainerCreating", None)),
            ..ContainerStatus::default()
        };
    };
    let step = Step {
        container,
        was,
        now,
    };
    let (code, times) = match act {
        Act::Runs => return step.run(restart, true),
        Act::NeverReady => return step.run(restart, false),
        Act::StaysCreating => return step.wait("ContainerCreating", None),
        Act::ConfigError { message } => {
            return step.wait("CreateContainerConfigError", Some(message));
        }
        Act::ImagePullFails { message } => {
            return match waits_for(was) {
                Some("ErrImagePull" | "ImagePullBackOff") => {
                    let again = format!("Back-off pulling image \"{}\"", image(container));
                    step.wait("ImagePullBackOff", Some(&again))
                }
                _ => step.wait("ErrImagePull", Some(message)),
            };
        }
        Act::Exits { code } => (*code, 1),
        Act::CrashLoops { code, times } => (*code, *times),
    };
    if is_running(was) {
        return step.end(code);
    }
    match exit_code(was) {
        Some(code) if !restart.after(code) => was.clone(),
        Some(_) if was.restart_count < times => step.start(was.restart_count + 1),
        Some(_) => step.back_off(),
        None if waits_for(was) != Some("CrashLoopBackOff") => step.start(was.restart_count),
        None if was.restart_count < times => step.start(was.restart_count + 1),
        None => was.clone(),
    }
}

struct Step<'a> {
    container: &'a Container,
    was: &'a ContainerStatus,
    now: &'a Time,
}

impl Step<'_> {
    /// Towards running; ready at the first look only where no probe has to say so.
    fn run(&self, restart: Restart, ready: bool) -> ContainerStatus {
        if is_running(self.was) {
            return ContainerStatus {
                ready,
                ..self.was.clone()
            };
        }
        let mut next = match exit_code(self.was) {
            Some(code) if !restart.after(code) => return self.was.clone(),
            Some(_) => self.start(self.was.restart_count + 1),
            None => self.start(self.was.restart_count),
        };
        next.ready &= ready;
        next
    }

    fn start(&self, restart_count: i32) -> ContainerStatus {
        let probed =
            self.container.readiness_probe.is_some() || self.container.startup_probe.is_some();
        ContainerStatus {
            ready: !probed,
            started: Some(true),
            restart_count,
            image_id: format!("played://{}", image(self.container)),
            container_id: Some(format!("played://{}-{restart_count}", self.container.name)),
            state: Some(ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: Some(self.now.clone()),
                }),
                ..ContainerState::default()
            }),
            last_state: self.last_state(),
            ..self.was.clone()
        }
    }

    fn end(&self, code: i32) -> ContainerStatus {
        let running = self
            .was
            .state
            .as_ref()
            .and_then(|state| state.running.as_ref());
        ContainerStatus {
            ready: false,
            started: Some(false),
            state: Some(ContainerState {
                terminated: Some(ContainerStateTerminated {
                    exit_code: code,
                    reason: Some(if code == 0 { "Completed" } else { "Error" }.to_owned()),
                    container_id: self.was.container_id.clone(),
                    started_at: running.and_then(|running| running.started_at.clone()),
                    finished_at: Some(self.now.clone()),
                    ..ContainerStateTerminated::default()
                }),
                ..ContainerState::default()
            }),
            ..self.was.clone()
        }
    }

    fn back_off(&self) -> ContainerStatus {
        let message = format!(
            "back-off restarting failed container={}",
            self.container.name
        );
        ContainerStatus {
            state: Some(waiting("CrashLoopBackOff", Some(&message))),
            last_state: self.last_state(),
            ..self.was.clone()
        }
    }

    /// A container that runs or has run no longer waits for its image or its settings.
    fn wait(&self, reason: &str, message: Option<&str>) -> ContainerStatus {
        if is_running(self.was) || exit_code(self.was).is_some() {
            return self.was.clone();
        }
        ContainerStatus {
            state: Some(waiting(reason, message)),
            ..self.was.clone()
        }
    }

    fn last_state(&self) -> Option<ContainerState> {
        match exit_code(self.was) {
            Some(_) => self.was.state.clone(),
            None => self.was.last_state.clone(),
        }
    }
}

pub(super) fn is_running(status: &ContainerStatus) -> bool {
    status
        .state
        .as_ref()
        .is_some_and(|state| state.running.is_some())
}

pub(super) fn exit_code(status: &ContainerStatus) -> Option<i32> {
    Some(status.state.as_ref()?.terminated.as_ref()?.exit_code)
}

pub(super) fn waits_for(status: &ContainerStatus) -> Option<&str> {
    status.state.as_ref()?.waiting.as_ref()?.reason.as_deref()
}

pub(super) fn image(container: &Container) -> &str {
    container.image.as_deref().unwrap_or_default()
}

fn waiting(reason: &str, message: Option<&str>) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting {
            reason: Some(reason.to_owned()),
            message: message.map(ToOwned::to_owned),
        }),
        ..ContainerState::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Probe;
    use k8s_openapi::jiff::Timestamp;

    /// What is seen of a container, step by step, until nothing happens any more.
    fn seen(act: &Act, restart: Restart, probed: bool) -> Vec<String> {
        let container = Container {
            name: "c".to_owned(),
            image: Some("x:1".to_owned()),
            readiness_probe: probed.then(Probe::default),
            ..Container::default()
        };
        let now = Time(Timestamp::UNIX_EPOCH);
        let mut was: Option<ContainerStatus> = None;
        let mut seen = Vec::new();
        while seen.len() < 20 {
            let next = next(&container, act, restart, was.as_ref(), &now);
            if was.as_ref() == Some(&next) {
                return seen;
            }
            seen.push(match (waits_for(&next), exit_code(&next)) {
                (Some(reason), _) => format!("{reason} {}", next.restart_count),
                (_, Some(code)) => format!("exit {code}"),
                _ if next.ready => "ready".to_owned(),
                _ => "running".to_owned(),
            });
            was = Some(next);
        }
        panic!("no end of {seen:?}");
    }

    #[test]
    fn a_container_is_seen_as_a_kubelet_would_show_it() {
        let creating = "ContainerCreating 0";
        let always = Restart::Always;
        assert_eq!(seen(&Act::Runs, always, false), [creating, "ready"]);
        assert_eq!(
            seen(&Act::Runs, always, true),
            [creating, "running", "ready"]
        );
        assert_eq!(seen(&Act::NeverReady, always, false), [creating, "running"]);
        assert_eq!(seen(&Act::StaysCreating, always, false), [creating]);
        let code = 3;
        assert_eq!(
            seen(&Act::Exits { code }, Restart::Never, false),
            [creating, "ready", "exit 3"]
        );
        let message = "no such image".to_owned();
        assert_eq!(
            seen(&Act::ImagePullFails { message }, always, false),
            [creating, "ErrImagePull 0", "ImagePullBackOff 0"]
        );
        let message = "secret not found".to_owned();
        assert_eq!(
            seen(&Act::ConfigError { message }, always, false),
            [creating, "CreateContainerConfigError 0"]
        );
        assert_eq!(
            seen(&Act::CrashLoops { code, times: 2 }, always, true),
            [
                creating,
                "running",
                "exit 3",
                "running",
                "exit 3",
                "running",
                "exit 3",
                "CrashLoopBackOff 2"
            ]
        );
    }

    #[test]
    fn only_a_failure_is_restarted_where_the_policy_says_so() {
        let policy = Restart::OnFailure;
        let ends = |code| seen(&Act::Exits { code }, policy, false).last().cloned();
        assert_eq!(ends(0).as_deref(), Some("exit 0"));
        assert_eq!(ends(1).as_deref(), Some("CrashLoopBackOff 1"));
    }
}
