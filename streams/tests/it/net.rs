//! What several servers together need: ports, users, a look at one of them.

use std::net::{Ipv4Addr, TcpListener};

use redis::FromRedisValue;

/// A port of 127.0.0.1 that nobody has this moment.
pub(crate) fn free_port() -> u16 {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    probe.local_addr().expect("an address").port()
}

/// Runs one command, given as words, at the server with this URL.
pub(crate) async fn ask_at<T: FromRedisValue>(url: &str, words: &[&str]) -> redis::RedisResult<T> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
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
