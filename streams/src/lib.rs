//! How it travels: a Redis Streams runtime with leases, fenced commits, retries and dead letters.
