//! Listening.

use std::io;

use axum::Router;
use tokio::net::TcpListener;

/// Answers requests until `shutdown` is done, then lets those in progress end.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}
