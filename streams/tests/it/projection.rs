use std::time::Duration;

use maestro_streams::{EntryId, Projection, Replaced};

use crate::rig::Rig;

const HOUR: Duration = Duration::from_hours(1);

fn counted(rig: &Rig) -> Projection {
    Projection::new(&rig.endpoint, "", "jobs", "counted").expect("a projection")
}

fn hash(key: &str, value: &str) -> Replaced {
    Replaced {
        key: key.to_owned(),
        fields: vec![("n".into(), value.to_owned().into())],
        kept: HOUR,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_moves_with_what_it_writes_and_only_from_where_it_is() {
    let rig = Rig::new();
    rig.publish(["a".to_owned(), "b".to_owned()]).await;
    let projection = counted(&rig);
    assert_eq!(projection.place().await.unwrap(), None);
    let entries = projection.entries(None, 10).await.unwrap();
    let (first, last) = (entries[0].id, entries[1].id);
    let moved = projection.advance(None, first, &[hash("x", "1")]).await;
    assert!(moved.unwrap());
    // Somebody who read before that comes too late, and changes nothing.
    let late = projection.advance(None, last, &[hash("x", "9")]).await;
    assert!(!late.unwrap());
    assert_eq!(projection.place().await.unwrap(), Some(first));
    let read = projection.read(&["x", "none"]).await.unwrap();
    assert_eq!(read[0].get_str("n"), Some("1"));
    assert!(read[1].is_empty());
    assert_eq!(projection.entries(Some(first), 10).await.unwrap().len(), 1);

    let none = Replaced {
        fields: Vec::new(),
        ..hash("x", "")
    };
    let moved = projection
        .advance(Some(first), last, &[hash("y", "2"), none])
        .await;
    assert!(moved.unwrap());
    let read = projection.read(&["x", "y"]).await.unwrap();
    assert!(read[0].is_empty(), "a hash without fields is deleted");
    assert_eq!(read[1].get_str("n"), Some("2"));
    let kept: i64 = rig.ask(&["PTTL", "{jobs}:counted:y"]).await;
    assert!(kept > 0, "what is derived expires");
    let place: i64 = rig.ask(&["PTTL", "{jobs}:counted"]).await;
    assert_eq!(place, -1, "the place does not");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_count_at_once_each_entry_is_counted_once() {
    let rig = Rig::new();
    rig.publish((0..300).map(|n| n.to_string())).await;
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let projection = counted(&rig);
            tokio::spawn(async move { while count(&projection).await {} })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let read = counted(&rig).read(&["all"]).await.unwrap();
    assert_eq!(read[0].get_str("n"), Some("300"));
}

/// Counts what is there, seven entries at a time; `false` when nothing is left.
async fn count(projection: &Projection) -> bool {
    let from = projection.place().await.expect("an answer");
    let entries = projection.entries(from, 7).await.expect("an answer");
    let Some(to) = entries.last().map(|entry| entry.id) else {
        return false;
    };
    let read = projection.read(&["all"]).await.expect("an answer");
    let before: usize = read[0]
        .get_str("n")
        .map_or(0, |n| n.parse().expect("an answer"));
    let now = (before + entries.len()).to_string();
    projection
        .advance(from, to, &[hash("all", &now)])
        .await
        .expect("an answer");
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_trimmed_is_passed_over() {
    let rig = Rig::new();
    rig.publish((0..5).map(|n| n.to_string())).await;
    let projection = counted(&rig);
    let first = projection.entries(None, 1).await.unwrap()[0].id;
    assert!(projection.advance(None, first, &[]).await.unwrap());
    let _: i64 = rig.ask(&["XTRIM", "jobs", "MAXLEN", "1"]).await;
    let left: Vec<EntryId> = projection
        .entries(Some(first), 10)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.id)
        .collect();
    assert_eq!(left.len(), 1);
    assert!(projection.advance(Some(first), left[0], &[]).await.unwrap());
}
