//! What stands on the objects of an environment, and what they are called.

/// Labels, by which objects are found.
pub mod label {
    /// Says [`MAESTRO`](super::MAESTRO) on everything that was made here.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// The fleet that made it.
    pub const OWNER: &str = "maestro.dev/owner";
    /// The environment that it belongs to: [`Identity::hash`](crate::identity::Identity::hash).
    pub const ENVIRONMENT: &str = "maestro.dev/environment";
    /// The part of the environment that a pod belongs to, for example `database`.
    pub const NAME: &str = "app.kubernetes.io/name";
}

/// Annotations of the namespace: all that is kept of an environment.
pub mod annotation {
    /// The id of the message that asked for it.
    pub const ID: &str = "maestro.dev/environment-id";
    /// The source of that message; absent where it has none.
    pub const SOURCE: &str = "maestro.dev/request-source";
    /// [`spec_hash`](crate::identity::spec_hash) of what was asked for.
    pub const SPEC_HASH: &str = "maestro.dev/spec-hash";
    /// What was asked for, the payload as JSON.
    pub const SPEC: &str = "maestro.dev/spec";
    /// When its time is over, RFC 3339.
    pub const EXPIRES_AT: &str = "maestro.dev/expires-at";
    /// The messages that let it live longer, in short, so that none does so twice.
    pub const EXTENDED_BY: &str = "maestro.dev/extended-by";
    /// The version of the worker that made it.
    pub const CREATED_BY: &str = "maestro.dev/created-by";
}

/// The value of [`label::MANAGED_BY`].
pub const MAESTRO: &str = "maestro";
/// The domain of our own labels and annotations.
pub const DOMAIN: &str = "maestro.dev";

/// The app's Deployment, Service and container.
pub const APP: &str = "app";
/// The database's.
pub const DATABASE: &str = "database";
/// The Redis's.
pub const REDIS: &str = "redis";
/// The Job that runs the tests, and its container.
pub const TEST: &str = "test";
/// The Secret with what was generated.
pub const CREDENTIALS: &str = "credentials";
