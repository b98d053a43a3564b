//! The templates that are built in.

/// The file of one.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// The names of the templates that are built in. A request does not name them: they are used where it asks for
        /// what they make.
        pub const BUILT_IN: &[&str] = &[$($name),*];

        pub(super) const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../templates/", $name, ".yaml")))),*];
    };
}

files![
    "deployment",
    "mongodb",
    "mysql",
    "namespace",
    "network-policy",
    "postgresql",
    "quota",
    "redis",
    "secret",
    "service-account",
    "test-job",
];
