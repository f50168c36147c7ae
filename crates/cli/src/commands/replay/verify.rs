//! `ytcaption replay verify`

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};
use ytcaption_eventstore::Database;
use ytcaption_projections::{Difference, PROJECTIONS, Rebuild, RegisteredProjection};

use super::progress::Progress;
use super::read_models;
use crate::commands::Global;
use crate::commands::output::{self, Output};
use crate::commands::store::WHERE;

/// Verify that the read models are what the events say: rebuild them and compare row by row
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption replay verify
  ytcaption replay verify jobs
  ytcaption replay verify --json | jq 'select(.step == \"difference\")'

Both sides are compared as of the same event, while the system runs. No row that a query reads is changed. Exit code 1 if
a row differs; `ytcaption replay projection NAME` repairs it.
{WHERE}"))]
pub(in crate::commands) struct Verify {
    /// Only this read model [default: all]
    #[arg(value_name = "NAME")]
    projection: Option<RegisteredProjection>,
    /// Print progress, differences and result as JSON lines
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.verify_all(global).await)
    }

    async fn verify_all(self, global: &Global) -> anyhow::Result<()> {
        let database = read_models(global).await?;
        let mut out = Output::new();
        let mut wrong = vec![];
        for projection in self.projection.map_or(PROJECTIONS.to_vec(), |one| vec![one]) {
            let differences = self.verify(&database, projection, &mut out).await?;
            if differences > 0 {
                wrong.push(format!(
                    "the read model `{projection}` is not what the events say: {differences} differences. \
                     `ytcaption replay projection {projection}` builds it anew"
                ));
            }
        }
        out.flush()?;
        if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("; ")) }
    }

    /// Returns how many differences there are.
    async fn verify(
        &self,
        database: &Database,
        projection: RegisteredProjection,
        out: &mut Output,
    ) -> anyhow::Result<u64> {
        let mut rebuild = Rebuild::begin(database, projection).await?;
        let mut progress = Progress::new(self.json);
        while rebuild.advance_to_live().await? {
            progress.set(rebuild.progress(), out)?;
        }
        progress.step("comparing");
        let mut comparison = rebuild.compare().await?;
        progress.clear();
        let mut differences = 0_u64;
        while let Some(page) = comparison.next_page().await? {
            for difference in page {
                differences += 1;
                self.print(&difference, out)?;
            }
        }
        let (at, rows, events) = (comparison.at, comparison.rows, rebuild.progress().0);
        drop(comparison);
        if let Err(error) = rebuild.end().await {
            eprintln!("ytcaption: superseded rows are left; the next rebuild removes them ({error})");
        }
        if self.json {
            let result = json!({
                "step": "compared", "projection": projection.name(), "at": at.to_string(), "events": events,
                "rows": rows, "differences": differences,
            });
            out.line(&result.to_string())?;
        } else if differences == 0 {
            out.line(&format!("{projection}: {rows} rows are what {events} events say (up to {at})."))?;
        }
        Ok(differences)
    }

    fn print(&self, difference: &Difference, out: &mut Output) -> anyhow::Result<()> {
        if self.json {
            let mut line = json!(difference);
            line["step"] = "difference".into();
            return Ok(out.line(&line.to_string())?);
        }
        let Difference { table, key, column, live, rebuilt } = difference;
        let what = match (live, rebuilt) {
            (Value::Null, row) if column.is_empty() => format!("is missing; the events say {row}"),
            (row, Value::Null) if column.is_empty() => format!("should not be there: {row}"),
            _ => format!("{column}: is {live}, the events say {rebuilt}"),
        };
        Ok(out.line(&format!("{table} {key} {what}"))?)
    }
}
