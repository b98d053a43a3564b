//! The way of one request.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use kube::Client;

use super::Answer;
use super::record::{Script, Then, When};

pub(super) type Body = UnsyncBoxBody<Bytes, kube::Error>;

/// These concern one connection, not the request (RFC 9110, section 7.6.1); the credentials are put in by the client.
const NOT_FORWARDED: [HeaderName; 8] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Why a connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("lost on purpose")]
    OnPurpose,
    #[error("the request's body did not come")]
    Body(#[from] hyper::Error),
}

/// The API server, as it is seen from here.
#[derive(Clone)]
pub(super) struct Upstream {
    pub(super) client: Client,
    pub(super) script: Arc<Script>,
}

impl Upstream {
    pub(super) async fn pass(self, request: Request<Incoming>) -> Result<Response<Body>, Lost> {
        let (mut head, body) = request.into_parts();
        let place = self.script.enter(&head.method, &head.uri);
        // Those who ask send whole objects; only answers are streams.
        let body = body.collect().await?.to_bytes();
        if self.script.act(place, When::Before) == Then::Lose {
            return Err(Lost::OnPurpose);
        }
        let response = if let Some(answer) = self.script.rule(place) {
            answer.response()
        } else {
            strip(&mut head.headers);
            self.ask(Request::from_parts(head, body.into())).await
        };
        self.script.answered(place, response.status());
        match self.script.act(place, When::After) {
            Then::GoOn => Ok(response),
            Then::Lose => Err(Lost::OnPurpose),
        }
    }

    async fn ask(&self, request: Request<kube::client::Body>) -> Response<Body> {
        match self.client.send(request).await {
            Ok(response) => {
                let (mut head, body) = response.into_parts();
                strip(&mut head.headers);
                Response::from_parts(head, body.boxed_unsync())
            }
            Err(error) => Answer::failure(
                StatusCode::BAD_GATEWAY,
                &format!("the API server behind the proxy does not answer: {error}"),
            )
            .response(),
        }
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in &NOT_FORWARDED {
        headers.remove(name);
    }
}
