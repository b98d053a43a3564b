//! What a test container is started with: `maestro-entry run` runs the command that was asked for and, when it has
//! ended, puts its JUnit report into the log, as a [`block`] of lines that whoever follows the log takes out again.
//!
//! The log is the one thing of a container that can be read without rights in its namespace beyond `pods/log`, on every
//! version of Kubernetes, of an image without a shell, with a read-only root, and after the container has ended. The program
//! itself comes into the container by `maestro-entry install`, run from the fleet's image into a shared volume.

pub mod block;
