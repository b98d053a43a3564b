//! `maestro apply`: a heal's patch into a working copy, entirely or not at all.

use std::path::{Path, PathBuf};

use clap::Args;
use maestro_protocol::heal::{HealCompleted, RuntimeChanges, Verdict};
use maestro_protocol::validation::Judgement;
use serde_json::json;

use super::OutputFlag;
use super::publish::working_copy;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::output::{Tone, harmless};
use crate::patch::{Misfit, Plan};
use crate::results::Found;
use crate::session::Session;
use crate::{decision, lookup, verdict};

/// Writes the patch of a heal into a working copy, after checking that it still applies
///
/// Every file is written, or none. That you applied it is put on record as your acceptance, which later heals go by. Paths that lead out of the working copy, into `.git` or over symbolic links are refused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro apply 3f2a1c                            # into the git working copy around this directory
  maestro apply 3f2a1c --check && echo fits
  maestro apply 3f2a1c --into ../checkout --proposed")]
pub(crate) struct Apply {
    /// The heal, named as for `maestro show`
    #[arg(value_name = "ID")]
    id: String,

    /// The working copy [default: the git working copy around this directory, else this directory]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,

    /// Only check
    #[arg(long)]
    check: bool,

    /// Do not put on record that you accepted the heal
    #[arg(long)]
    no_record: bool,

    /// Take a heal that needs a person's approval: you have looked at it, and approve
    #[arg(long)]
    proposed: bool,

    #[command(flatten)]
    output: OutputFlag,
}

impl Apply {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let (found, heal) = lookup::heal(&session, &self.id).await?;
        self.allowed(&heal)?;
        let root = self.root()?;
        let planned = match &heal.patch {
            None => Ok(Plan {
                changes: Vec::new(),
            }),
            Some(patch) => Plan::of(patch, &root),
        };
        let (plan, already) = match planned {
            Ok(plan) => (plan, false),
            Err(Misfit::Already) => (
                Plan {
                    changes: Vec::new(),
                },
                true,
            ),
            Err(misfit) => return Err(refused(&misfit, &root)),
        };
        if !self.check {
            plan.write().map_err(|misfit| refused(&misfit, &root))?;
        }
        let recorded = !self.check && !already && !self.no_record;
        if recorded {
            self.accept(&session, &found, &heal).await?;
        }
        let changes = heal.runtime_changes.unwrap_or_default();
        if self.output.is_json() {
            let files: Vec<_> = plan
                .changes
                .iter()
                .map(|change| json!({ "path": change.name, "action": change.verb() }))
                .collect();
            session.output.json(&json!({
                "id": found.id(),
                "into": root.display().to_string(),
                "written": !self.check && !already,
                "already": already,
                "recorded": recorded,
                "files": files,
                "runtime_changes": changes,
            }))?;
        } else {
            self.tell(&session, &plan, already, &changes)?;
        }
        Ok(Exit::Success)
    }

    async fn accept(
        &self,
        session: &Session,
        found: &Found,
        heal: &HealCompleted,
    ) -> Result<(), Fault> {
        let reason = "applied to a working copy".to_owned();
        let by = decision::somebody();
        decision::record(session, found, heal, Judgement::Approved, by, reason)
            .await
            .map(drop)
            .map_err(|fault| {
                let next = format!("say `maestro verdict {} accept` later", self.id);
                Fault::unavailable(format!(
                    "the patch was written, but not that you accepted it: {fault}"
                ))
                .next(next)
            })
    }

    fn allowed(&self, heal: &HealCompleted) -> Result<(), Fault> {
        let no = |what: &str| {
            Err(Fault::no(format!("{what}: {}", heal.reason)).next("there is nothing to apply"))
        };
        match heal.verdict {
            Verdict::Healed => Ok(()),
            Verdict::Proposed if self.proposed => Ok(()),
            Verdict::Proposed => Err(Fault::no(format!(
                "this heal is proposed, which needs a person's approval: {}",
                heal.reason
            ))
            .next(format!(
                "look at it with `maestro show {}`, and say --proposed to approve",
                self.id
            ))),
            Verdict::Refused => no("this heal was refused"),
            Verdict::NoFix => no("no fix was found"),
            Verdict::NotReproduced => no("the failure was not reproduced"),
        }
    }

    fn root(&self) -> Result<PathBuf, Fault> {
        let wanted = if let Some(into) = &self.into {
            into.clone()
        } else {
            let here = std::env::current_dir().map_err(|error| {
                Fault::new(
                    Exit::Io,
                    format!("the working directory cannot be read: {error}"),
                )
            })?;
            working_copy(&here).unwrap_or(here)
        };
        let root = wanted
            .canonicalize()
            .map_err(|error| Fault::io(&wanted, "be used as a working copy", &error))?;
        if root.is_dir() {
            Ok(root)
        } else {
            Err(Fault::usage(format!(
                "`--into`: expected a directory, but `{}` is a file",
                wanted.display()
            )))
        }
    }

    fn tell(
        &self,
        session: &Session,
        plan: &Plan,
        already: bool,
        changes: &RuntimeChanges,
    ) -> Result<(), Fault> {
        let output = session.output;
        if already {
            output.line("the patch is already in the working copy")?;
        }
        for change in &plan.changes {
            let verb = if self.check {
                format!("would be {}", change.verb())
            } else {
                change.verb().to_owned()
            };
            output.line(format!(
                "{}  {}",
                output.paint(Tone::Good, &verb),
                harmless(&change.name)
            ))?;
        }
        let lines = verdict::runtime_changes(changes);
        if !lines.is_empty() {
            output.line(output.paint(
                Tone::Strong,
                "The environment of the tests needs these changes, by hand:",
            ))?;
            for line in lines {
                output.line(format!("  {}", harmless(&line)))?;
            }
        }
        if plan.changes.is_empty() && !already && *changes == RuntimeChanges::default() {
            output.line("the heal changes no file")?;
        }
        Ok(())
    }
}

fn refused(misfit: &Misfit, root: &Path) -> Fault {
    let place = root.display();
    match misfit {
        Misfit::Hunk { .. } | Misfit::Missing(_) | Misfit::Exists(_) | Misfit::Leftover(_) => {
            Fault::no(misfit.to_string())
                .next(format!("`{place}` was not changed; it may have moved on since the heal, so publish the failure again"))
        }
        Misfit::Unreadable { .. } | Misfit::Unwritable { .. } => Fault::new(Exit::Io, misfit.to_string()),
        _ => Fault::data(misfit.to_string()).next(format!("`{place}` was not changed")),
    }
}
