//! A Redis Cluster of three masters on this machine.

use maestro_redis_server::{Builder, Server};
use maestro_streams::{Admin, Endpoint, Publisher};
use maestro_test_authority::Authority;
use redis::FromRedisValue;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;

use crate::net::{ask_at, free_port};
use crate::rig::{Entries, column, until};

const SLOTS: u16 = 16384;
const NODES: u16 = 3;

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
    pub(crate) endpoint: Endpoint,
    connection: ClusterConnection,
}

struct Node {
    server: Server,
    bus: u16,
    /// Where clients and other nodes are to come.
    port: u16,
}

fn node(authority: Option<&Authority>) -> Node {
    for _ in 0..8 {
        let bus = free_port();
        let builder = Server::builder().free_port().append_only(false);
        let words = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"];
        let builder = words.into_iter().fold(builder, Builder::arg);
        let builder = builder.arg("--cluster-port").arg(bus.to_string());
        let (builder, tls) = match authority {
            Some(authority) => {
                let port = free_port();
                let builder = builder.arg("--tls-cluster").arg("yes");
                let words = crate::tls::encrypted_port(authority, port).into_iter();
                (words.fold(builder, Builder::arg), Some(port))
            }
            None => (builder, None),
        };
        if let Ok(server) = builder.start() {
            let port = tls.or(server.port()).expect("a port");
            return Node { server, bus, port };
        }
    }
    panic!("no port was free for long enough");
}

impl Cluster {
    pub(crate) async fn new() -> Self {
        Self::with(None).await
    }

    /// Encrypted everywhere, with certificates named `server`, if there is an authority.
    pub(crate) async fn with(authority: Option<&Authority>) -> Self {
        let nodes: Vec<Node> =
            tokio::task::block_in_place(|| (0..NODES).map(|_| node(authority)).collect());
        let urls: Vec<String> = nodes.iter().map(|node| node.server.url()).collect();
        for (at, url) in (0..NODES).zip(&urls) {
            let (from, to) = (
                first_slot(at).to_string(),
                (first_slot(at + 1) - 1).to_string(),
            );
            let epoch = (at + 1).to_string();
            for words in [
                &["CLUSTER", "SET-CONFIG-EPOCH", &epoch][..],
                &["CLUSTER", "ADDSLOTSRANGE", &from, &to],
            ] {
                let _: () = ask_at(url, words).await.expect("a node of its own");
            }
        }
        for node in &nodes[1..] {
            let (port, bus) = (node.port.to_string(), node.bus.to_string());
            let words = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus];
            let _: () = ask_at(&urls[0], &words).await.expect("a meeting");
        }
        for url in &urls {
            until("one cluster", || async {
                let info: String = ask_at(url, &["CLUSTER", "INFO"]).await.expect("its state");
                ["state:ok", "known_nodes:3", "slots_assigned:16384"]
                    .iter()
                    .all(|sign| info.contains(&format!("cluster_{sign}\r\n")))
            })
            .await;
        }
        let client = ClusterClient::new(urls.clone()).expect("a client");
        let connection = client.get_async_connection().await.expect("a connection");
        // One node is enough to find the others.
        let port = nodes[0].port;
        let url = match authority {
            Some(authority) => {
                let (ca, key) = (authority.shown("ca.pem"), authority.shown("server.key"));
                let certificate = authority.shown("server.pem");
                format!("rediss+cluster://127.0.0.1:{port}?ca={ca}&cert={certificate}&key={key}")
            }
            None => format!("redis+cluster://127.0.0.1:{port}"),
        };
        Self {
            nodes: nodes.into_iter().map(|node| node.server).collect(),
            endpoint: url.parse().expect("a URL"),
            connection,
        }
    }

    /// Runs one command, given as words, where its key is.
    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        let reply = command.query_async(&mut self.connection.clone()).await;
        reply.expect("an answer")
    }

    pub(crate) async fn len(&self, stream: &str) -> u64 {
        self.ask(&["XLEN", stream]).await
    }

    pub(crate) async fn values(&self, stream: &str, field: &str) -> Vec<String> {
        let entries: Entries = self.ask(&["XRANGE", stream, "-", "+"]).await;
        column(entries, field)
    }

    pub(crate) async fn slot(&self, key: &str) -> u16 {
        self.ask(&["CLUSTER", "KEYSLOT", key]).await
    }

    /// Which node had this key at the beginning.
    pub(crate) async fn home(&self, key: &str) -> usize {
        let slot = self.slot(key).await;
        let home = (0..NODES).rev().find(|at| first_slot(*at) <= slot);
        usize::from(home.expect("every slot has a node"))
    }

    pub(crate) async fn id(&self, node: usize) -> String {
        let url = self.nodes[node].url();
        ask_at(&url, &["CLUSTER", "MYID"]).await.expect("an id")
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(&self.endpoint, "").expect("a publisher")
    }

    pub(crate) fn admin(&self) -> Admin {
        let admin = Admin::new(&self.endpoint, "").expect("an admin");
        admin.dedup_window(crate::rig::config().dedup_window)
    }

    /// Nothing to be read and nothing in hand.
    pub(crate) async fn is_done(&self, stream: &str) -> bool {
        let status = self.admin().status(&[stream]).await.expect("a status");
        let groups = &status[0].groups;
        !groups.is_empty() && groups.iter().all(|group| group.backlog() == Some(0))
    }
}

fn first_slot(node: u16) -> u16 {
    // 3 × 5461 is one less than all; the last node has one more.
    if node == NODES {
        SLOTS
    } else {
        node * (SLOTS / NODES)
    }
}
