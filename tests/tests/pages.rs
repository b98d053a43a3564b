//! The documentation is followed: every command on a page is run as it is written there, in a fresh directory, with the programs of this
//! build first on the `PATH`.

use std::path::{Path, PathBuf};
use std::thread;

use maestro_heal::project_file;
use maestro_tests::page::{Session, blocks, follow};
use maestro_tests::programs;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the checkout")
        .to_owned()
}

fn pages() -> Vec<PathBuf> {
    let documents = std::fs::read_dir(root().join("docs")).expect("docs");
    let mut pages: Vec<PathBuf> = documents
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .chain([root().join("README.md")])
        .collect();
    pages.sort();
    pages
}

/// The programs of this build, and kubectl where `deploy/tools.sh` has fetched one.
fn session() -> Session {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let fetched = cache
        .or_else(home)
        .map(|cache| cache.join("maestro/tools/1"));
    Session::new([programs()].into_iter().chain(fetched))
}

#[test]
fn every_page_can_be_followed_as_it_is_written() {
    let followed: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> = pages()
            .into_iter()
            .map(|path| {
                scope.spawn(move || {
                    let page = std::fs::read_to_string(&path).expect("a page");
                    // A reader stands in a checkout, where the pages name its files.
                    let session = session().copy(&root().join("deploy")).with(
                        "MAESTRO_CACHE_DIR",
                        maestro_tests::cache().display().to_string(),
                    );
                    (path, follow(&page, &session))
                })
            })
            .collect();
        started
            .into_iter()
            .map(|page| page.join().expect("a page is followed"))
            .collect()
    });
    let mut faults = Vec::new();
    for (path, followed) in followed {
        let name = path.strip_prefix(root()).expect("a path of ours").display();
        match followed {
            Ok(skipped) => skipped
                .iter()
                .for_each(|(line, reason)| println!("not run: {name}:{line}: {reason}")),
            Err(fault) => faults.push(format!("{name}, {fault}")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn what_a_page_shows_of_a_repository_s_own_file_is_understood() {
    let shown: Vec<_> = pages()
        .iter()
        .flat_map(|path| blocks(&std::fs::read_to_string(path).expect("a page")))
        .filter(|block| block.file.as_deref() == Some(project_file::NAME))
        .collect();
    assert!(!shown.is_empty());
    for block in shown {
        project_file::ProjectFile::parse(&block.text).expect("it is understood");
    }
}

#[test]
fn a_page_that_does_not_work_is_seen() {
    let failing = follow("```sh\ntrue\nls nowhere\ntrue\n```\n", &session()).unwrap_err();
    assert!(
        failing.contains("line 1") && failing.contains("`ls nowhere`"),
        "{failing}"
    );

    let other = follow("```console\n$ echo a 1\nb …\n```\n", &session()).unwrap_err();
    assert!(
        other.contains("is shown to print\nb …\nand printed\na 1"),
        "{other}"
    );

    let silent = "<!-- in the background, until: ready -->\n```sh\necho no\n```\n";
    assert!(follow(silent, &session()).is_err());

    let unmarked = follow("```sh\nfalse\n```\n\n```rust\nlet a;\n```\n", &session()).unwrap_err();
    assert_eq!(
        unmarked,
        "line 5: `rust` is neither run nor a file, and no marker says why"
    );
}

#[test]
fn a_page_is_one_shell_with_the_files_that_it_shows() {
    let page = "<!-- given: mkdir there -->\n```sh\ncd there\nname=a.txt\n```\n\n<!-- file: a.txt -->\n```text\nwritten\n```\n\n\
        <!-- in the background, until: begun -->\n```sh\necho begun; exec tail -f \"$name\"\n```\n\n```console\n$ cat $name\nwrit…\n```\n\n\
        <!-- not run: it would fail -->\n```sh\nfalse\n```\n";
    assert_eq!(
        follow(page, &session()),
        Ok(vec![(23, "it would fail".to_owned())])
    );
}
