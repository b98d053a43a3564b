//! What the relay reads and writes: CloudEvents of [`JOB_BYTES`] and [`RESULT_BYTES`], names and values together.

use std::io::Write as _;

/// The bytes of a message that waits to be handled.
pub const JOB_BYTES: usize = 300;
/// The bytes of what is published for it. A stamped result may be some bytes longer.
pub const RESULT_BYTES: usize = 150;

/// The fields of the `n`th message. No two are alike: Redis and the worker see other ids, times and data each time.
pub fn job(n: usize) -> Vec<(&'static str, String)> {
    let random = scatter(n as u64);
    let mut fields = vec![
        ("specversion", "1.0".to_owned()),
        ("id", id(n)),
        ("source", format!("/ci/acme/shop/{:02}", random % 100)),
        ("type", "relay.requested.v1".to_owned()),
        (
            "time",
            format!(
                "2026-03-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                1 + random % 28,
                (random >> 8) % 24,
                (random >> 16) % 60,
                (random >> 24) % 60,
                (random >> 32) % 1000
            ),
        ),
        ("datacontenttype", "application/json".to_owned()),
    ];
    let taken: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    fields.push(("data", data(n, random, JOB_BYTES - taken - "data".len())));
    fields
}

/// Which message an id belongs to.
pub fn number(id: &str) -> Option<usize> {
    usize::from_str_radix(id.rsplit('-').next()?, 16).ok()
}

fn id(n: usize) -> String {
    format!("{:08x}-5e1f-4b7a-9c3d-{n:012x}", scatter(n as u64) >> 32)
}

/// A JSON object of exactly `length` bytes.
fn data(n: usize, random: u64, length: usize) -> String {
    let mut text = format!(
        r#"{{"test":"tests/test_cart.py::test_total[{n}]","seconds":{}.{:03},"log":""#,
        random % 10,
        (random >> 40) % 1000
    );
    let mut state = random;
    while text.len() + 2 < length {
        state = scatter(state);
        text.push(char::from(b'a' + u8::try_from(state % 26).unwrap_or(0)));
    }
    text.push_str("\"}");
    text
}

/// A number that looks random and is the same on every run (the finaliser of splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
fn scatter(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// What a worker has found by looking through the fields of a message.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The message's own id, which is also its deduplication key.
    pub id: &'a str,
    /// The payload.
    pub data: &'a [u8],
    /// When it was to be sent, in nanoseconds of the machine's monotonic clock; only where latency is measured.
    pub sent: Option<&'a str>,
}

impl<'a> Job<'a> {
    /// Looks at every field once. `None` if the type is another one, or something is missing or no UTF-8.
    pub fn read(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Option<Self> {
        let (mut id, mut kind, mut data, mut sent) = (None, None, None, None);
        for (name, value) in fields {
            match name {
                b"id" => id = Some(value),
                b"type" => kind = Some(value),
                b"data" => data = Some(value),
                b"sent" => sent = Some(value),
                _ => {}
            }
        }
        (kind? == b"relay.requested.v1").then_some(())?;
        Some(Self {
            id: str::from_utf8(id?).ok()?,
            data: data?,
            sent: match sent {
                Some(sent) => Some(str::from_utf8(sent).ok()?),
                None => None,
            },
        })
    }

    /// Gives the fields of the result to `field`, one by one. `cause` names the stream entry, `handled` is when the handler had it.
    pub fn result(
        &self,
        cause: &str,
        handled: impl FnOnce() -> u64,
        mut field: impl FnMut(&'static str, &[u8]),
    ) {
        const NAMES: usize = "typeidcausationiddata".len();
        let mut id = [0; 48];
        let mut rest = &mut id[..];
        // An entry id has at most 41 characters.
        let _ = write!(rest, "{cause}/0");
        let unused = rest.len();
        let id = &id[..48 - unused];
        let kind = b"relay.done.v1";
        field("type", kind);
        field("id", id);
        field("causationid", self.id.as_bytes());
        if let Some(sent) = self.sent {
            field("sent", sent.as_bytes());
            field("handled", handled().to_string().as_bytes());
        }
        let room = RESULT_BYTES.saturating_sub(NAMES + kind.len() + id.len() + self.id.len());
        field("data", &self.data[..room.min(self.data.len())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_results_have_the_promised_size_and_carry_their_number() {
        for n in [0, 7, 299_999, 9_999_999] {
            let job = job(n);
            let bytes: usize = job
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum();
            assert_eq!(bytes, JOB_BYTES);
            let read = Job::read(
                job.iter()
                    .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
            )
            .unwrap();
            assert_eq!(number(read.id), Some(n));
            let (mut bytes, mut of) = (0, None);
            read.result(
                "1764000000000-12",
                || 0,
                |name, value| {
                    bytes += name.len() + value.len();
                    if name == "causationid" {
                        of = number(str::from_utf8(value).unwrap());
                    }
                },
            );
            assert_eq!(bytes, RESULT_BYTES);
            assert_eq!(of, Some(n));
        }
        assert_ne!(job(1), job(2));
    }
}
