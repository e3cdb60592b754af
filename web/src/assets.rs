//! The dashboard's files, from inside the binary. Paths that are no file belong to the dashboard's own routing and get
//! its page; a binary without a dashboard says so.

use axum::{
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use crate::answer::ApiError;

#[derive(rust_embed::RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Files;

const PAGE: &str = "index.html";
/// Vite puts files under this folder with a digest of their content in the name.
const HASHED: &str = "assets/";

const MISSING: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Plimsoll</title>\
<h1>Plimsoll</h1><p>This binary was built without the dashboard. The API is at <code>/api/v1</code>.</p></html>\n";

/// Answers whatever no route has.
pub(crate) async fn serve(method: Method, uri: Uri) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return ApiError::not_found("path").into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") {
        return ApiError::not_found("path").into_response();
    }
    if let Some(file) = Files::get(path).filter(|_| !path.is_empty()) {
        let cache = if path.starts_with(HASHED) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let headers = [(header::CONTENT_TYPE, media_type(path)), (header::CACHE_CONTROL, cache)];
        return (headers, file.data).into_response();
    }
    let is_file_name = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if is_file_name {
        return (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-cache")]).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    match Files::get(PAGE) {
        Some(page) => (headers, page.data).into_response(),
        None => (headers, MISSING).into_response(),
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
