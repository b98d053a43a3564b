use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    Pipeline, RedisConnectionInfo, RedisFuture, RedisResult, TlsCertificates, TlsMode, Value,
};

use crate::Endpoint;
use crate::endpoint::{Login, Node, Place};

mod certificates;

pub(crate) use certificates::refused;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// One connection, to a server or to a cluster. Clones share it, and a blocking command blocks them all.
#[derive(Clone)]
pub(crate) enum Link {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    /// Connects. `response` bounds the wait for each reply: a blocking read needs more than what it blocks for (the
    /// redis crate's own default is 500 ms). In a cluster, a command that went to the wrong server or met a broken connection
    /// is sent again.
    pub(crate) async fn open(endpoint: &Endpoint, response: Duration) -> RedisResult<Self> {
        Self::connect(endpoint, response, 3).await
    }

    /// As [`Link::open`], for a reader, who must know when a reply was lost: nothing is sent twice.
    pub(crate) async fn open_reader(endpoint: &Endpoint, response: Duration) -> RedisResult<Self> {
        Self::connect(endpoint, response, 0).await
    }

    async fn connect(endpoint: &Endpoint, response: Duration, retries: u32) -> RedisResult<Self> {
        let config = patience(response);
        let certificates = match &endpoint.tls {
            Some(tls) => certificates::read(tls)?,
            None => None,
        };
        let connection = match &endpoint.place {
            Place::Host(node) => {
                let address = address(node, endpoint.tls.is_some());
                to_server(endpoint, address, certificates, &config).await?
            }
            Place::Socket(path) => {
                let address = ConnectionAddr::Unix(path.clone());
                to_server(endpoint, address, None, &config).await?
            }
            Place::Sentinel {
                nodes,
                master,
                login,
            } => {
                let behind = (nodes.as_slice(), master.as_str(), login);
                to_master(endpoint, behind, certificates, &config).await?
            }
            Place::Cluster(nodes) => {
                let nodes = nodes.iter().map(|node| {
                    let info = address(node, endpoint.tls.is_some()).into_connection_info()?;
                    Ok(info.set_redis_settings(login(&endpoint.login)))
                });
                let mut builder = ClusterClient::builder(nodes.collect::<RedisResult<Vec<_>>>()?)
                    .connection_timeout(CONNECT_TIMEOUT)
                    .response_timeout(response)
                    .overall_response_timeout(Some(response * 2))
                    .retries(retries);
                if endpoint.tls.is_some() {
                    builder = builder.tls(TlsMode::Secure);
                }
                if let Some(certificates) = certificates {
                    builder = builder.certs(certificates);
                }
                let connection = builder.build()?.get_async_connection().await?;
                return Ok(Self::Cluster(connection));
            }
        };
        Ok(Self::Server(connection))
    }

    /// Sends a command without a key to the server that has this one.
    pub(crate) async fn send_to_owner(&mut self, key: &str, cmd: Cmd) -> RedisResult<Value> {
        let reply = match self {
            Self::Server(connection) => connection.req_packed_command(&cmd).await,
            Self::Cluster(connection) => {
                let owner = Route::with_key(key, SlotAddr::Master);
                let owner = SingleNodeRoutingInfo::SpecificNode(owner);
                let routing = RoutingInfo::SingleNode(owner);
                connection.route_command(cmd, routing).await
            }
        };
        reply.and_then(Value::extract_error)
    }
}

/// How to reach a single server that needs no certificates of its own; none for anything else, which has to be looked for
/// anew with each connection.
pub(crate) fn fixed(endpoint: &Endpoint) -> RedisResult<Option<ConnectionInfo>> {
    // Certificates are read again for each connection, and what is wrong with them is told then.
    let plain = match &endpoint.tls {
        Some(tls) => matches!(certificates::read(tls), Ok(None)),
        None => true,
    };
    let address = match &endpoint.place {
        Place::Host(node) if plain => address(node, endpoint.tls.is_some()),
        Place::Socket(path) => ConnectionAddr::Unix(path.clone()),
        Place::Host(_) | Place::Sentinel { .. } | Place::Cluster(_) => return Ok(None),
    };
    let settings = login(&endpoint.login).set_db(endpoint.db);
    Ok(Some(
        address.into_connection_info()?.set_redis_settings(settings),
    ))
}

/// How long connecting and each reply may take.
pub(crate) fn patience(response: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(response))
}

async fn to_server(
    endpoint: &Endpoint,
    address: ConnectionAddr,
    certificates: Option<TlsCertificates>,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let settings = login(&endpoint.login).set_db(endpoint.db);
    let info: ConnectionInfo = address.into_connection_info()?.set_redis_settings(settings);
    let client = match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates)?,
        None => Client::open(info)?,
    };
    client
        .get_multiplexed_async_connection_with_config(config)
        .await
}

async fn to_master(
    endpoint: &Endpoint,
    (nodes, master, login): (&[Node], &str, &Login),
    certificates: Option<TlsCertificates>,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let sentinels = nodes.iter();
    let sentinels = sentinels.map(|node| address(node, endpoint.tls.is_some()));
    let mut builder = SentinelClientBuilder::new(sentinels, master, SentinelServerType::Master)?
        .set_client_to_redis_db(endpoint.db);
    if endpoint.tls.is_some() {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
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
    builder
        .build()?
        .get_async_connection_with_config(config)
        .await
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

fn address(node: &Node, tls: bool) -> ConnectionAddr {
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

fn login(login: &Login) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default();
    if let Some(user) = &login.user {
        info = info.set_username(user);
    }
    if let Some(password) = &login.password {
        info = info.set_password(password);
    }
    info
}
