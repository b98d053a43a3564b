use std::convert::Infallible;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt as _;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use serde_json::json;

use super::forward::Body;

/// An answer that does not come from the API server.
pub struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Body,
}

impl Answer {
    /// This status and text.
    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        let body = Full::new(text.into()).map_err(never).boxed_unsync();
        Self {
            status,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static("text/plain"))],
            body,
        }
    }

    /// 200, and a body that comes piece by piece and ends with the stream, as of a followed log.
    pub fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        let frames = pieces.map(|piece| Ok(Frame::data(piece)));
        Self {
            body: StreamBody::new(frames).boxed_unsync(),
            ..Self::text(StatusCode::OK, "")
        }
    }

    /// A failure as the API server words it, for example 503.
    pub fn failure(status: StatusCode, message: &str) -> Self {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "code": status.as_u16(), "message": message,
            "reason": status.canonical_reason().unwrap_or_default().replace(' ', ""),
        });
        Self::text(status, body.to_string())
            .with(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// 429, to be tried again after so many seconds.
    pub fn too_many_requests(retry_after: u32) -> Self {
        Self::failure(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests, please try again later",
        )
        .with(RETRY_AFTER, HeaderValue::from(retry_after))
    }

    /// With this header, instead of another of the same name.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
        self
    }

    pub(super) fn response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response
    }
}

fn never(error: Infallible) -> kube::Error {
    match error {}
}
