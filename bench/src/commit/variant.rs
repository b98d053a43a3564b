//! The ways to commit, and the Lua of each.

use redis::{Connection, RedisResult};

/// How the commit reaches Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One script for the batch (`EVALSHA`).
    Script,
    /// One function for the batch (`FCALL`).
    Function,
    /// One script for each message, all in one pipeline.
    PerMessage,
    /// No script: XADDs and one XACK in a pipeline. Neither atomic nor fenced.
    Pipeline,
}

/// How a worker that has lost its lease is kept from committing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// `XPENDING` over the range of the batch says which entries are still the consumer's own.
    Pending,
    /// `XACK` of each message first; whoever gets 1 may publish. Does not see that another consumer owns it by now.
    Ack,
    /// A token of the consumer's in a hash, compared once for the batch. Whoever takes entries over would have to change it.
    Token,
    /// Not at all.
    None,
}

/// How a message that has taken effect before is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedup {
    /// Two sets, this window's and the last one's, asked once for the batch (`SMISMEMBER`) and written once (`SADD`).
    Sets,
    /// `SADD` of each message to this window's set, and nothing else.
    SetEach,
    /// `SET … NX PX` of a key for each message.
    Key,
    /// `HSETNX` of each message into this window's hash.
    Hash,
    /// Not at all.
    None,
}

/// One way to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// How it reaches Redis.
    pub form: Form,
    /// How it is fenced.
    pub fence: Fence,
    /// How duplicates are found.
    pub dedup: Dedup,
}

/// What the others are compared with: it is how the runtime commits, less its other outcomes.
const CHOSEN: Variant = Variant {
    form: Form::Script,
    fence: Fence::Pending,
    dedup: Dedup::Sets,
};

const fn form(form: Form) -> Variant {
    Variant { form, ..CHOSEN }
}

const fn fence(fence: Fence) -> Variant {
    Variant { fence, ..CHOSEN }
}

const fn dedup(dedup: Dedup) -> Variant {
    Variant { dedup, ..CHOSEN }
}

/// The chosen one, then those that differ from it in one thing, then none of it.
pub const VARIANTS: [Variant; 11] = [
    CHOSEN,
    form(Form::Function),
    form(Form::PerMessage),
    fence(Fence::Ack),
    fence(Fence::Token),
    fence(Fence::None),
    dedup(Dedup::SetEach),
    dedup(Dedup::Key),
    dedup(Dedup::Hash),
    dedup(Dedup::None),
    form(Form::Pipeline),
];

const HEAD: &str = "
-- KEYS  1 messages, 2 results, 3 tokens, 4 this window's set or hash, 5 the last window's
-- ARGV  1 group, 2 consumer, 3 n, then n entry ids, n marks, and n results of 4 names and values each
local call, unpack = redis.call, unpack
local group, me, n = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ids, marks, results = 3, 3 + n, 3 + 2 * n
";

impl Variant {
    /// What it does differently.
    pub fn name(self) -> String {
        if self == CHOSEN {
            return "chosen: script a batch, XPENDING, two sets".to_owned();
        }
        let form = match self.form {
            Form::Script => None,
            Form::Function => Some("a function (FCALL)"),
            Form::PerMessage => Some("a script for each message"),
            Form::Pipeline => Some("no script, no guarantee: XADDs and XACK"),
        };
        let fence = match self.fence {
            Fence::Pending => None,
            Fence::Ack => Some("fence: XACK's answer for each message"),
            Fence::Token => Some("fence: a token, HGET once"),
            Fence::None => Some("no fence"),
        };
        let dedup = match self.dedup {
            Dedup::Sets => None,
            Dedup::SetEach => Some("deduplication: SADD for each message"),
            Dedup::Key => Some("deduplication: a key, SET NX PX"),
            Dedup::Hash => Some("deduplication: HSETNX for each message"),
            Dedup::None => Some("no deduplication"),
        };
        [form, fence, dedup]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Makes it known to Redis, and returns what it is called by.
    pub(super) fn load(self, connection: &mut Connection) -> RedisResult<String> {
        match self.form {
            Form::Pipeline => Ok(String::new()),
            Form::Script | Form::PerMessage => redis::cmd("SCRIPT")
                .arg("LOAD")
                .arg(self.lua())
                .query(connection),
            Form::Function => {
                let body = self.lua();
                redis::cmd("FUNCTION")
                    .arg("LOAD")
                    .arg(format!("#!lua name=bench\nredis.register_function('commit', function(KEYS, ARGV)\n{body}\nend)"))
                    .exec(connection)?;
                Ok("commit".to_owned())
            }
        }
    }

    /// Answers -1 if the fence refuses.
    fn lua(self) -> String {
        let fence = match self.fence {
            Fence::Pending => {
                "local own = call('XPENDING', KEYS[1], group, ARGV[ids + 1], ARGV[ids + n], n + 1000, me)
for i = 1, n do if not own[i] or own[i][1] ~= ARGV[ids + i] then return -1 end end"
            }
            Fence::Token => "if call('HGET', KEYS[3], me) ~= '1' then return -1 end",
            Fence::Ack | Fence::None => "",
        };
        let mine = match self.fence {
            Fence::Ack => "call('XACK', KEYS[1], group, ARGV[ids + i]) == 1",
            _ => "true",
        };
        let ack = match self.fence {
            Fence::Ack => "",
            _ => "call('XACK', KEYS[1], group, unpack(ARGV, ids + 1, ids + n))",
        };
        let ask = match self.dedup {
            Dedup::Sets => {
                "local a = call('SMISMEMBER', KEYS[4], unpack(ARGV, marks + 1, marks + n))
local b = call('SMISMEMBER', KEYS[5], unpack(ARGV, marks + 1, marks + n))"
            }
            _ => "",
        };
        let fresh = match self.dedup {
            Dedup::Sets => "a[i] == 0 and b[i] == 0",
            Dedup::SetEach => "call('SADD', KEYS[4], ARGV[marks + i]) == 1",
            Dedup::Key => "call('SET', 'seen:' .. ARGV[marks + i], '', 'NX', 'PX', 86400000)",
            Dedup::Hash => "call('HSETNX', KEYS[4], ARGV[marks + i], '') == 1",
            Dedup::None => "true",
        };
        let remember = match self.dedup {
            Dedup::Sets => "call('SADD', KEYS[4], unpack(ARGV, marks + 1, marks + n))",
            _ => "",
        };
        format!(
            "{HEAD}{fence}
{ask}
for i = 1, n do
  if {mine} and {fresh} then
    call('XADD', KEYS[2], '*', unpack(ARGV, results + 8 * i - 7, results + 8 * i))
  end
end
{ack}
{remember}
return n
"
        )
    }
}
