//! Postgres or NATS is unreachable, at the start or later. The system reports it, and resumes by itself when they are back.

use std::time::{Duration, Instant};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use ytcaption_testing::NatsServer;

use crate::client::{Client, JOBS, problem};
use crate::cluster::{Cluster, Role, new_database};
use crate::stalled_site::StalledSite;
use crate::tcp_proxy::TcpProxy;

/// How long the API may take to refuse a request.
const MAX_RESPONSE_TIME: Duration = Duration::from_secs(8);
/// How long the outage of Postgres lasts: longer than a momentary interruption.
const OUTAGE: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn the_system_resumes_after_an_outage() {
    let nats_server = tokio::task::spawn_blocking(NatsServer::start).await.unwrap();
    let (real_database, stalled) = (new_database().await, StalledSite::start().await);
    let (mut postgres, database_url) = TcpProxy::new(&real_database);
    let (mut nats, nats_url) = TcpProxy::new(&nats_server.url());
    let cluster = Cluster::on(&database_url, &nats_url);
    for role in [Role::Serve, Role::Relay, Role::Project, Role::Download, Role::Transcribe, Role::Notify] {
        cluster.launch(role);
    }
    cluster.is_live().await;
    let client = cluster.client();
    let job = json!({ "url": stalled.video_url("a"), "webhook_url": stalled.webhook_url() });
    stalled.release();

    // Neither is reachable at the start.
    wait_for_log(&cluster, &[Role::Serve, Role::Relay, Role::Project, Role::Download], "waiting for Postgres").await;
    refused(&client, &job).await;
    postgres.enable();
    accepted_soon(&client, &job).await;
    wait_for_log(
        &cluster,
        &[Role::Relay, Role::Download, Role::Transcribe, Role::Notify],
        "waiting for NATS JetStream",
    )
    .await;
    assert_eq!(down(&client).await, ["nats"]);
    nats.enable();
    let history = crate::history::History::new(&real_database);
    let first = client.submit(&job).await;
    history.assert_completed_once(&client, &first, 1).await;

    // An outage of Postgres. Many connections are open when it begins, and few requests come while it lasts.
    let many_requests = async || futures::future::join_all((0..16).map(|_| client.get(JOBS))).await;
    many_requests().await;
    postgres.disable().await;
    refused(&client, &job).await;
    tokio::time::sleep(OUTAGE).await;
    postgres.enable();
    // No request gets a connection from before the outage.
    let statuses: Vec<StatusCode> = many_requests().await.iter().map(Response::status).collect();
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    let second = client.submit(&job).await;
    history.assert_completed_once(&client, &second, 1).await;

    // An outage of NATS.
    nats.disable().await;
    let third = client.submit(&job).await;
    assert_eq!(down(&client).await, ["nats"]);
    assert_eq!(history.count(&third, "DownloadStarted").await, 0);
    nats.enable();
    history.assert_completed_once(&client, &third, 1).await;
}

/// While Postgres is unreachable, every request that needs it is refused soon, with the time after which to retry.
async fn refused(client: &Client, job: &Value) {
    let id = "01890000-0000-7000-8000-000000000000";
    let requests = [
        client.request(Method::POST, JOBS).json(job),
        client.request(Method::GET, JOBS),
        client.request(Method::GET, &format!("{JOBS}/{id}")),
        client.request(Method::GET, &format!("{JOBS}/{id}/result")),
        client.request(Method::POST, &format!("{JOBS}/{id}/cancel")).json(&json!({})),
    ];
    futures::future::join_all(requests.map(|request| async {
        let sent = Instant::now();
        let response: Response = request.send().await.unwrap();
        assert!(sent.elapsed() < MAX_RESPONSE_TIME, "{:?}", sent.elapsed());
        let again: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..60).contains(&again));
        assert_eq!(problem(response, 503, "unavailable").await["dependency"], "postgres");
    }))
    .await;
    assert!(down(client).await.contains(&"postgres".to_owned()));
}

/// The dependencies that the API reports as down.
async fn down(client: &Client) -> Vec<String> {
    let response = client.get("/health/ready").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let health: Value = response.json().await.unwrap();
    let dependencies = health["dependencies"].as_object().unwrap().iter();
    dependencies.filter(|(_, state)| state["status"] == "down").map(|(name, _)| name.clone()).collect()
}

/// At its start the API first creates the schema, which may take a moment.
async fn accepted_soon(client: &Client, job: &Value) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.post(JOBS, job).await.status() != StatusCode::ACCEPTED {
        assert!(Instant::now() < deadline, "Postgres is reachable and jobs are refused");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn wait_for_log(cluster: &Cluster, roles: &[Role], words: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    for role in roles {
        while !cluster.log(*role).contains(words) {
            assert!(Instant::now() < deadline, "{role:?} does not say {words:?}: {}", cluster.log(*role));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
