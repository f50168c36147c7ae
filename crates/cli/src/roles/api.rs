//! The role that serves the REST interface.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;
use ytcaption_api::{ApiState, ConnectionLimits, StreamPermits, TrustedProxies};
use ytcaption_application::{Commands, Queries, Subscriptions, UploadSweep};
use ytcaption_eventstore::IdGenerator;

use super::Deps;
use crate::settings::{self, Settings};

/// Serves requests at `listener` until `stop`.
///
/// # Errors
/// A trusted proxy is not a network.
pub(super) async fn serve(
    deps: Deps,
    settings: Settings,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let api = Arc::new(settings.api.clone());
    let proxies = TrustedProxies::new(&api)?;
    let limits = ConnectionLimits::new(&api, proxies.clone());
    let queries = Queries::new(&deps.database);
    let ids = IdGenerator::system();
    let sweep = UploadSweep::new(&deps.database, Arc::clone(&deps.blobs));
    let state = ApiState {
        commands: Commands::new(deps.worker.jobs, queries.clone(), Arc::clone(&deps.blobs), ids),
        queries,
        subscriptions: Subscriptions::start(&deps.database, deps.listener),
        streams: StreamPermits::new(&api, stop.clone()),
        blobs: deps.blobs,
        nats: Some(deps.nats),
        network: Arc::new(deps.network),
        proxies,
        settings: api,
        models: Arc::new(move || settings::visible(&settings).map_err(|error| error.to_string())),
        ids,
        metrics: deps.metrics,
    };
    tokio::select! {
        () = ytcaption_api::serve(listener, ytcaption_api::router(state), &limits, stop.cancelled_owned()) => {}
        () = sweep.run() => {}
    }
    Ok(())
}

/// Prints the URLs of the API, and who can reach it, on standard output.
pub(crate) fn announce(base: &Url, public: Option<&Url>, address: SocketAddr) {
    println!("YTCaption is ready.");
    if let Some(public) = public {
        println!("  Public  {public}");
    }
    println!("  API     {base}api/v1/transcriptions");
    println!("  Docs    {base}docs");
    println!("  Health  {base}health/ready");
    if address.ip().is_loopback() {
        println!("The API has no sign-in; it listens on loopback only, so it can be reached from this machine alone.");
    } else {
        println!();
        println!(
            "WARNING: the API has no sign-in and listens on {address}: everyone who can reach this port can use it."
        );
        println!("         Put a proxy with a sign-in before it, or set api.listen to 127.0.0.1:{}.", address.port());
    }
}
