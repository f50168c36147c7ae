//! The role that serves the REST interface.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use ytcaption_api::{ApiSettings, ApiState, Hosts, StreamLimits, Streams};
use ytcaption_eventstore::IdGenerator;
use ytcaption_projections::JobQueries;

use super::Deps;
use crate::settings::{self, Settings};

/// Answers requests at `listener` until `stop`.
///
/// # Errors
/// None at present: other roles have some.
pub(super) async fn serve(
    deps: Deps,
    settings: Settings,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let asked = settings.api.clone();
    let streams = StreamLimits { all: asked.max_streams, per_client: asked.max_streams_per_client };
    let public_name = asked.public_url.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
    let state = ApiState {
        streams: Streams::start(&deps.database, deps.listener, streams, stop.clone()),
        queries: JobQueries::new(&deps.database),
        jobs: deps.worker.jobs,
        blobs: deps.blobs,
        database: deps.database,
        nats: Some(deps.nats),
        network: Arc::new(deps.network),
        settings: Arc::new(ApiSettings {
            listen: asked.listen,
            hosts: Hosts::new(asked.listen, asked.allowed_hosts, public_name),
            max_upload_bytes: asked.max_upload_bytes,
            max_body_bytes: asked.max_body_bytes,
        }),
        models: Arc::new(move || settings::seen(&settings).map_err(|error| error.to_string())),
        ids: IdGenerator::system(),
        metrics: deps.metrics,
    };
    ytcaption_api::serve(listener, ytcaption_api::router(state), asked.header_timeout, stop.cancelled_owned()).await;
    Ok(())
}
