//! The table, brought to the version that this program writes.

use tokio_postgres::{Client, Error, Transaction};

/// Each takes the table from the version before to its own, the first from nothing. Added to, never edited.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/0001_rows.sql")];

/// Whoever holds this lock migrates; the number is `maestro` in ASCII.
const LOCK: i64 = 0x006d_6165_7374_726f;

const VERSIONS: &str = "CREATE TABLE maestro_audit_migrations (
    version integer PRIMARY KEY,
    applied timestamptz NOT NULL DEFAULT now()
)";

/// Why the table cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrationError {
    #[error("the audit table has version {0}, and this program knows {known}: a newer maestro has migrated it", known = MIGRATIONS.len())]
    Newer(i32),
    #[error(transparent)]
    Postgres(#[from] Error),
}

/// Migrates in one transaction, one program at a time. Where nothing is to be done it only reads, so that a role which may insert, and read the
/// versions, is enough.
pub(super) async fn migrate(client: &mut Client) -> Result<(), MigrationError> {
    let transaction = client.transaction().await?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    let applied = version(&transaction).await?;
    let known = usize::try_from(applied).unwrap_or(0);
    if known > MIGRATIONS.len() {
        return Err(MigrationError::Newer(applied));
    }
    for (version, migration) in (1_i32..).zip(MIGRATIONS).skip(known) {
        transaction.batch_execute(migration).await?;
        transaction
            .execute(
                "INSERT INTO maestro_audit_migrations (version) VALUES ($1)",
                &[&version],
            )
            .await?;
        tracing::info!(version, "the audit table was migrated");
    }
    Ok(transaction.commit().await?)
}

async fn version(transaction: &Transaction<'_>) -> Result<i32, Error> {
    let exists = "SELECT to_regclass('maestro_audit_migrations') IS NOT NULL";
    if !transaction.query_one(exists, &[]).await?.try_get(0)? {
        transaction.batch_execute(VERSIONS).await?;
    }
    let newest = "SELECT coalesce(max(version), 0) FROM maestro_audit_migrations";
    transaction.query_one(newest, &[]).await?.try_get(0)
}
