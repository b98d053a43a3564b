use std::sync::mpsc::Receiver;

use maestro_redis_server::Server;
use maestro_streams::{
    Consumer, ConsumerConfig, Delivery, Endpoint, Entry, Handler, Inspection, Outcome, Outgoing,
    Publisher,
};

use super::*;

/// Looking at a message, it holds the loop up until the other end of the channel is dropped.
struct HoldsUp(Mutex<Option<Receiver<()>>>);

impl Handler for HoldsUp {
    fn inspect(&self, _: &Entry) -> Inspection {
        if let Some(until) = self.0.lock().unwrap().take() {
            let _ = until.recv();
        }
        Inspection::handle()
    }

    async fn handle(&self, _: Delivery) -> Outcome {
        Outcome::Done(Vec::new())
    }
}

fn read(file: &Path) -> Record {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn until(what: &str, file: &Path, is_so: impl Fn(&Record) -> bool) -> Record {
    let start = Instant::now();
    loop {
        let record = read(file);
        if is_so(&record) {
            return record;
        }
        let waited = start.elapsed();
        assert!(
            waited < Duration::from_secs(30),
            "never: {what}: {record:?}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_loop_that_hangs_grows_old_in_a_file_that_stays_young() {
    let server = Server::builder().append_only(false).start().unwrap();
    let endpoint: Endpoint = server.url().parse().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("heartbeat");
    let stop = CancellationToken::new();
    let heartbeat = Heartbeat::start(Some(&file), stop.clone()).unwrap();
    assert_eq!(read(&file).state, State::Starting);

    let (release, held) = channel();
    let handler = HoldsUp(Mutex::new(Some(held)));
    let config = ConsumerConfig::new("jobs", "workers");
    let consumer = Consumer::new(endpoint.clone(), config, handler).unwrap();
    let watched = heartbeat.watch("workers", consumer.pulse());
    heartbeat.all_started();
    let runtime = crate::fleet::runtime::of_workers().unwrap();
    let running = runtime.spawn(consumer.run(stop.clone()));
    let connected = until("it is connected", &file, |record| {
        record.loops.first().is_some_and(|one| one.connected)
    });
    assert_eq!(connected.state, State::Running);

    let publisher = Publisher::new(&endpoint, "").unwrap();
    let message = [Outgoing::new("jobs").field("data", "{}")];
    runtime.block_on(publisher.publish(&message)).unwrap();
    until("its loop is 3 s old", &file, |record| {
        let written = Moment::now().since(&record.written).unwrap();
        assert!(
            written < Duration::from_secs(20),
            "the file is old: {written:?}"
        );
        record.loops[0].age_ms > 3000
    });
    drop(release);
    until("it goes round again", &file, |record| {
        record.loops[0].age_ms < 2000
    });

    stop.cancel();
    until("it says that it ends", &file, |record| {
        record.state == State::Stopping
    });
    runtime.block_on(running).unwrap().unwrap();
    drop(watched);
    until("the loop has ended", &file, |record| {
        record.loops.is_empty()
    });
    drop(heartbeat);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_cannot_be_written_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("missing/heartbeat");
    let fault = Heartbeat::start(Some(&file), CancellationToken::new()).unwrap_err();
    assert_eq!(fault.exit, Exit::Io);
    assert!(fault.to_string().contains("missing/heartbeat"), "{fault}");
}
