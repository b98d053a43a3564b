use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{PoolConfig, Runtime, Timeouts, cluster, sentinel};
use redis::aio::ConnectionLike;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisResult, Value};

use crate::endpoint::Place;
use crate::script::Lua;
use crate::{Endpoint, Error, link};

/// A few connections for commands that come now and then. Never for blocking ones: they would hold everyone else up.
#[derive(Clone)]
pub(crate) struct Pool {
    endpoint: Arc<Endpoint>,
    inner: Inner,
}

#[derive(Clone)]
enum Inner {
    Server(deadpool_redis::Pool),
    Sentinel(sentinel::Pool),
    Cluster(cluster::Pool),
}

macro_rules! with_connection {
    ($pool:expr, $connection:ident => $body:expr) => {
        match &$pool.inner {
            Inner::Server(pool) => {
                let mut $connection = pool.get().await.map_err(|error| $pool.failed(&error))?;
                $body
            }
            Inner::Sentinel(pool) => {
                let mut $connection = pool.get().await.map_err(|error| $pool.failed(&error))?;
                $body
            }
            Inner::Cluster(pool) => {
                let mut $connection = pool.get().await.map_err(|error| $pool.failed(&error))?;
                $body
            }
        }
    };
}

impl Pool {
    pub(crate) fn new(endpoint: &Endpoint, size: usize, response: Duration) -> Result<Self, Error> {
        let connect = |source| Error::Connect {
            endpoint: endpoint.to_string(),
            source,
        };
        let unbuilt = |error: &dyn std::fmt::Display| Error::Pool {
            endpoint: endpoint.to_string(),
            detail: error.to_string(),
        };
        let config = PoolConfig {
            max_size: size,
            timeouts: Timeouts {
                wait: Some(response),
                create: Some(response),
                recycle: Some(response),
            },
            ..PoolConfig::default()
        };
        let inner = match &endpoint.place {
            Place::Host(_) | Place::Socket(_) => {
                let manager = deadpool_redis::Manager::new_with_config(
                    link::connection_info(endpoint).map_err(connect)?,
                    AsyncConnectionConfig::new().set_response_timeout(Some(response)),
                )
                .map_err(connect)?;
                let builder = deadpool_redis::Pool::builder(manager);
                let pool = builder.config(config).runtime(Runtime::Tokio1).build();
                Inner::Server(pool.map_err(|error| unbuilt(&error))?)
            }
            Place::Sentinel {
                nodes,
                master,
                login,
            } => {
                let manager = sentinel::Manager::new(
                    link::sentinels(nodes, endpoint.tls, login).map_err(connect)?,
                    master.clone(),
                    Some(link::behind_sentinel(endpoint)),
                    sentinel::SentinelServerType::Master,
                )
                .map_err(connect)?;
                let builder = sentinel::Pool::builder(manager);
                let pool = builder.config(config).runtime(Runtime::Tokio1).build();
                Inner::Sentinel(pool.map_err(|error| unbuilt(&error))?)
            }
            Place::Cluster(_) => {
                let nodes = link::cluster_nodes(endpoint).map_err(connect)?;
                let manager = cluster::Manager::new(nodes, false).map_err(connect)?;
                let builder = cluster::Pool::builder(manager);
                let pool = builder.config(config).runtime(Runtime::Tokio1).build();
                Inner::Cluster(pool.map_err(|error| unbuilt(&error))?)
            }
        };
        Ok(Self {
            endpoint: Arc::new(endpoint.clone()),
            inner,
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::Pool {
            endpoint: self.endpoint.to_string(),
            detail: error.to_string(),
        }
    }

    /// The outer error: no connection; the inner one: what came of the commands.
    pub(crate) async fn query(
        &self,
        pipeline: &Pipeline,
    ) -> Result<RedisResult<Vec<Value>>, Error> {
        with_connection!(self, connection => Ok(pipeline.query_async(&mut connection).await))
    }

    pub(crate) async fn command(&self, cmd: &Cmd) -> Result<RedisResult<Value>, Error> {
        with_connection!(self, connection => {
            Ok(connection.req_packed_command(cmd).await.and_then(Value::extract_error))
        })
    }

    pub(crate) async fn script(&self, lua: &Lua, call: &Cmd) -> Result<RedisResult<Value>, Error> {
        with_connection!(self, connection => Ok(lua.run(&mut connection, call).await))
    }
}
