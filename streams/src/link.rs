use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    Pipeline, RedisConnectionInfo, RedisFuture, RedisResult, TlsMode, Value,
};

use crate::Endpoint;
use crate::endpoint::{Login, Node, Place};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// One connection, to a server or to a cluster. Clones share it, and a blocking command blocks them all.
#[derive(Clone)]
pub(crate) enum Link {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    /// Connects. `response` bounds the wait for each reply: a blocking read needs more than what it blocks for (the
    /// redis crate's own default is 500 ms).
    pub(crate) async fn open(endpoint: &Endpoint, response: Duration) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(response));
        match &endpoint.place {
            Place::Host(_) | Place::Socket(_) => {
                let client = Client::open(connection_info(endpoint)?)?;
                let connection = client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?;
                Ok(Self::Server(connection))
            }
            Place::Sentinel {
                nodes,
                master,
                login,
            } => {
                let mut builder = SentinelClientBuilder::new(
                    nodes.iter().map(|node| address(node, endpoint.tls)),
                    master,
                    SentinelServerType::Master,
                )?
                .set_client_to_redis_db(endpoint.db);
                if endpoint.tls {
                    builder = builder
                        .set_client_to_redis_tls_mode(TlsMode::Secure)
                        .set_client_to_sentinel_tls_mode(TlsMode::Secure);
                }
                if let Some(user) = &endpoint.login.user {
                    builder = builder.set_client_to_redis_username(user);
                }
                if let Some(password) = &endpoint.login.password {
                    builder = builder.set_client_to_redis_password(password);
                }
                if let Some(user) = &login.user {
                    builder = builder.set_client_to_sentinel_username(user);
                }
                if let Some(password) = &login.password {
                    builder = builder.set_client_to_sentinel_password(password);
                }
                let connection = builder
                    .build()?
                    .get_async_connection_with_config(&config)
                    .await?;
                Ok(Self::Server(connection))
            }
            Place::Cluster(_) => {
                let mut builder = ClusterClient::builder(cluster_nodes(endpoint)?)
                    .connection_timeout(CONNECT_TIMEOUT)
                    .response_timeout(response)
                    .overall_response_timeout(Some(response * 2))
                    .retries(3);
                if endpoint.tls {
                    builder = builder.tls(TlsMode::Secure);
                }
                let connection = builder.build()?.get_async_connection().await?;
                Ok(Self::Cluster(connection))
            }
        }
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// How to reach a single server.
pub(crate) fn connection_info(endpoint: &Endpoint) -> RedisResult<ConnectionInfo> {
    let addr = match &endpoint.place {
        Place::Socket(path) => ConnectionAddr::Unix(path.clone()),
        Place::Host(node) => address(node, endpoint.tls),
        Place::Sentinel { nodes, .. } | Place::Cluster(nodes) => address(&nodes[0], endpoint.tls),
    };
    Ok(addr
        .into_connection_info()?
        .set_redis_settings(login(&endpoint.login).set_db(endpoint.db)))
}

/// How to reach the cluster's first nodes.
pub(crate) fn cluster_nodes(endpoint: &Endpoint) -> RedisResult<Vec<ConnectionInfo>> {
    let nodes = match &endpoint.place {
        Place::Cluster(nodes) => nodes.as_slice(),
        _ => &[],
    };
    nodes
        .iter()
        .map(|node| {
            let info = address(node, endpoint.tls).into_connection_info()?;
            Ok(info.set_redis_settings(login(&endpoint.login)))
        })
        .collect()
}

pub(crate) fn address(node: &Node, tls: bool) -> ConnectionAddr {
    if tls {
        ConnectionAddr::TcpTls {
            host: node.host.clone(),
            port: node.port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(node.host.clone(), node.port)
    }
}

pub(crate) fn login(login: &Login) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default();
    if let Some(user) = &login.user {
        info = info.set_username(user);
    }
    if let Some(password) = &login.password {
        info = info.set_password(password);
    }
    info
}

/// How to reach the Sentinels.
pub(crate) fn sentinels(
    nodes: &[Node],
    tls: bool,
    sentinel: &Login,
) -> RedisResult<Vec<ConnectionInfo>> {
    nodes
        .iter()
        .map(|node| {
            let info = address(node, tls).into_connection_info()?;
            Ok(info.set_redis_settings(login(sentinel)))
        })
        .collect()
}

/// How to reach the master that a Sentinel names, in the pool's own types.
pub(crate) fn behind_sentinel(
    endpoint: &Endpoint,
) -> deadpool_redis::sentinel::SentinelNodeConnectionInfo {
    deadpool_redis::sentinel::SentinelNodeConnectionInfo {
        tls_mode: endpoint
            .tls
            .then_some(deadpool_redis::sentinel::TlsMode::Secure),
        redis_connection_info: Some(deadpool_redis::RedisConnectionInfo {
            db: endpoint.db,
            username: endpoint.login.user.clone(),
            password: endpoint.login.password.clone(),
            ..deadpool_redis::RedisConnectionInfo::default()
        }),
    }
}
