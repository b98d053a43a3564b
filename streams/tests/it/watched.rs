//! A master, its replica, and three Sentinels that watch them, on this machine.

use std::fs;

use maestro_redis_server::{Builder, Server};
use maestro_streams::{Admin, Endpoint, Publisher};
use redis::FromRedisValue;
use tempfile::TempDir;

use crate::net::{ask_at, least_rights};
use crate::rig::{Entries, column, until};

pub(crate) struct Watched {
    /// The master of the beginning, and its replica.
    pub(crate) servers: [Server; 2],
    pub(crate) sentinels: Vec<Server>,
    pub(crate) endpoint: Endpoint,
    _configurations: TempDir,
}

fn server(master: Option<u16>) -> Server {
    let rights = least_rights("");
    let builder = Server::builder().free_port().append_only(false);
    // Users are not replicated, so each server has them from its command line.
    let builder = builder.arg("--user").arg("worker");
    let builder = rights.into_iter().fold(builder, Builder::arg);
    let words = [
        "--min-replicas-to-write",
        "1",
        "--repl-diskless-sync-delay",
        "0",
    ];
    let builder = words
        .iter()
        .fold(builder, |builder, word| builder.arg(*word));
    let builder = match master {
        Some(port) => {
            let builder = builder.arg("--replicaof").arg("127.0.0.1");
            builder.arg(port.to_string())
        }
        None => builder,
    };
    builder.start().expect("a redis-server")
}

impl Watched {
    pub(crate) async fn new() -> Self {
        let (configurations, servers) = tokio::task::block_in_place(|| {
            let master = server(None);
            let replica = server(master.port());
            (TempDir::new().expect("a directory"), [master, replica])
        });
        until("a replica that follows", || async {
            let info: String = ask_at(&servers[0].url(), &["INFO", "replication"])
                .await
                .expect("its state");
            info.contains("state=online")
        })
        .await;
        let port = servers[0].port().expect("a port");
        let sentinels: Vec<Server> = tokio::task::block_in_place(|| {
            let one = |n: u32| {
                let file = configurations.path().join(format!("{n}.conf"));
                let text = format!(
                    "sentinel monitor main 127.0.0.1 {port} 2\n\
                     sentinel down-after-milliseconds main 20000\n\
                     sentinel failover-timeout main 10000\n"
                );
                fs::write(&file, text).expect("a file");
                let builder = Server::builder().free_port().append_only(false);
                let builder = builder.config_file(file).arg("--sentinel");
                let rights = "--user watcher on >secret -@all +ping +role +sentinel|masters";
                let builder = rights.split(' ').fold(builder, Builder::arg);
                builder.start().expect("a Sentinel")
            };
            (0..3).map(one).collect()
        });
        let hosts: Vec<String> = sentinels
            .iter()
            .filter_map(Server::port)
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let url = format!(
            "redis+sentinel://worker:p%40ss@{}/main/1?sentinel_user=watcher&sentinel_pass=secret",
            hosts.join(",")
        );
        let watched = Self {
            servers,
            sentinels,
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
        let connection = client.get_multiplexed_async_connection().await;
        let mut connection = connection.expect("a connection");
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
