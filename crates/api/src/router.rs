//! Every route of the interface, and what every request passes through, on one page.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::openapi::{ApiDocument, with_common_answers};
use crate::problem::{self, ApiError};
use crate::{ApiState, Hosts, audit, guard, health, metrics_page, models, observe, page, transcriptions};

/// Where the description of the interface lies.
const OPENAPI_PATH: &str = "/openapi.json";

/// Routes that stand in the description of the interface.
fn documented() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(ApiDocument::openapi())
        .routes(routes!(transcriptions::submit::submit, transcriptions::list::list))
        .routes(routes!(transcriptions::show::show))
        .routes(routes!(transcriptions::result::result))
        .routes(routes!(transcriptions::stream::stream))
        .routes(routes!(transcriptions::cancel::cancel))
        .routes(routes!(transcriptions::past::events))
        .routes(routes!(transcriptions::past::explain))
        .routes(routes!(models::list))
        .routes(routes!(audit::events::events))
        .routes(routes!(audit::parked::parked))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics_page::metrics))
}

/// The whole interface.
pub fn router(state: ApiState) -> Router {
    let (documented, description) = documented().split_for_parts();
    let description = with_common_answers(description);
    let largest_body = state.settings.max_upload_bytes.saturating_add(state.settings.max_body_bytes);
    let largest_body = DefaultBodyLimit::max(usize::try_from(largest_body).unwrap_or(usize::MAX));
    documented
        .route("/", get(page::home))
        .route(OPENAPI_PATH, get(|| async move { Json(description) }))
        .route("/problems", get(problem::index))
        .route("/problems/{slug}", get(problem::explain))
        .merge(SwaggerUi::new("/docs").config(Config::from(OPENAPI_PATH).validator_url("none").use_base_layout()))
        .fallback(|| async { ApiError::NoSuchPage })
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        // From the innermost to the outermost.
        .layer(largest_body)
        .layer(from_fn(guard::time_limit))
        .layer(from_fn(guard::refuse_cross_site))
        .layer(from_fn_with_state(Arc::new(Hosts::from(&*state.settings)), guard::refuse_foreign_host))
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(from_fn(problem::render))
        .layer(from_fn(guard::security_headers))
        .layer(from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}

/// The description of the interface as committed in `docs/openapi.json`: OpenAPI, indented JSON, a final newline.
///
/// # Panics
/// Never: the description holds only text, numbers and lists.
pub fn openapi_json() -> String {
    let description = with_common_answers(documented().into_openapi());
    description.to_pretty_json().expect("the description is plain data") + "\n"
}
