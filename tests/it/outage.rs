//! Postgres or NATS is not there: at the start, or later. The system says so, and goes on by itself when they are back.

use std::time::{Duration, Instant};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use ytcaption_testing::NatsServer;

use crate::client::{Client, JOBS, problem};
use crate::cluster::{Cluster, Role, new_database};
use crate::held::Held;
use crate::line::Line;

/// A client does not wait longer for a refusal.
const ANSWER: Duration = Duration::from_secs(8);
/// Any outage but the shortest lasts so long.
const LASTS: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn servers_that_are_away_are_waited_for() {
    let nats_server = tokio::task::spawn_blocking(NatsServer::start).await.unwrap();
    let (real_database, held) = (new_database().await, Held::start().await);
    let (mut postgres, database_url) = Line::to(&real_database);
    let (mut nats, nats_url) = Line::to(&nats_server.url());
    let cluster = Cluster::at(&database_url, &nats_url);
    for role in [Role::Serve, Role::Relay, Role::Project, Role::Download, Role::Transcribe, Role::Notify] {
        cluster.launch(role);
    }
    cluster.answers().await;
    let client = cluster.client();
    let job = json!({ "url": held.recording("a"), "webhook_url": held.webhook() });
    held.let_go();

    // Neither is there at the start.
    says(&cluster, &[Role::Serve, Role::Relay, Role::Project, Role::Download], "waiting for Postgres").await;
    refused(&client, &job).await;
    postgres.mend();
    accepted_soon(&client, &job).await;
    says(&cluster, &[Role::Relay, Role::Download, Role::Transcribe, Role::Notify], "waiting for NATS JetStream").await;
    assert_eq!(down(&client).await, ["nats"]);
    nats.mend();
    let history = crate::history::History::at(&real_database);
    let first = client.submit(&job).await;
    history.assert_completed_once(&client, &first, 1).await;

    // Postgres goes and comes. Many connections are open when it goes, and few requests come while it is away.
    let crowd = async || futures::future::join_all((0..16).map(|_| client.get(JOBS))).await;
    crowd().await;
    postgres.cut().await;
    refused(&client, &job).await;
    tokio::time::sleep(LASTS).await;
    postgres.mend();
    // Not one request meets a connection of the time before.
    let answers: Vec<StatusCode> = crowd().await.iter().map(Response::status).collect();
    assert!(answers.iter().all(|status| *status == StatusCode::OK), "{answers:?}");
    let second = client.submit(&job).await;
    history.assert_completed_once(&client, &second, 1).await;

    // NATS goes and comes.
    nats.cut().await;
    let third = client.submit(&job).await;
    assert_eq!(down(&client).await, ["nats"]);
    assert_eq!(history.count(&third, "DownloadStarted").await, 0);
    nats.mend();
    history.assert_completed_once(&client, &third, 1).await;
}

/// While Postgres is away, whatever needs it is refused, soon, and the client is told when to try again.
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
        let asked = Instant::now();
        let answer: Response = request.send().await.unwrap();
        assert!(asked.elapsed() < ANSWER, "{:?}", asked.elapsed());
        let again: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..60).contains(&again));
        assert_eq!(problem(answer, 503, "unavailable").await["dependency"], "postgres");
    }))
    .await;
    assert!(down(client).await.contains(&"postgres".to_owned()));
}

/// The dependencies that the API misses.
async fn down(client: &Client) -> Vec<String> {
    let answer = client.get("/health/ready").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let health: Value = answer.json().await.unwrap();
    let dependencies = health["dependencies"].as_object().unwrap().iter();
    dependencies.filter(|(_, state)| state["status"] == "down").map(|(name, _)| name.clone()).collect()
}

/// At its start the API may need a moment: the schema is made first.
async fn accepted_soon(client: &Client, job: &Value) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.post(JOBS, job).await.status() != StatusCode::ACCEPTED {
        assert!(Instant::now() < deadline, "Postgres is back and jobs are refused");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn says(cluster: &Cluster, roles: &[Role], words: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    for role in roles {
        while !cluster.log(*role).contains(words) {
            assert!(Instant::now() < deadline, "{role:?} does not say {words:?}: {}", cluster.log(*role));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
