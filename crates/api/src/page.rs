//! The few pages for people.

use axum::response::Html;

/// A page. The title and body are the program's own text, never a client's.
pub(crate) fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <style>body{{font-family:system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;\
         line-height:1.5}}pre,code{{background:#f3f3f3;padding:.1em .3em}}pre{{padding:1em;overflow:auto}}</style>\
         </head>\n<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    ))
}

/// `GET /`: where to go from here.
pub(crate) async fn home() -> Html<String> {
    page(
        "YTCaption",
        "<p>Submit the URL of a video, get its captions.</p>\n\
         <pre>POST /api/v1/transcriptions\nContent-Type: application/json\n\n\
         {\"url\": \"https://example.org/talk.mp4\"}</pre>\n\
         <ul>\n<li><a href=\"/docs/\">Documentation of the interface</a> \
         (<a href=\"/openapi.json\">OpenAPI</a>)</li>\n\
         <li><a href=\"/api/v1/transcriptions\">Jobs</a></li>\n\
         <li><a href=\"/health/ready\">Health</a></li>\n\
         <li><a href=\"/metrics\">Metrics</a></li>\n\
         <li><a href=\"/problems\">Problems and what to do about them</a></li>\n</ul>",
    )
}
