//! The triage worker: classifies an error, drops repeats, decides what can be healed.
