//! A private redis-server child process, for the embedded default and for tests.
