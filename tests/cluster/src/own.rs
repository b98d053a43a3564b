//! The processes of a control plane of our own.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;

use crate::flags::{self, Dial};
use crate::process::Process;
use crate::programs::Programs;
use crate::workplace::Workplace;
use crate::{Error, Kubelet, Node, Version, kubeconfig, proof};

/// How many ports to try when others keep taking the chosen one.
const PORT_ATTEMPTS: u32 = 8;
/// Generous: on a machine that compiles at the same time a start takes several times its eight seconds.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Own {
    programs: Programs,
    node: Node,
    port: u16,
    kubeconfig: PathBuf,
    directory: PathBuf,
    api_server: Mutex<Option<Process>>,
    others: Mutex<Vec<Process>>,
    kubelet: Option<Kubelet>,
}

impl Own {
    pub(crate) async fn start(node: Node, workplace: &Workplace) -> Result<Self, Error> {
        let programs = tokio::task::spawn_blocking(Programs::find)
            .await
            .map_err(|end| Error::Runtime(io::Error::other(end)))??;
        workplace.make_keys()?;
        let token = token()?;
        // One administrator for all: what the components may do is not what is tested.
        workplace.write(
            "tokens.csv",
            &format!("{token},admin,admin,system:masters\n"),
        )?;
        let directory = workplace.path().to_path_buf();

        let etcd = Process::start("etcd", &programs.etcd, &flags::etcd(), &directory)?;
        let mut own = Self {
            programs,
            node,
            port: 0,
            kubeconfig: PathBuf::new(),
            directory,
            api_server: Mutex::new(None),
            others: Mutex::new(vec![etcd]),
            kubelet: None,
        };
        own.until("etcd's socket", || {
            UnixStream::connect(own.directory.join(flags::ETCD_SOCKET)).is_ok()
        })
        .await?;

        let mut attempt = 0;
        loop {
            attempt += 1;
            own.port = free_port()?;
            own.kubeconfig = workplace.write(
                "admin.kubeconfig",
                &kubeconfig::simple(
                    &format!("https://127.0.0.1:{}", own.port),
                    Some(&own.directory.join("tls.crt")),
                    Some(&token),
                ),
            )?;
            match own.start_api_server().await {
                // Another process was faster at binding the port that was free a moment ago.
                Err(Error::Ended { log, .. })
                    if log.contains("address already in use") && attempt < PORT_ATTEMPTS => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        own.start_clients()?;
        if node == Node::Played {
            let client = own.client().await?;
            own.kubelet = Some(Kubelet::start(client, own.version(), workplace).await?);
        }
        proof::runs_pods(&own).await?;
        Ok(own)
    }

    fn start_clients(&self) -> Result<(), Error> {
        let version = self.version();
        let start = |name, program: &Path, args: Vec<String>| {
            Process::start(name, program, &args, &self.directory)
        };
        let mut started = vec![
            start(
                "kube-controller-manager",
                &self.programs.controller_manager,
                flags::controller_manager(version, &self.kubeconfig),
            )?,
            start(
                "kube-scheduler",
                &self.programs.scheduler,
                flags::scheduler(version, &self.kubeconfig),
            )?,
        ];
        if self.node == Node::Hollow {
            let kubemark = self.programs.kubemark.as_ref().ok_or(Error::NoKubemark)?;
            started.push(start(
                "kubemark",
                kubemark,
                flags::kubemark(&self.kubeconfig, "hollow", free_port()?),
            )?);
        }
        lock(&self.others).extend(started);
        Ok(())
    }

    pub(crate) fn version(&self) -> Version {
        self.programs.version
    }

    pub(crate) fn node(&self) -> Node {
        self.node
    }

    pub(crate) fn kubelet(&self) -> Option<&Kubelet> {
        self.kubelet.as_ref()
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        let api_server = lock(&self.api_server).as_ref().map(Process::pid);
        lock(&self.others)
            .iter()
            .map(Process::pid)
            .chain(api_server)
            .collect()
    }

    pub(crate) fn stop_api_server(&self) {
        lock(&self.api_server).take();
    }

    pub(crate) async fn start_api_server(&self) -> Result<(), Error> {
        {
            let mut running = lock(&self.api_server);
            if running
                .as_mut()
                .is_some_and(|process| process.check().is_ok())
            {
                return Ok(());
            }
            let dial = match self.node {
                Node::Played => Dial::Address,
                _ => Dial::Nothing,
            };
            *running = Some(Process::start(
                "kube-apiserver",
                &self.programs.api_server,
                &flags::api_server(self.version(), self.port, dial),
                &self.directory,
            )?);
        }
        let client = self.client().await?;
        let started = Instant::now();
        // Ready is more than listening: before, the roles of RBAC are not there yet.
        while client.request_text(get("/readyz")?).await.is_err() {
            self.check()?;
            self.in_time(started, "the API server's readiness")?;
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Without kube's own retries, which would hide for minutes what the logs say at once.
    pub(crate) async fn client(&self) -> Result<Client, Error> {
        let mut config = kubeconfig::config(&self.kubeconfig).await?;
        config.default_retry = false;
        Client::try_from(config).map_err(Error::api("make a client"))
    }

    async fn until(&self, what: &str, mut there: impl FnMut() -> bool) -> Result<(), Error> {
        let started = Instant::now();
        while !there() {
            self.check()?;
            self.in_time(started, what)?;
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// An error if any of the processes has ended.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(api_server) = lock(&self.api_server).as_mut() {
            api_server.check()?;
        }
        lock(&self.others).iter_mut().try_for_each(Process::check)
    }

    pub(crate) fn in_time(&self, started: Instant, what: &str) -> Result<(), Error> {
        let waited = started.elapsed();
        if waited < PATIENCE {
            return Ok(());
        }
        Err(Error::NotReady {
            what: what.to_owned(),
            waited,
            log: self.logs(),
        })
    }

    fn logs(&self) -> String {
        let api_server = lock(&self.api_server).as_ref().map(Process::tail);
        let mut logs: Vec<String> = lock(&self.others).iter().map(Process::tail).collect();
        logs.extend(api_server);
        logs.join("\n")
    }
}

/// A panic elsewhere leaves nothing half done in what is locked here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn get(path: &str) -> Result<http::Request<Vec<u8>>, Error> {
    http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| Error::api(format!("ask for {path}"))(kube::Error::HttpError(error)))
}

fn free_port() -> Result<u16, Error> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::Port)?;
    Ok(probe.local_addr().map_err(Error::Port)?.port())
}

/// 128 bits that no other user of this machine guesses.
fn token() -> Result<String, Error> {
    use std::io::Read as _;
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(Error::file("/dev/urandom"))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
