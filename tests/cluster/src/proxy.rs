//! A proxy in front of the API server that counts, answers, loses and cuts.

mod answer;
mod forward;
mod record;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::workplace::Workplace;
use crate::{ControlPlane, Error, background, kubeconfig};
pub use answer::Answer;
use forward::Upstream;
pub use record::{Request, Then, When};
use record::{Rule, Script};

/// Plain HTTP on a free port of 127.0.0.1, with a kubeconfig file of its own: whoever uses that file reaches the API server through
/// here, with the credentials of the file that the proxy was given. Bodies of answers are streamed, so watches and followed
/// logs pass; upgraded connections (exec, port-forward) do not. Dropping it closes every connection.
#[derive(Debug)]
pub struct ApiProxy {
    url: String,
    kubeconfig: PathBuf,
    script: Arc<Script>,
    /// Rises with each cut.
    cut: watch::Sender<u64>,
    accepting: JoinHandle<()>,
    _workplace: Workplace,
}

impl ApiProxy {
    /// In front of this control plane, with the administrator's rights.
    pub async fn start(plane: &ControlPlane) -> Result<Self, Error> {
        Self::start_with(plane.kubeconfig()).await
    }

    /// In front of the cluster of this kubeconfig file, with its rights; see [`ControlPlane::kubeconfig_as`].
    pub async fn start_with(kubeconfig: &Path) -> Result<Self, Error> {
        let kubeconfig = kubeconfig.to_path_buf();
        background::run(Self::start_here(kubeconfig)).await
    }

    async fn start_here(admin: PathBuf) -> Result<Self, Error> {
        let mut config = kubeconfig::config(&admin).await?;
        // What the API server answered is what the caller gets.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(Error::api("make a client"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(Error::Port)?;
        let port = listener.local_addr().map_err(Error::Port)?.port();
        let url = format!("http://127.0.0.1:{port}");
        let workplace = Workplace::make()?;
        let kubeconfig =
            workplace.write("proxy.kubeconfig", &kubeconfig::simple(&url, None, None))?;
        let script = Arc::new(Script::default());
        let cut = watch::Sender::new(0);
        let upstream = Upstream {
            client,
            script: script.clone(),
        };
        let accepting = tokio::spawn(accept(listener, upstream, cut.clone()));
        Ok(Self {
            url,
            kubeconfig,
            script,
            cut,
            accepting,
            _workplace: workplace,
        })
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file by which the API server is reached through here.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client that goes through here, and lives in the runtime of its caller.
    pub async fn client(&self) -> Result<Client, Error> {
        kubeconfig::client(&self.kubeconfig).await
    }

    /// Every request since the start or the last [`forget`](Self::forget), in the order of arrival; the first has the number 1.
    pub fn requests(&self) -> Vec<Request> {
        self.script.requests()
    }

    /// Begins to count from 1 again.
    pub fn forget(&self) {
        self.script.forget();
    }

    /// At the request with this number, calls `act`: before it is passed on, or when its answer has come and has not been passed back
    /// yet. What `act` says is what happens then. `act` may kill the process that asked, and blocks only this one request.
    pub fn at(&self, number: u64, when: When, act: impl FnOnce(&Request) -> Then + Send + 'static) {
        self.script.at(number, when, Box::new(act));
    }

    /// Has the next `times` requests of which `matches` says yes answered from here; the API server does not see them. Rules that
    /// were set earlier come first.
    pub fn answer(
        &self,
        times: usize,
        matches: impl Fn(&Request) -> bool + Send + Sync + 'static,
        answer: impl Fn() -> Answer + Send + Sync + 'static,
    ) {
        self.script.add(Rule {
            times,
            matches: Box::new(matches),
            answer: Box::new(answer),
        });
    }

    /// Closes every connection, in the middle of whatever it carries.
    pub fn cut(&self) {
        self.cut.send_modify(|times| *times += 1);
    }

    /// While this holds, new connections are closed at once, without an answer. Those that are open go on; see [`cut`](Self::cut).
    pub fn refuse(&self, refuses: bool) {
        self.script.refuse(refuses);
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, upstream: Upstream, cut: watch::Sender<u64>) {
    while let Ok((stream, _)) = listener.accept().await {
        if !upstream.script.refuses() {
            tokio::spawn(connection(stream, upstream.clone(), cut.subscribe()));
        }
    }
}

async fn connection(stream: TcpStream, upstream: Upstream, mut cut: watch::Receiver<u64>) {
    // Fails only on a connection that is gone already.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| upstream.clone().pass(request));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A client that goes away and a request that is lost on purpose are no failures here.
        _ = serving => {}
        _ = cut.changed() => {}
    }
}
