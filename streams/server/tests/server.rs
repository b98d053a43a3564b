//! A private server starts, answers, survives a restart with its data, and leaves nothing behind.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

use maestro_redis_server::{Error, Fsync, Listen, Server};

fn say(mut stream: impl Read + Write, command: &str) -> String {
    stream
        .write_all(command.as_bytes())
        .expect("the server reads");
    let mut reply = [0; 512];
    let n = stream.read(&mut reply).expect("the server answers");
    String::from_utf8_lossy(&reply[..n]).into_owned()
}

#[test]
fn a_server_on_a_socket_keeps_its_data_across_a_kill_and_removes_them_in_the_end() {
    let mut server = Server::builder().fsync(Fsync::Always).start().unwrap();
    let socket = server.socket().unwrap().to_path_buf();
    assert!(server.url().starts_with("redis+unix:///"));
    say(UnixStream::connect(&socket).unwrap(), "SET a 1\r\n");
    server.kill();
    assert!(!server.is_running());
    assert!(UnixStream::connect(&socket).is_err());
    server.restart().unwrap();
    assert_eq!(
        say(UnixStream::connect(&socket).unwrap(), "GET a\r\n"),
        "$1\r\n1\r\n"
    );
    let directory = server.data_dir().to_path_buf();
    drop(server);
    assert!(!directory.exists());
}

#[test]
fn many_servers_find_free_ports_at_the_same_time() {
    let ports: Vec<u16> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Server::builder().free_port().append_only(false).start()))
            .collect();
        let servers: Vec<Server> = starts
            .into_iter()
            .map(|start| start.join().unwrap().unwrap())
            .collect();
        servers
            .iter()
            .map(|server| {
                let port = server.port().unwrap();
                let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                assert_eq!(say(stream, "PING\r\n"), "+PONG\r\n");
                port
            })
            .collect()
    });
    let mut distinct = ports.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ports.len());
}

#[test]
fn a_given_data_directory_outlives_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::builder()
        .data_dir(directory.path().join("data"))
        .start()
        .unwrap();
    let socket = server.socket().unwrap().to_path_buf();
    say(UnixStream::connect(&socket).unwrap(), "SET a 1\r\n");
    server.shutdown().unwrap();
    drop(server);
    let again = Server::builder()
        .data_dir(directory.path().join("data"))
        .listen(Listen::Socket(directory.path().join("s")))
        .start()
        .unwrap();
    let socket = again.socket().unwrap();
    assert_eq!(
        say(UnixStream::connect(socket).unwrap(), "GET a\r\n"),
        "$1\r\n1\r\n"
    );
}

#[test]
fn a_missing_program_is_told_with_the_next_step() {
    let error = Server::builder()
        .program("no-such-redis-server")
        .start()
        .unwrap_err();
    assert!(matches!(error, Error::NotInstalled { .. }));
    assert!(error.to_string().contains("apt-get install redis-server"));
}

#[test]
fn every_test_runs_against_the_server_that_the_environment_names() {
    let again = |program: &str| {
        let mut tests = Command::new(std::env::current_exe().unwrap());
        tests.env("MAESTRO_TEST_REDIS_SERVER", program);
        let one = tests.args(["--exact", "a_server_outlives_the_thread_that_started_it"]);
        one.output().unwrap().status.success()
    };
    assert!(again("redis-server"));
    assert!(again(""));
    assert!(!again("no-such-redis-server"));
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let mut server = std::thread::spawn(|| Server::builder().start().unwrap())
        .join()
        .unwrap();
    let pid = server.pid().unwrap();
    let state = Command::new("kill")
        .args(["-0", &pid.to_string()])
        .status()
        .unwrap();
    assert!(state.success());
    assert!(server.is_running());
    let stream = UnixStream::connect(server.socket().unwrap()).unwrap();
    assert_eq!(say(stream, "PING\r\n"), "+PONG\r\n");
}
