//! `ytcaption events schemas`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use ytcaption_domain::schema;

/// Write the JSON Schema of every event, in every version ever written, into a directory
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ytcaption events schemas schemas && ls schemas

Each file is named <Event>.v<version>.json and describes the payload of such events, in the store, in exports and as the
data of messages on JetStream.")]
pub(in crate::commands) struct Schemas {
    /// Made if it is not there
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

impl Schemas {
    pub(in crate::commands) fn run(self) -> anyhow::Result<ExitCode> {
        std::fs::create_dir_all(&self.directory).with_context(|| format!("making {}", self.directory.display()))?;
        for schema in schema::event_schemas() {
            let path = self.directory.join(schema.file_name());
            std::fs::write(&path, schema.text).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
