//! The pages behind the `type` of a problem.

use axum::extract::Path;
use axum::response::Html;

use super::ApiError;
use super::kind::{Entry, ProblemKind};
use crate::page::page;

/// `GET /problems`: all kinds.
pub(crate) async fn index() -> Html<String> {
    let rows: Vec<String> = ProblemKind::ALL
        .iter()
        .map(|kind| {
            let Entry { slug, status, title, .. } = kind.entry();
            format!("<li>{} <a href=\"/problems/{slug}\">{slug}</a>: {title}</li>\n", status.as_u16())
        })
        .collect();
    page("Problems", &format!("<ul>\n{}</ul>", rows.concat()))
}

/// `GET /problems/{slug}`: what one kind means and what to do.
pub(crate) async fn explain(Path(slug): Path<String>) -> Result<Html<String>, ApiError> {
    let kind = ProblemKind::of_slug(&slug).ok_or(ApiError::NoSuchPage)?;
    let Entry { slug, status, title, explanation } = kind.entry();
    let body = format!(
        "<p>{}</p>\n<p><code>/problems/{slug}</code>, status {status}. <a href=\"/problems\">All problems</a></p>",
        with_code(explanation)
    );
    Ok(page(title, &body))
}

/// Every second piece between backticks is code.
fn with_code(text: &str) -> String {
    text.split('`')
        .enumerate()
        .map(|(place, piece)| if place % 2 == 1 { format!("<code>{piece}</code>") } else { piece.to_owned() })
        .collect()
}
