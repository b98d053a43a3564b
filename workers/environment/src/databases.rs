//! The databases that can be asked for: their images with the major version pinned, their ports, and how they are
//! addressed.

use maestro_protocol::environment::Database;

/// What all environments' databases are called inside.
pub(crate) const NAME: &str = "app";
/// The user that the app is in its database.
pub(crate) const USER: &str = "app";
/// The port of Redis.
pub(crate) const REDIS_PORT: u16 = 6379;
/// The versions of Redis.
pub const REDIS_VERSIONS: &[&str] = &["7", "8"];

/// What is known of a kind of database.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The name of its template.
    pub(crate) template: &'static str,
    /// The name of its image.
    pub(crate) image: &'static str,
    /// The versions that it can be asked for in.
    pub(crate) versions: &'static [&'static str],
    /// The one without asking.
    pub(crate) default: &'static str,
    pub(crate) port: u16,
    pub(crate) scheme: &'static str,
    /// What its URL ends in.
    pub(crate) options: &'static str,
    /// Whether there is an administrator beside the app's user.
    pub(crate) has_root: bool,
}

const POSTGRESQL: Kind = Kind {
    template: "postgresql",
    image: "postgres",
    versions: &["14", "15", "16", "17", "18"],
    default: "17",
    port: 5432,
    scheme: "postgresql",
    options: "",
    has_root: false,
};

const MYSQL: Kind = Kind {
    template: "mysql",
    image: "mysql",
    versions: &["8.0", "8.4"],
    default: "8.4",
    port: 3306,
    scheme: "mysql",
    options: "",
    has_root: true,
};

const MONGODB: Kind = Kind {
    template: "mongodb",
    image: "mongo",
    versions: &["6", "7", "8"],
    default: "8",
    port: 27017,
    scheme: "mongodb",
    // The image makes the user in the database `admin`.
    options: "?authSource=admin",
    has_root: false,
};

/// Every database of the protocol.
pub(crate) const ALL: [Database; 3] = [Database::Postgresql, Database::Mysql, Database::Mongodb];

pub(crate) const fn kind(database: Database) -> &'static Kind {
    match database {
        Database::Postgresql => &POSTGRESQL,
        Database::Mysql => &MYSQL,
        Database::Mongodb => &MONGODB,
    }
}

/// The number before the first point of a version.
pub(crate) fn major(version: &str) -> u32 {
    let number = version.split('.').next().unwrap_or_default();
    number.parse().unwrap_or_default()
}
