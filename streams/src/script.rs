use std::sync::LazyLock;

use redis::aio::ConnectionLike;
use redis::{Cmd, RedisResult, Script, ServerErrorKind, Value};

use crate::Keys;

/// A Lua script that runs at the server in one step, called by its digest and loaded when the server does not know it (yet, or
/// any more: a restart or a failover forgets scripts).
pub(crate) struct Lua(LazyLock<Script>);

macro_rules! lua {
    ($(#[$doc:meta])* $name:ident, $($file:literal),+) => {
        $(#[$doc])*
        pub(crate) static $name: Lua =
            Lua(LazyLock::new(|| Script::new(concat!($(include_str!(concat!("script/", $file))),+))));
    };
}

lua!(/// Commits a batch of outcomes.
    COMMIT, "turn.lua", "commit.lua");
lua!(/// Publishes what a handler says before it is done.
    PROGRESS, "progress.lua");
lua!(/// Appends messages to one stream of a cluster.
    APPEND, "append.lua");
lua!(/// Renews leases, recovers, moves back what is due, and takes over.
    TEND, "tend.lua");
lua!(/// Heartbeat, dead consumers, cursor, trim.
    HOUSEKEEP, "turn.lua", "housekeep.lua");
lua!(/// Asks whose turn it is.
    ORDER, "turn.lua", "order.lua");
lua!(/// Takes permits from a rate.
    RATE, "rate.lua");
lua!(/// Creates a group where it should begin.
    ENSURE, "turn.lua", "ensure.lua");
lua!(/// Hands back what is pending and leaves the group.
    LEAVE, "leave.lua");
lua!(/// Tells which keys have taken effect already.
    SEEN, "seen.lua");
lua!(/// Puts a dead letter back into its stream.
    REPLAY, "replay.lua");
lua!(/// Tells who reads a lane, and what each one holds.
    REPLICAS, "replicas.lua");
lua!(/// Tells how much has gone through a lane, and how late its groups are.
    FLOW, "turn.lua", "flow.lua");
lua!(/// Trims a stream that no consumer looks after.
    RETAIN, "retain.lua");
lua!(/// Counts distinct members.
    TALLY, "tally.lua");
lua!(/// Moves a projection on.
    FOLD, "fold.lua");

impl Lua {
    /// The beginning of a call; the arguments follow. All `keys` must share a slot.
    pub(crate) fn call(&self, keys: &[&str]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(self.0.get_hash()).arg(keys.len()).arg(keys);
        cmd
    }

    /// Runs a call made by [`Lua::call`].
    pub(crate) async fn run(
        &self,
        link: &mut (impl ConnectionLike + Send),
        call: &Cmd,
    ) -> RedisResult<Value> {
        match link
            .req_packed_command(call)
            .await
            .and_then(Value::extract_error)
        {
            Err(error) if error.kind() == ServerErrorKind::NoScript.into() => {
                self.load(link).await?;
                link.req_packed_command(call)
                    .await
                    .and_then(Value::extract_error)
            }
            reply => reply,
        }
    }

    pub(crate) async fn load(&self, link: &mut (impl ConnectionLike + Send)) -> RedisResult<()> {
        self.0.load_async(link).await.map(drop)
    }
}

/// The call that creates a group if it is missing.
pub(crate) fn ensure_call(keys: &Keys, group: &str) -> Cmd {
    let mut call = ENSURE.call(&[
        keys.stream(),
        &keys.cursor(),
        &keys.fence(),
        &keys.order(group),
        &keys.turn(group),
        &keys.parked(group),
    ]);
    call.arg(group);
    call
}
