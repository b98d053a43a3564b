//! The passwords of an environment: generated once, then read from its Secret.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use rand::TryRng;
use rand::rngs::SysRng;

/// How many characters a password has: 190 bits.
pub const PASSWORD_LENGTH: usize = 32;
/// What a password is made of: nothing that a URL or a shell would read in another way.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The key in the Secret of [`Credentials::database`].
pub const DATABASE_PASSWORD: &str = "DATABASE_PASSWORD";
/// The key in the Secret of [`Credentials::database_root`].
pub const DATABASE_ROOT_PASSWORD: &str = "DATABASE_ROOT_PASSWORD";
/// The key in the Secret of [`Credentials::redis`].
pub const REDIS_PASSWORD: &str = "REDIS_PASSWORD";

/// What an environment's databases let in. There is one for each whether or not it is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Of the database's user that the app is.
    pub database: String,
    /// Of the database's administrator, where it has one beside that user.
    pub database_root: String,
    /// Of the Redis.
    pub redis: String,
}

/// The operating system gave no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random numbers")]
pub struct NoRandomness;

impl Credentials {
    /// New ones, from the operating system's random numbers.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self {
            database: password()?,
            database_root: password()?,
            redis: password()?,
        })
    }

    /// Those of an environment that is gone on with: a database keeps the password that it was made with. What is not
    /// in the Secret was not asked for, and is new.
    pub fn resumed(secret: &BTreeMap<String, ByteString>) -> Result<Self, NoRandomness> {
        let kept = |key: &str| {
            secret
                .get(key)
                .and_then(|value| String::from_utf8(value.0.clone()).ok())
                .map_or_else(password, Ok)
        };
        Ok(Self {
            database: kept(DATABASE_PASSWORD)?,
            database_root: kept(DATABASE_ROOT_PASSWORD)?,
            redis: kept(REDIS_PASSWORD)?,
        })
    }

    /// Recognisable ones, for templates that are only tried.
    pub(crate) fn sample() -> Self {
        let sample = |name: &str| format!("{name:x<PASSWORD_LENGTH$}");
        Self {
            database: sample("database"),
            database_root: sample("root"),
            redis: sample("redis"),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

fn password() -> Result<String, NoRandomness> {
    let mut password = String::with_capacity(PASSWORD_LENGTH);
    let mut random = [0_u8; 2 * PASSWORD_LENGTH];
    while password.len() < PASSWORD_LENGTH {
        SysRng
            .try_fill_bytes(&mut random)
            .map_err(|_| NoRandomness)?;
        // Six bits choose among 64; the two that the alphabet does not have are thrown again, so that all are as likely.
        let characters = random
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(byte >> 2)))
            .map(|&byte| char::from(byte));
        password.extend(characters.take(PASSWORD_LENGTH - password.len()));
    }
    Ok(password)
}
