//! The pages that the `type` of a problem refers to.

use axum::extract::Path;
use axum::response::Html;
use ytcaption_domain::job::{FAILURE_CODES, FailureCode};

use super::ApiError;
use super::error::{PROBLEM_TYPES, ProblemType};
use crate::base_path::BasePath;
use crate::page::page;

/// `GET /problems`: every type of problem, and every code of a job that failed.
pub(crate) async fn index(base: BasePath) -> Html<String> {
    let rows: Vec<String> = PROBLEM_TYPES
        .iter()
        .map(|ProblemType { code, status, title, .. }| {
            let url = base.join(&format!("/problems/{code}"));
            format!("<li>{} <a href=\"{url}\">{code}</a>: {title}</li>\n", status.as_u16())
        })
        .collect();
    let codes: Vec<String> = FAILURE_CODES
        .iter()
        .map(|FailureCode { code, meaning, action }| {
            let (meaning, action) = (with_code(meaning), with_code(action));
            format!("<dt id=\"{code}\"><code>{code}</code></dt>\n<dd>{meaning} {action}</dd>\n")
        })
        .collect();
    let body = format!(
        "<p>What a request may be answered with:</p>\n<ul>\n{}</ul>\n<h2>Codes of jobs</h2>\n<p>Why an attempt at a job \
         failed, or what it warns of: <code>error.code</code> of a job, of its stream and of its webhook.</p>\n\
         <dl>\n{}</dl>",
        rows.concat(),
        codes.concat()
    );
    page("Problems", &body)
}

/// `GET /problems/{code}`: what one type means and what to do next.
pub(crate) async fn explain(base: BasePath, Path(code): Path<String>) -> Result<Html<String>, ApiError> {
    let found = PROBLEM_TYPES.iter().find(|problem| problem.code == code);
    let ProblemType { code, status, title, explanation } = found.ok_or(ApiError::NoSuchPage)?;
    let body = format!(
        "<p>{}</p>\n<p><code>/problems/{code}</code>, status {status}. <a href=\"{}\">All problems</a></p>",
        with_code(explanation),
        base.join("/problems")
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
