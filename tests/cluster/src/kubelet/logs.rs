//! The kubelet's server, which the API server asks for logs: `GET /containerLogs/{namespace}/{pod}/{container}`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::container::{is_running, waits_for};
use super::play::Playbook;
use crate::Error;
use crate::workplace::Workplace;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What the kubelet knows of its pods, before anybody reads it in the API.
#[derive(Debug, Clone)]
pub(super) struct Knowledge {
    playbook: Playbook,
    pods: watch::Sender<HashMap<(String, String), PodStatus>>,
}

/// Listens on a free port of 127.0.0.1, which is returned.
pub(super) async fn serve(
    workplace: &Workplace,
    knowledge: Knowledge,
) -> Result<(JoinHandle<()>, u16), Error> {
    let acceptor = TlsAcceptor::from(Arc::new(tls(workplace)?));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(Error::Port)?;
    let port = listener.local_addr().map_err(Error::Port)?.port();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, knowledge) = (acceptor.clone(), knowledge.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = service_fn(move |request| {
                    let answer = knowledge.answer(&request);
                    async { Ok::<_, Infallible>(answer) }
                });
                // A client that has gone is no failure here.
                drop(
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await,
                );
            });
        }
    });
    Ok((serving, port))
}

/// The API server does not check whom it asks, unless it is told of an authority.
fn tls(workplace: &Workplace) -> Result<ServerConfig, Error> {
    let path = |name: &str| workplace.path().join(name);
    let failed = |name: &str| Error::file(path(name));
    let certificate = CertificateDer::from_pem_file(path("tls.crt"))
        .map_err(|error| failed("tls.crt")(io::Error::other(error)))?;
    let key = PrivateKeyDer::from_pem_file(path("tls.key"))
        .map_err(|error| failed("tls.key")(io::Error::other(error)))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| {
            config
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key)
        })
        .map_err(|error| failed("tls.key")(io::Error::other(error)))
}

impl Knowledge {
    pub(super) fn new(playbook: Playbook) -> Self {
        let pods = watch::Sender::new(HashMap::new());
        Self { playbook, pods }
    }

    /// What is known of the pod from now on (`None`: it is gone); returns what was.
    pub(super) fn set(
        &self,
        namespace: &str,
        pod: &str,
        status: Option<PodStatus>,
    ) -> Option<PodStatus> {
        let key = (namespace.to_owned(), pod.to_owned());
        let mut was = None;
        self.pods.send_modify(|pods| {
            was = match status {
                Some(status) => pods.insert(key, status),
                None => pods.remove(&key),
            };
        });
        was
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let parts: Vec<&str> = request.uri().path().split('/').collect();
        let ["", "containerLogs", namespace, pod, container] = parts.as_slice() else {
            return text(
                StatusCode::NOT_FOUND,
                "a played kubelet serves nothing but logs",
            );
        };
        let options = Options::read(request.uri().query().unwrap_or_default());
        let at = ((*namespace).to_owned(), (*pod).to_owned());
        let status = self
            .pods
            .borrow()
            .get(&at)
            .and_then(|pod| find(pod, container));
        let Some(status) = status else {
            return text(
                StatusCode::NOT_FOUND,
                &format!("container {container:?} not found in pod {pod:?}"),
            );
        };
        if let Some(reason) = waits_for(&status).filter(|_| status.restart_count == 0) {
            let words =
                format!("container {container:?} in pod {pod:?} is waiting to start: {reason}");
            return text(StatusCode::BAD_REQUEST, &words);
        }
        let log = self
            .playbook
            .find(namespace, &status.image)
            .map(|play| play.log);
        let log = options.cut(log.unwrap_or_default());
        if !options.follow || !is_running(&status) {
            return answer(StatusCode::OK, Full::new(log).boxed_unsync());
        }
        let (mut pods, container) = (self.pods.subscribe(), (*container).to_owned());
        let end = stream::once(async move {
            let runs = |status: ContainerStatus| is_running(&status);
            let ended = pods.wait_for(|pods| {
                let status = pods.get(&at).and_then(|pod| find(pod, &container));
                !status.is_some_and(runs)
            });
            // An error means that the kubelet itself has ended.
            drop(ended.await);
            Ok(Frame::data(Bytes::new()))
        });
        let whole = stream::iter([Ok(Frame::data(log))]).chain(end);
        answer(StatusCode::OK, StreamBody::new(whole).boxed_unsync())
    }
}

/// `PodLogOptions` as a kubelet gets them; what is not named here is not played.
#[derive(Default)]
struct Options {
    follow: bool,
    tail_lines: Option<usize>,
    limit_bytes: Option<usize>,
}

impl Options {
    fn read(query: &str) -> Self {
        let mut options = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "follow" => options.follow = value == "true",
                "tailLines" => options.tail_lines = value.parse().ok(),
                "limitBytes" => options.limit_bytes = value.parse().ok(),
                _ => {}
            }
        }
        options
    }

    fn cut(&self, log: Bytes) -> Bytes {
        let mut log = log;
        if let Some(lines) = self.tail_lines {
            let ended = log.strip_suffix(b"\n").unwrap_or(&log);
            let mut starts = ended
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, byte)| **byte == b'\n')
                .map(|(at, _)| at + 1);
            let start = match lines.checked_sub(1) {
                None => log.len(),
                Some(before) => starts.nth(before).unwrap_or(0),
            };
            log = log.slice(start..);
        }
        log.truncate(self.limit_bytes.unwrap_or(usize::MAX));
        log
    }
}

fn find(status: &PodStatus, container: &str) -> Option<ContainerStatus> {
    let init = status.init_container_statuses.iter().flatten();
    let mut all = init.chain(status.container_statuses.iter().flatten());
    all.find(|status| status.name == container).cloned()
}

fn text(status: StatusCode, words: &str) -> Response<Body> {
    answer(
        status,
        Full::new(Bytes::from(words.to_owned())).boxed_unsync(),
    )
}

fn answer(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_cut_as_the_client_asks() {
        let cut = |query: &str| Options::read(query).cut(Bytes::from_static(b"one\ntwo\nthree\n"));
        assert_eq!(cut("follow=true"), "one\ntwo\nthree\n");
        assert_eq!(cut("tailLines=0"), "");
        assert_eq!(cut("tailLines=1"), "three\n");
        assert_eq!(cut("tailLines=2&follow=true"), "two\nthree\n");
        assert_eq!(cut("tailLines=9"), "one\ntwo\nthree\n");
        assert_eq!(cut("limitBytes=5"), "one\nt");
        assert_eq!(cut("tailLines=1&limitBytes=3"), "thr");
    }
}
