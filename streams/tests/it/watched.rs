//! A master, its replica, and three Sentinels that watch them, on this machine.

use std::fs;
use std::path::PathBuf;

use maestro_redis_server::{Builder, Server};
use maestro_streams::{Admin, Endpoint, Publisher};
use maestro_test_authority::Authority;
use redis::FromRedisValue;
use tempfile::TempDir;

use crate::net::{ask_at, free_port, least_rights, patient};
use crate::rig::{Entries, column, until};

pub(crate) struct Watched {
    /// The master of the beginning, and its replica.
    pub(crate) servers: [Server; 2],
    /// Where others are to come to them.
    pub(crate) ports: [u16; 2],
    pub(crate) sentinels: Vec<Server>,
    pub(crate) endpoint: Endpoint,
    _configurations: TempDir,
}

/// A server, and the port where others are to come.
fn server(master: Option<u16>, authority: Option<&Authority>) -> (Server, u16) {
    let builder = Server::builder().free_port().append_only(false);
    // Users are not replicated, so each server has them from its command line.
    let builder = builder.arg("--user").arg("worker");
    let builder = least_rights("").into_iter().fold(builder, Builder::arg);
    let words = [
        "--min-replicas-to-write",
        "1",
        "--repl-diskless-sync-delay",
        "0",
    ];
    let builder = words.into_iter().fold(builder, Builder::arg);
    let builder = match master {
        Some(port) => {
            let builder = builder.arg("--replicaof").arg("127.0.0.1");
            builder.arg(port.to_string())
        }
        None => builder,
    };
    encrypted(&builder, authority)
}

fn encrypted(builder: &Builder, authority: Option<&Authority>) -> (Server, u16) {
    for _ in 0..8 {
        let (builder, tls) = match authority {
            Some(authority) => {
                let port = free_port();
                let builder = builder.clone().arg("--tls-replication").arg("yes");
                let words = crate::tls::encrypted_port(authority, port).into_iter();
                (words.fold(builder, Builder::arg), Some(port))
            }
            None => (builder.clone(), None),
        };
        if let Ok(server) = builder.start() {
            let port = tls.or(server.port()).expect("a port");
            return (server, port);
        }
    }
    panic!("no port was free for long enough");
}

fn sentinel(file: PathBuf, master: u16, authority: Option<&Authority>) -> (Server, u16) {
    let text = format!(
        "sentinel monitor main 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds main 20000\n\
         sentinel failover-timeout main 10000\n"
    );
    fs::write(&file, text).expect("a file");
    let builder = Server::builder().free_port().append_only(false);
    let builder = builder.config_file(file).arg("--sentinel");
    let rights = "--user watcher on >secret -@all +ping +role +sentinel|masters";
    encrypted(&rights.split(' ').fold(builder, Builder::arg), authority)
}

impl Watched {
    pub(crate) async fn new() -> Self {
        Self::with(None).await
    }

    /// Encrypted everywhere, with certificates named `server`, if there is an authority.
    pub(crate) async fn with(authority: Option<&Authority>) -> Self {
        let (configurations, servers, ports) = tokio::task::block_in_place(|| {
            let (master, first) = server(None, authority);
            let (replica, second) = server(Some(first), authority);
            let directory = TempDir::new().expect("a directory");
            (directory, [master, replica], [first, second])
        });
        until("a replica that follows", || async {
            let info: String = ask_at(&servers[0].url(), &["INFO", "replication"])
                .await
                .expect("its state");
            info.contains("state=online")
        })
        .await;
        let sentinels: Vec<(Server, u16)> = tokio::task::block_in_place(|| {
            let one = |n: u32| {
                let file = configurations.path().join(format!("{n}.conf"));
                sentinel(file, ports[0], authority)
            };
            (0..3).map(one).collect()
        });
        let hosts = sentinels
            .iter()
            .map(|(_, port)| format!("127.0.0.1:{port}"));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        let (s, files) = match authority {
            Some(authority) => {
                let (ca, key) = (authority.shown("ca.pem"), authority.shown("server.key"));
                let certificate = authority.shown("server.pem");
                ("s", format!("&ca={ca}&cert={certificate}&key={key}"))
            }
            None => ("", String::new()),
        };
        let url = format!(
            "redis{s}+sentinel://worker:p%40ss@{hosts}/main/1?sentinel_user=watcher&sentinel_pass=secret{files}"
        );
        let watched = Self {
            servers,
            ports,
            sentinels: sentinels.into_iter().map(|(server, _)| server).collect(),
            endpoint: url.parse().expect("a URL"),
            _configurations: configurations,
        };
        for sentinel in &watched.sentinels {
            until("a Sentinel that knows all others", || async {
                let info: String = ask_at(&sentinel.url(), &["INFO", "sentinel"])
                    .await
                    .expect("its state");
                info.contains("slaves=1,sentinels=3")
            })
            .await;
        }
        watched
    }

    /// The master, as this Sentinel has it.
    pub(crate) async fn master_of(&self, sentinel: usize) -> u16 {
        let url = self.sentinels[sentinel].url();
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"];
        let (_, port): (String, u16) = ask_at(&url, &ask).await.expect("a master");
        port
    }

    /// Runs one command, given as words, in the database of the tests at one of the servers.
    pub(crate) async fn ask<T: FromRedisValue>(&self, server: usize, words: &[&str]) -> T {
        let url = format!("{}/1", self.servers[server].url());
        ask_at(&url, words).await.expect("an answer")
    }

    /// Whether the replica has all that this master had been told before.
    pub(crate) async fn is_replicated(&self, master: usize) -> bool {
        let url = format!("{}/1", self.servers[master].url());
        let client = redis::Client::open(url).expect("a client");
        let patient = patient();
        let connection = client.get_multiplexed_async_connection_with_config(&patient);
        let mut connection = connection.await.expect("a connection");
        let mut pipeline = redis::pipe();
        // WAIT is about the own connection's last write.
        pipeline.cmd("SET").arg("written").arg(1).ignore();
        pipeline.cmd("WAIT").arg(1).arg(400);
        let replicas: redis::RedisResult<(u32,)> = pipeline.query_async(&mut connection).await;
        replicas.is_ok_and(|(replicas,)| replicas == 1)
    }

    pub(crate) async fn values(&self, server: usize, stream: &str, field: &str) -> Vec<String> {
        let entries: Entries = self.ask(server, &["XRANGE", stream, "-", "+"]).await;
        column(entries, field)
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(&self.endpoint, "").expect("a publisher")
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin::new(&self.endpoint, "").expect("an admin")
    }
}
