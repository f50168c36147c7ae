//! Every role of the system on one page: what it is given and how it runs.
//!
//! A role rides out outages of Postgres and NATS by itself; one that ends with an error ends the
//! process, because an operator has to fix something.

mod api;

pub(crate) use api::announce;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;
use ytcaption_api::{ConnectionLimits, TrustedProxies};
use ytcaption_blobstore::BlobStore;
use ytcaption_domain::network::AddressPolicy;
use ytcaption_domain::step::{self, STEPS, Step};
use ytcaption_eventstore::seal::Sealer;
use ytcaption_eventstore::{Appender, Clock, CommandBus, Database, DatabaseError, EventListener, IdGenerator};
use ytcaption_projections::project_all;
use ytcaption_telemetry::metrics::{self, PrometheusHandle};
use ytcaption_workers::notify::WebhookSettings;
use ytcaption_workers::relay::RelayDeps;
use ytcaption_workers::{WorkerDeps, download, nats, notify, relay, transcribe};

use crate::probes;
use crate::running::{Running, Shutdown};
use crate::servers::{Servers, prepare_as_owner};
use crate::settings::{Settings, cache_settings, is_default_unclear};
use crate::{master_key, signing_key, webhook_secret};

/// Workers stop this long before the process, so that they can hand back what they did not finish.
const HAND_BACK: std::time::Duration = std::time::Duration::from_secs(5);

/// A part of the system that can run on its own, in any number of copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Serves the REST interface.
    Api,
    /// Publishes events from the store on JetStream.
    Relay,
    /// Keeps the read models up to date.
    Projector,
    /// Does the work of a step.
    Worker(&'static Step),
    /// Seals events.
    Seal,
}

impl Role {
    /// The whole system.
    pub(crate) fn all() -> Vec<Self> {
        let workers = STEPS.iter().map(Self::Worker);
        [Self::Api, Self::Relay, Self::Projector, Self::Seal].into_iter().chain(workers).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Relay => "relay",
            Self::Projector => "projector",
            Self::Worker(step) => step.name,
            Self::Seal => "seal",
        }
    }
}

