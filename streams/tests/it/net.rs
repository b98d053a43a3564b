//! What several servers together need: ports, users, a look at one of them.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};

use redis::{AsyncConnectionConfig, FromRedisValue, Value};

use crate::rig::DEADLINE;

/// A port of 127.0.0.1 that nobody has this moment.
pub(crate) fn free_port() -> u16 {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    probe.local_addr().expect("an address").port()
}

/// A busy machine may take longer than the client's own 500 ms.
pub(crate) fn patient() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(DEADLINE))
        .set_response_timeout(Some(DEADLINE))
}

/// Runs one command, given as words, at the server with this URL.
pub(crate) async fn ask_at<T: FromRedisValue>(url: &str, words: &[&str]) -> redis::RedisResult<T> {
    let client = redis::Client::open(url)?;
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&patient())
        .await?;
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query_async(&mut connection).await
}

/// Makes the user `worker` with the password `p@ss`, with the rights as the documentation has them.
pub(crate) async fn grant_least_rights(url: &str, prefix: &str) {
    let rights = least_rights(prefix);
    let mut words = vec!["ACL", "SETUSER", "worker"];
    words.extend(rights.iter().map(String::as_str));
    let _: () = ask_at(url, &words).await.expect("rights");
}

/// What the server with this URL refused to somebody for want of rights.
///
/// A connection tells its library's name (`CLIENT SETINFO`) and does not mind a refusal. Redis 7.0 has no such command, and takes no
/// rights that name it, so the documented rights leave it out and a newer server notes the refusal.
pub(crate) async fn refused(url: &str) -> Vec<String> {
    let log: Vec<HashMap<String, Value>> = ask_at(url, &["ACL", "LOG"]).await.expect("a log");
    let refused = log.into_iter().map(|mut entry| {
        let object = entry.remove("object").expect("what it was");
        redis::from_redis_value(object).expect("a text")
    });
    refused
        .filter(|object: &String| object != "client|setinfo")
        .collect()
}

/// The words after the user's name.
pub(crate) fn least_rights(prefix: &str) -> Vec<String> {
    let text = include_str!("../../src/endpoint/rights.txt");
    let words = text.split_whitespace().skip(3);
    // Without a prefix the first pattern covers everything, and Redis takes no other after it.
    let words = words.filter(|word| !(prefix.is_empty() && word.starts_with("~{")));
    let words = words.map(|word| match word {
        ">password" => ">p@ss".to_owned(),
        pattern => pattern.replace("acme:", prefix),
    });
    words.collect()
}
