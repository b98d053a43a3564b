//! One request and its answer, within its time. Redirects are not followed: they would carry the credentials to somebody else.

use std::error::Error as _;
use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::PushError;
use super::trust::trusting;
use crate::target::Address;
use crate::telemetry::SetupError;

/// How much of an answer is looked at: enough for its reason.
const MAX_ANSWER: usize = 64 * 1024;
/// How much of it is told.
const MAX_SAID: usize = 200;

/// How long one request may take, and whom it trusts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'a> {
    pub(crate) timeout: Duration,
    /// Whether bodies are compressed.
    pub(crate) gzip: bool,
    /// Further authorities to trust, PEM.
    pub(crate) authorities: Option<&'a Path>,
}

/// What is sent.
#[derive(Debug)]
pub(crate) struct Body {
    /// Its media type.
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    gzip: bool,
}

impl Http {
    pub(crate) fn new(address: &Address, reach: Reach<'_>) -> Result<Self, SetupError> {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(trusting(reach.authorities)?)
            .https_or_http()
            .enable_http1()
            .build();
        // A connection would be idle for a whole interval, and the other side may have closed it by then.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        let authorization = address.credentials.header();
        let authorization = authorization.map_err(|_| SetupError::Credentials)?;
        if authorization.is_some() && !address.is_encrypted() {
            tracing::warn!(target = %address.uri, "the credentials are sent in clear: use https");
        }
        Ok(Self {
            client,
            authorization,
            timeout: reach.timeout,
            gzip: reach.gzip,
        })
    }

    /// Sends one request and hears that it was done, all within the time.
    pub(crate) async fn send(
        &self,
        method: Method,
        uri: &str,
        body: Option<Body>,
    ) -> Result<(), PushError> {
        self.exchange(method, uri, body, MAX_ANSWER).await.map(drop)
    }

    /// What stands at an address, at most so many bytes; nothing if it is more.
    pub(crate) async fn get(&self, uri: &str, most: usize) -> Result<Bytes, PushError> {
        self.exchange(Method::GET, uri, None, most).await
    }

    async fn exchange(
        &self,
        method: Method,
        uri: &str,
        body: Option<Body>,
        most: usize,
    ) -> Result<Bytes, PushError> {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let body = match body {
            None => Bytes::new(),
            Some(Body { kind, text }) => {
                request = request.header(header::CONTENT_TYPE, kind);
                if self.gzip {
                    request = request.header(header::CONTENT_ENCODING, "gzip");
                    compressed(&text)
                } else {
                    text.into()
                }
            }
        };
        let request = request.body(Full::new(body))?;
        let answered = tokio::time::timeout(self.timeout, self.answer(request, most)).await;
        answered.unwrap_or(Err(PushError::TimedOut(self.timeout)))
    }

    async fn answer(&self, request: Request<Full<Bytes>>, most: usize) -> Result<Bytes, PushError> {
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| PushError::Unreachable(innermost(&error)))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), most).collect().await;
        let said = body.map(Collected::to_bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(said);
        }
        let said = String::from_utf8_lossy(&said);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        Err(PushError::Refused {
            status,
            said: said.chars().take(MAX_SAID).collect(),
        })
    }
}

/// Writing to memory does not fail; an empty body would be taken for no metrics at all, and the target would say so.
fn compressed(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(text.as_bytes());
    written
        .and_then(|()| encoder.finish())
        .unwrap_or_default()
        .into()
}

/// "connection refused" says more than "client error (Connect)".
fn innermost(error: &hyper_util::client::legacy::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        said = inner.to_string();
        cause = inner.source();
    }
    said
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
