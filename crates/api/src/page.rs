//! The few pages for people.

use axum::response::Html;

use crate::base_path::BasePath;

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
pub(crate) async fn home(base: BasePath) -> Html<String> {
    let link = |path: &str, text: &str| format!("<a href=\"{}\">{text}</a>", base.join(path));
    let links = [
        format!("{} ({})", link("/docs/", "Documentation of the interface"), link("/openapi.json", "OpenAPI")),
        link("/api/v1/transcriptions", "Jobs"),
        link("/health/ready", "Health"),
        link("/metrics", "Metrics"),
        link("/problems", "Problems and what to do about them"),
    ];
    let submit = base.join("/api/v1/transcriptions");
    page(
        "YTCaption",
        &format!(
            "<p>Submit the URL of a video, get its captions.</p>\n\
             <pre>POST {submit}\nContent-Type: application/json\n\n\
             {{\"url\": \"https://example.org/talk.mp4\"}}</pre>\n<ul>\n<li>{}</li>\n</ul>",
            links.join("</li>\n<li>")
        ),
    )
}
