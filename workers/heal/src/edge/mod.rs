//! The edge towards the world: processes, the sandbox, checkouts, interpreters, environments, the package index.