/// Runs `roles` until a signal or an error stops them. `ready` receives the IP address and port of the API (if it
/// is one of them) once everything has started.
///
/// # Errors
/// A role cannot start, or failed.
pub(crate) async fn run(
    settings: &Settings,
    servers: &Servers,
    roles: &[Role],
    shutdown: &Shutdown,
    ready: impl FnOnce(Option<SocketAddr>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut deps = Deps::connect(application(roles), settings, servers).await?;
    let mut running = Running::new();
    let stop = running.stop.clone();

    // Answers from the first moment on, if only that it is not ready.
    let mut address = None;
    if roles.contains(&Role::Api) {
        let listener = listen(settings.api.listen, "api.listen (--listen)").await?;
        let bound = listener.local_addr()?;
        deps.public_url.get_or_insert(url_of(bound)?);
        address = Some(bound);
        running.start(Role::Api.name(), api::serve(deps.clone(), settings.clone(), listener, stop.clone()));
    } else if let Some(address) = settings.metrics.listen {
        let listener = listen(address, "metrics.listen").await?;
        let (database, nats, metrics) = (deps.database.clone(), deps.nats.clone(), deps.metrics.clone());
        let probed = probes::router(database, nats, metrics);
        let limits = ConnectionLimits::new(&settings.api, TrustedProxies::new(&settings.api)?);
        let stop = stop.clone();
        running.start("metrics", async move {
            ytcaption_api::serve(listener, probed, &limits, stop.cancelled_owned()).await;
            Ok(())
        });
    }

    if let Some(prepared) = shutdown.drain.run_until_cancelled(prepare(servers, &deps.database)).await {
        prepared?;
        deps.database.data_keys().check().await.context("encryption")?;
        for role in roles {
            let (deps, settings, stop) = (deps.clone(), settings.clone(), stop.clone());
            match role {
                Role::Api => {}
                Role::Relay => running.start(role.name(), run_relay(deps, stop)),
                Role::Projector => running.start(role.name(), run_projector(deps, stop)),
                Role::Worker(work) => running.start(work.name, run_worker(**work, deps, settings, stop)),
                Role::Seal => running.start(role.name(), run_seal(deps, settings, stop)),
            }
        }
        ready(address)?;
    }
    running.until_stopped(shutdown, settings.shutdown.grace).await
}

async fn run_relay(deps: Deps, stop: CancellationToken) -> anyhow::Result<()> {
    let relay = RelayDeps { database: deps.database, nats: deps.nats, listener: deps.listener, steps: &STEPS };
    Ok(relay::run(relay, stop).await?)
}

async fn run_projector(deps: Deps, stop: CancellationToken) -> anyhow::Result<()> {
    stop.run_until_cancelled(project_all(&deps.database, deps.listener)).await;
    Ok(())
}

/// Runs the worker of a step: here a new step gets its line.
async fn run_worker(work: Step, deps: Deps, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    match work {
        step::DOWNLOAD => Box::pin(run_download(deps, settings, stop)).await,
        step::TRANSCRIBE => Box::pin(run_transcribe(deps, settings, stop)).await,
        step::NOTIFY => Box::pin(run_notify(deps, settings, stop)).await,
        other => anyhow::bail!("this program has no worker for the step `{}`", other.name),
    }
}

async fn run_download(deps: Deps, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    Ok(Box::pin(download::run(deps.worker, settings.download, stop)).await?)
}

async fn run_transcribe(deps: Deps, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let models = cache_settings(&settings)?;
    if is_default_unclear(&settings) {
        let model = &models.catalogue.default_model().name;
        tracing::warn!(model, "there are several models and transcription.model names no default: taking the first");
    }
    Ok(transcribe::run(deps.worker, models, settings.transcription, stop).await?)
}

async fn run_notify(deps: Deps, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let public_url = match deps.public_url {
        Some(url) => url,
        None => url_of(settings.api.listen)?,
    };
    let secret = Some(webhook_secret::load(&settings)?);
    Ok(notify::run(deps.worker, WebhookSettings { secret, ..settings.webhook }, public_url, stop).await?)
}

async fn run_seal(deps: Deps, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let sealer = Sealer::new(&deps.database, signing_key::for_seals(&settings)?, Clock::system());
    // Each seal is one insert, so the sealer can be dropped anywhere.
    stop.run_until_cancelled(sealer.run()).await;
    Ok(())
}

/// Brings the schema up to date: as its owner where that role is known, else as far as the services may.
async fn prepare(servers: &Servers, database: &Database) -> Result<(), DatabaseError> {
    if let Some(owner_url) = &servers.owner_url {
        prepare_as_owner(owner_url, &servers.database_url).await?;
    }
    database.prepare().await
}

/// What the roles of one process share.
#[derive(Clone)]
struct Deps {
    database: Database,
    nats: async_nats::Client,
    blobs: Arc<dyn BlobStore>,
    listener: Arc<EventListener>,
    network: AddressPolicy,
    metrics: PrometheusHandle,
    worker: WorkerDeps,
    public_url: Option<Url>,
}

impl Deps {
    /// Prepares every connection; none needs to answer yet.
    async fn connect(application: String, settings: &Settings, servers: &Servers) -> anyhow::Result<Self> {
        let keys = master_key::load(settings)?;
        let database = database(&application, settings, &servers.database_url)?.with_master_keys(keys);
        let nats =
            nats::connect(servers.nats_url.expose_secret()).await.context("nats.url (NATS_URL) cannot be used")?;
        let blobs = ytcaption_blobstore::open(&settings.storage).await?;
        let network = AddressPolicy::new(&settings.network.allow)?.refusing(own_addresses());
        let appender = Appender::start(&database);
        let worker = WorkerDeps {
            database: database.clone(),
            nats: nats.clone(),
            jobs: Arc::new(CommandBus::new(&database, appender.clone(), Clock::system(), IdGenerator::system())),
            deliveries: Arc::new(CommandBus::new(&database, appender, Clock::system(), IdGenerator::system())),
            blobs: Arc::clone(&blobs),
            network: network.clone(),
            worker: format!("{}:{}", host_name(), std::process::id()),
            grace: settings.shutdown.grace.saturating_sub(HAND_BACK),
            steps: &STEPS,
        };
        Ok(Self {
            listener: EventListener::start(&database),
            metrics: metrics::install().context("metrics cannot be recorded")?,
            public_url: settings.api.public_url.clone(),
            database,
            nats,
            blobs,
            network,
            worker,
        })
    }
}

/// What the database's sessions of these roles are called.
fn application(roles: &[Role]) -> String {
    match roles {
        [role] => format!("ytcaption {}", role.name()),
        _ => "ytcaption up".to_owned(),
    }
}

/// Prepares the connection to Postgres, its sessions called `application`.
///
/// # Errors
/// The address is malformed.
pub(crate) fn database(application: &str, settings: &Settings, url: &SecretString) -> Result<Database, DatabaseError> {
    Database::open_as(application, url, settings.database.max_connections)
}

async fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; is another program using it? Choose another with {setting}, port 0 takes a free one")
    })
}

/// Where a program on this machine reaches `address`.
pub(crate) fn url_of(address: SocketAddr) -> anyhow::Result<Url> {
    let reachable = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    Ok(Url::parse(&format!("http://{}", SocketAddr::new(reachable, address.port())))?)
}

/// The name of the machine, to distinguish workers.
fn host_name() -> String {
    let name: io::Result<String> = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

/// The addresses of the network interfaces of this machine, as they are at the start.
fn own_addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().inspect_err(|error| {
        tracing::warn!(%error, "the addresses of this machine are not known, so URLs that lead to its public ones are fetched");
    });
    let addresses = interfaces.into_iter().flatten().filter_map(|interface| interface.address);
    addresses
        .filter_map(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .collect()
}
