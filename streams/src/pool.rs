use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, PoolConfig, PoolError, RecycleError, RecycleResult, Timeouts,
};
use redis::aio::ConnectionLike;
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};

use crate::link::{self, Link};
use crate::script::Lua;
use crate::{Endpoint, Error};

/// A few connections for commands that come now and then. Never for blocking ones: they would hold everyone else up.
#[derive(Clone)]
pub(crate) struct Pool {
    endpoint: Arc<Endpoint>,
    inner: deadpool::managed::Pool<Opener>,
}

/// Makes connections for the pool: to a single server through deadpool-redis, elsewhere by [`Link`], because the pools of
/// deadpool-redis for Sentinel and Cluster know neither a response time-out nor certificates.
struct Opener {
    endpoint: Arc<Endpoint>,
    response: Duration,
    server: Option<deadpool_redis::Manager>,
}

impl Manager for Opener {
    type Type = Link;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<Link> {
        match &self.server {
            Some(server) => server.create().await.map(Link::Server),
            None => Link::open(&self.endpoint, self.response).await,
        }
    }

    async fn recycle(&self, link: &mut Link, metrics: &Metrics) -> RecycleResult<RedisError> {
        match (link, &self.server) {
            (Link::Server(connection), Some(server)) => {
                return server.recycle(connection, metrics).await;
            }
            (Link::Server(connection), None) => {
                let ping = redis::cmd("PING");
                let reply = connection.req_packed_command(&ping).await;
                reply.and_then(Value::extract_error).map(drop)
            }
            // Replaces what is broken by itself.
            (Link::Cluster(_), _) => Ok(()),
        }
        .map_err(RecycleError::Backend)
    }
}

impl Pool {
    pub(crate) fn new(endpoint: &Endpoint, size: usize, response: Duration) -> Result<Self, Error> {
        let endpoint = Arc::new(endpoint.clone());
        let failed = |source| Error::connecting(&endpoint, source);
        let server = match link::fixed(&endpoint).map_err(failed)? {
            Some(info) => deadpool_redis::Manager::new_with_config(info, link::patience(response))
                .map(Some)
                .map_err(failed)?,
            None => None,
        };
        let opener = Opener {
            endpoint: endpoint.clone(),
            response,
            server,
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
        let pool = deadpool::managed::Pool::builder(opener);
        let inner = pool.config(config).runtime(Runtime::Tokio1).build();
        let inner = inner.map_err(|error| Error::Pool {
            endpoint: endpoint.to_string(),
            detail: error.to_string(),
        })?;
        Ok(Self { endpoint, inner })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    async fn get(&self) -> Result<Object<Opener>, Error> {
        self.inner.get().await.map_err(|error| match error {
            PoolError::Backend(source) => Error::connecting(&self.endpoint, source),
            other => Error::Pool {
                endpoint: self.endpoint.to_string(),
                detail: other.to_string(),
            },
        })
    }

    /// The outer error: no connection; the inner one: what came of the commands.
    pub(crate) async fn query(
        &self,
        pipeline: &Pipeline,
    ) -> Result<RedisResult<Vec<Value>>, Error> {
        let mut link = self.get().await?;
        let reply = match &mut *link {
            Link::Server(connection) => pipeline.query_async(connection).await,
            // While a slot moves, each command has to ask its own way.
            Link::Cluster(connection) => one_by_one(connection, pipeline).await,
        };
        Ok(keep_if_well(link, reply))
    }

    pub(crate) async fn command(&self, cmd: &Cmd) -> Result<RedisResult<Value>, Error> {
        let mut link = self.get().await?;
        let reply = link.req_packed_command(cmd).await;
        Ok(keep_if_well(link, reply.and_then(Value::extract_error)))
    }

    pub(crate) async fn script(&self, lua: &Lua, call: &Cmd) -> Result<RedisResult<Value>, Error> {
        let mut link = self.get().await?;
        let reply = lua.run(&mut *link, call).await;
        Ok(keep_if_well(link, reply))
    }
}

async fn one_by_one(
    connection: &mut ClusterConnection,
    pipeline: &Pipeline,
) -> RedisResult<Vec<Value>> {
    let mut replies = Vec::new();
    for command in pipeline.cmd_iter() {
        let reply = connection.req_packed_command(command).await;
        replies.push(reply.and_then(Value::extract_error)?);
    }
    Ok(replies)
}

/// A server that answers a PING but does not take writes may have been replaced by another one: the next connection will ask anew
/// where to go.
fn keep_if_well<T>(link: Object<Opener>, reply: RedisResult<T>) -> RedisResult<T> {
    if let Err(error) = &reply
        && matches!(
            error.code(),
            Some("READONLY" | "NOREPLICAS" | "MASTERDOWN" | "LOADING")
        )
    {
        drop(Object::take(link));
    }
    reply
}
