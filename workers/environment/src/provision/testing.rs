//! The tests run: their Job is made, its log followed from the first line, and what came of it told in one step.

use std::time::Duration;

use jiff::Timestamp;
use maestro_protocol::environment::{
    DeletionCause, EnvironmentStatus, Phase, TestJob, TestOutcome,
};
use maestro_worker::{Outcome, Reply};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claiming::Claimed;
use super::raising::{Watching, instant};
use super::{Stop, Work};
use crate::cluster::ContainerOf;
use crate::plan::Object;
use crate::testing::{Ending, Limits, LogCapture, TestRun, Tested};
use crate::verdict::{Ended, Fault, Progress, Reason, judge_test};

/// How long a change may be awaited at a time where nothing else says when to look again.
const LONG: Duration = Duration::from_hours(1);

/// What became of the test Job.
enum End {
    Ended(Ended),
    TimedOut(String),
    Broken(Box<Fault>),
}

impl Work<'_> {
    pub(super) async fn test(
        &self,
        job: &Object,
        test: &TestJob,
        claimed: &Claimed,
        mut watching: Watching,
    ) -> Result<Outcome, Stop> {
        self.apply(job).await?;
        self.say("testing", self.living(claimed, Phase::Testing))
            .await?;
        let name = job.name.clone();
        let container = text(&job.manifest, "/spec/template/spec/containers/0/name");
        let namespace = self.namespace;
        let jobs = self.worker.cluster.job_changes(namespace, &name);
        watching.changes = Box::pin(futures_util::stream::select(watching.changes, jobs));

        let which = (name.as_str(), container.as_str());
        let begun = self.until(claimed, &mut watching, which, |progress| match progress {
            Progress::Waiting(again) => Err(again),
            begun => Ok(begun),
        });
        let begun = begun.await?;
        let pod = match &begun {
            Progress::Running(pod, _) => Some(pod.clone()),
            Progress::Ended(ended) => Some(ended.pod.clone()),
            _ => None,
        };
        let end = over(begun).ok();
        let mut capture = LogCapture::new(Limits::default());
        let ended = CancellationToken::new();
        if end.is_some() {
            ended.cancel();
        }
        let following = async {
            let Some(pod) = &pod else { return };
            let container_of = ContainerOf {
                namespace,
                pod,
                container: &container,
            };
            let cluster = &self.worker.cluster;
            cluster
                .follow(container_of, &ended, |chunk| capture.push(chunk))
                .await;
        };
        let watching = async {
            // However it goes on, the log is no longer waited for.
            let _guard = ended.clone().drop_guard();
            if let Some(end) = end {
                return Ok(end);
            }
            self.until(claimed, &mut watching, which, over).await
        };
        let (end, ()) = tokio::join!(watching, following);
        Ok(self.tested(end?, capture, test, claimed))
    }

    /// What is told of tests that have ended, and what becomes of their environment: all in one step.
    fn tested(&self, end: End, capture: LogCapture, test: &TestJob, claimed: &Claimed) -> Outcome {
        let (ending, duration) = match end {
            End::Ended(ended) => (
                Ending {
                    exit_code: Some(ended.exit_code),
                    reason: ended.reason,
                    message: ended.message,
                },
                ended
                    .finished_at
                    .zip(ended.started_at)
                    .map(|(end, start)| end.duration_since(start).unsigned_abs()),
            ),
            End::TimedOut(message) => (
                Ending {
                    exit_code: None,
                    reason: Some("DeadlineExceeded".to_owned()),
                    message: Some(message),
                },
                Some(Duration::from_secs(
                    test.timeout_s
                        .unwrap_or(crate::testing::DEFAULT_TIMEOUT_S)
                        .into(),
                )),
            ),
            End::Broken(fault) => (
                Ending {
                    exit_code: None,
                    reason: Some(fault.reason.word().to_owned()),
                    message: Some(fault.detail.clone()),
                },
                None,
            ),
        };
        let run = TestRun {
            environment: &self.identity.id,
            namespace: self.namespace,
            project: self.request.project.as_ref(),
            test,
            ending,
            duration: duration.unwrap_or_default(),
            worker_version: Some(env!("CARGO_PKG_VERSION")),
        };
        let Tested { tested, errors } = Tested::of(&run, capture.finish());
        let has_passed = tested.outcome == TestOutcome::Passed;
        let status = EnvironmentStatus {
            reason: Some(word(tested.outcome).to_owned()),
            detail: tested.reason.clone(),
            ..self.living(claimed, Phase::Tested)
        };
        let mut replies = vec![self.reply(status)];
        replies.push(Reply::new(tested).subject(self.identity.id.clone()));
        for error in errors {
            let about = error.test.as_ref().map(|test| test.id.clone());
            let reply = Reply::new(error);
            replies.push(match about {
                Some(test) => reply.subject(test),
                None => reply,
            });
        }
        let stays = !has_passed && self.request.keep_on_failure == Some(true);
        if !stays {
            replies.push(self.end(claimed, DeletionCause::Finished));
        }
        Outcome::Done(replies)
    }

    /// Until what has been seen of the Job and its container decides. Undecided is `Err`, with the time to look again.
    async fn until<T>(
        &self,
        claimed: &Claimed,
        watching: &mut Watching,
        (job, container): (&str, &str),
        decide: impl Fn(Progress) -> Result<T, Option<Timestamp>>,
    ) -> Result<T, Stop> {
        loop {
            let progress = judge_test(
                &watching.observed,
                job,
                container,
                self.worker.patience(),
                self.context.now(),
            );
            let again = match decide(progress) {
                Ok(decided) => return Ok(decided),
                Err(again) => again,
            };
            let again = again.map_or_else(
                || Instant::now() + LONG,
                |again| instant(self.context, again),
            );
            if watching.observed.knows_job() && watching.observed.job().is_none() {
                let detail = "it was taken away while its tests ran";
                return Err(Fault::new(Reason::Deleted, detail).into());
            }
            self.next(claimed, watching, again).await?;
        }
    }
}

/// What became of the tests, once they are over.
fn over(progress: Progress) -> Result<End, Option<Timestamp>> {
    match progress {
        Progress::Ended(ended) => Ok(End::Ended(ended)),
        Progress::TimedOut(detail) => Ok(End::TimedOut(detail)),
        Progress::Broken(fault) => Ok(End::Broken(fault)),
        Progress::Waiting(again) | Progress::Running(_, again) => Err(again),
    }
}

fn text(value: &Value, pointer: &str) -> String {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// How tests ended, as a reason in a status.
const fn word(outcome: TestOutcome) -> &'static str {
    match outcome {
        TestOutcome::Passed => "Passed",
        TestOutcome::Failed => "Failed",
        TestOutcome::TimedOut => "TimedOut",
        TestOutcome::Broken => "Broken",
    }
}
