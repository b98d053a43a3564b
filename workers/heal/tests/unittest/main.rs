//! Small projects, healed whole. Their tests are those of `unittest`, so that nothing is installed.

mod environment_time_wording;
mod forked;
mod project;
mod teeth;
