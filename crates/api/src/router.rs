//! Every route of the interface, and the middleware of every request, on one page.

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

use crate::base_path::BasePath;
use crate::forwarded::{self, Forwarding};
use crate::openapi::{self, ApiDocument};
use crate::problem::{self, ApiError};
use crate::{ApiState, Hosts, audit, guard, models, observe, operations, page, transcriptions, usage};

/// Path of the OpenAPI document.
const OPENAPI_PATH: &str = "/openapi.json";
/// The same for the pages below `/docs/`, wherever that is for the browser.
const OPENAPI_FROM_DOCS: &str = "../openapi.json";

/// The routes that the OpenAPI document describes.
fn documented() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(ApiDocument::openapi())
        .routes(routes!(transcriptions::submit::submit, transcriptions::list::list))
        .routes(routes!(transcriptions::show::show))
        .routes(routes!(transcriptions::captions::captions))
        .routes(routes!(transcriptions::stream::stream))
        .routes(routes!(transcriptions::cancel::cancel))
        .routes(routes!(transcriptions::retry::retry))
        .routes(routes!(transcriptions::history::events))
        .routes(routes!(transcriptions::history::explain))
        .routes(routes!(models::list))
        .routes(routes!(usage::usage))
        .routes(routes!(audit::events::events))
        .routes(routes!(audit::parked::parked))
        .routes(routes!(operations::live))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics))
}

/// The whole interface. A face is its routes, the [`guarded`] middleware and a rendering of its own errors; another face
/// is merged here.
pub fn router(state: ApiState) -> Router {
    let forwarding = Arc::new(Forwarding::new(&state.settings, state.proxies.clone()));
    let rest = guarded(rest(), &state).layer(from_fn(problem::render));
    let routes = rest
        .layer(from_fn(guard::security_headers))
        .layer(from_fn_with_state(state.clone(), observe::observe))
        .with_state(state);
    // A router of its own without routes: the path is changed before the routes see it.
    Router::new().fallback_service(routes).layer(from_fn_with_state(forwarding, forwarded::resolve))
}

/// The routes of the REST interface, with its pages and its documentation.
fn rest() -> Router<ApiState> {
    let (documented, description) = documented().split_for_parts();
    let description = openapi::complete(description);
    documented
        .route("/", get(page::home))
        .route(OPENAPI_PATH, get(|base: BasePath| async move { Json(openapi::below(description, &base)) }))
        .route("/problems", get(problem::index))
        .route("/problems/{code}", get(problem::explain))
        .merge(SwaggerUi::new("/docs").config(Config::from(OPENAPI_FROM_DOCS).validator_url("none").use_base_layout()))
        .fallback(|| async { ApiError::NoSuchPage })
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
}

/// What every request of a face passes before its handler. What is refused here is an [`ApiError`] for the face to render.
fn guarded(face: Router<ApiState>, state: &ApiState) -> Router<ApiState> {
    let largest_body = state.settings.max_upload_bytes.saturating_add(state.settings.max_body_bytes);
    let largest_body = DefaultBodyLimit::max(usize::try_from(largest_body).unwrap_or(usize::MAX));
    let hosts = Arc::new(Hosts::from(&*state.settings));
    // From the innermost to the outermost.
    face.layer(largest_body)
        .layer(from_fn(guard::time_limit))
        .layer(from_fn_with_state(Arc::clone(&hosts), guard::refuse_cross_site))
        .layer(from_fn_with_state(hosts, guard::require_allowed_host))
        .layer(CatchPanicLayer::custom(problem::from_panic))
}

/// The description of the interface as committed in `docs/openapi.json`: OpenAPI, indented JSON, a final newline.
///
/// # Panics
/// Never: the description holds only text, numbers and lists.
pub fn openapi_json() -> String {
    let description = openapi::complete(documented().into_openapi());
    description.to_pretty_json().expect("the description is plain data") + "\n"
}
