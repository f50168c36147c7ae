//! `pg_dump` and `pg_restore`.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;
use url::Url;

use ytcaption_projections::{PROJECTIONS, RegisteredProjection};

use crate::managed::{find_postgres, find_program};

/// Parameters of a URL that both this program and Postgres' own understand.
const SHARED_PARAMETERS: [&str; 7] = ["host", "port", "user", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/// Writes the database into a file, as of one moment, without what is in plaintext: the read models are made again from the
/// events, and the data keys are in a file of their own.
///
/// # Errors
/// `pg_dump` is missing or fails.
pub(super) async fn dump(database: &str, file: &Path) -> anyhow::Result<()> {
    let mut command = client("pg_dump", database)?;
    command.args(["--format=custom", "--no-owner", "--no-privileges"]);
    let read_models: BTreeSet<&str> = PROJECTIONS.iter().flat_map(RegisteredProjection::table_names).collect();
    for table in read_models.into_iter().chain(["read_models", "data_keys"]) {
        command.arg(format!("--exclude-table-data={table}"));
    }
    // pg_dump would make it readable for everybody.
    File::options().write(true).create_new(true).mode(0o600).open(file).context("cannot write the dump")?;
    command.arg("--file").arg(file);
    run(command, "pg_dump").await
}

/// Fills an empty database from such a file, all of it or nothing.
///
/// # Errors
/// `pg_restore` is missing or fails.
pub(super) async fn restore(file: &Path, database: &str) -> anyhow::Result<()> {
    let mut command = client("pg_restore", database)?;
    command.args(["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]).arg(file);
    run(command, "pg_restore").await
}

fn client(program: &str, database: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(find(program)?);
    let mut url = Url::parse(database).context("database.url is malformed")?;
    if let Some(password) = url.password() {
        // Not on the command line, which everybody on this machine can read.
        command.env("PGPASSWORD", percent_encoding::percent_decode_str(password).decode_utf8_lossy().as_ref());
    }
    // A URL without a host cannot have a password.
    let _ = url.set_password(None);
    let shared: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| SHARED_PARAMETERS.contains(&name.as_ref()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !shared.is_empty() {
        url.query_pairs_mut().extend_pairs(shared);
    }
    command.arg("--dbname").arg(url.as_str()).stdin(Stdio::null());
    Ok(command)
}

/// From the PATH, else beside the server's programs.
fn find(program: &str) -> anyhow::Result<PathBuf> {
    let beside = || find_postgres().ok().map(|directory| directory.join(program)).filter(|path| path.exists());
    find_program(Path::new(program)).or_else(beside).with_context(|| {
        format!(
            "{program} was not found; install Postgres' client programs (Debian: apt-get install postgresql-client)"
        )
    })
}

async fn run(mut command: Command, name: &str) -> anyhow::Result<()> {
    let output = command.output().await.with_context(|| format!("{name} cannot be run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {}", said.trim().replace('\n', " | "));
    if !said.trim().is_empty() {
        bail!("{name} has doubts: {}", said.trim().replace('\n', " | "));
    }
    Ok(())
}
