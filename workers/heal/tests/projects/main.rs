//! Small projects, healed whole. Their tests are those of `unittest`, so that nothing is installed, where it makes no difference.

mod environment_time_wording;
mod forked;
mod project;
mod pytest;
mod teeth;
