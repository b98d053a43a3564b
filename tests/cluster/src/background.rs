//! What outlives a single test: each test has a runtime of its own, whose end would end a played kubelet or a proxy.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::Error;

/// The runtime that lasts as long as the process.
pub(crate) fn handle() -> Result<&'static Handle, Error> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("test-cluster")
            .enable_all()
            .build()
    });
    match runtime {
        Ok(runtime) => Ok(runtime.handle()),
        Err(error) => Err(Error::Runtime(io::Error::new(
            error.kind(),
            error.to_string(),
        ))),
    }
}

/// Runs this there, and waits for it.
pub(crate) async fn run<T: Send + 'static>(
    task: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    handle()?
        .spawn(task)
        .await
        .map_err(|end| Error::Runtime(io::Error::other(end)))?
}
