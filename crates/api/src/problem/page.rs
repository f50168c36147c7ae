//! The pages that the `type` of a problem refers to.

use axum::extract::Path;
use axum::response::Html;

use super::ApiError;
use super::error::{PROBLEM_TYPES, ProblemType};
use crate::page::page;

/// `GET /problems`: every type of problem.
pub(crate) async fn index() -> Html<String> {
    let rows: Vec<String> = PROBLEM_TYPES
        .iter()
        .map(|ProblemType { code, status, title, .. }| {
            format!("<li>{} <a href=\"/problems/{code}\">{code}</a>: {title}</li>\n", status.as_u16())
        })
        .collect();
    page("Problems", &format!("<ul>\n{}</ul>", rows.concat()))
}

/// `GET /problems/{code}`: what one type means and what to do next.
pub(crate) async fn explain(Path(code): Path<String>) -> Result<Html<String>, ApiError> {
    let found = PROBLEM_TYPES.iter().find(|problem| problem.code == code);
    let ProblemType { code, status, title, explanation } = found.ok_or(ApiError::NoSuchPage)?;
    let body = format!(
        "<p>{}</p>\n<p><code>/problems/{code}</code>, status {status}. <a href=\"/problems\">All problems</a></p>",
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
