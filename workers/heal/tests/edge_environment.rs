//! Environments, built from the real package index, and shared.

use std::path::{Path, PathBuf};
use std::time::Duration;

use maestro_heal::edge::{
    Command, Environment, EnvironmentError, EnvironmentSpec, Environments, Index, IndexError,
    IndexSettings, Interpreters, Limits, PipIndex, ProjectInstall, Sandbox, SandboxChoice,
    SourceBuilds,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

fn sandbox() -> Sandbox {
    Sandbox::detect(SandboxChoice::Required).expect("a sandbox on this machine")
}

/// Every test has a cache of its own, except for pip itself.
fn environments_with(cache: &Path, settings: IndexSettings) -> Environments {
    let installers = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installers");
    std::fs::create_dir_all(&installers).expect("a directory");
    std::os::unix::fs::symlink(installers, cache.join("installers")).ok();
    Environments::new(cache, sandbox(), Interpreters::new(), settings).with_uv(None)
}

fn environments() -> (TempDir, Environments) {
    let cache = tempfile::tempdir().expect("a directory");
    let environments = environments_with(cache.path(), IndexSettings::of_this_process());
    (cache, environments)
}

fn spec(install: &[&str]) -> EnvironmentSpec {
    EnvironmentSpec {
        install: install.iter().map(|&word| word.to_owned()).collect(),
        ..EnvironmentSpec::default()
    }
}

async fn prepare(
    environments: &Environments,
    spec: &EnvironmentSpec,
) -> Result<Environment, EnvironmentError> {
    environments
        .prepare(spec, &Limits::for_installation(), &CancellationToken::new())
        .await
}

async fn say(environment: &Environment, program: &str) -> String {
    let place = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(
        [environment.python.to_str().expect("text"), "-c", program],
        place.path(),
    );
    command.readable.extend(environment.readable());
    let finished = sandbox()
        .run(&command, &CancellationToken::new())
        .await
        .expect("a run");
    finished.stdout_text() + &finished.stderr_text()
}

fn complete(cache: &Path) -> Vec<PathBuf> {
    let entries = cache.join("environments").read_dir().expect("the cache");
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "complete"))
        .collect()
}

/// An index that nobody listens at.
fn nowhere() -> IndexSettings {
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("its address");
    let variables = [
        ("PIP_INDEX_URL", format!("http://{address}/simple")),
        ("PIP_TIMEOUT", "5".to_owned()),
    ];
    IndexSettings::with(variables.map(|(name, value)| (name.to_owned(), value)))
}

#[tokio::test]
async fn an_environment_has_what_was_asked_for_and_is_found_again() {
    let (cache, environments) = environments();
    let environment = prepare(&environments, &spec(&["iniconfig==2.0.0"]))
        .await
        .unwrap();
    assert_eq!(
        environment.installed,
        [("iniconfig".to_owned(), "2.0.0".to_owned())]
    );
    assert!(environment.site_packages.join("iniconfig").is_dir());
    assert!(environment.standard_library.join("json").is_dir());
    let said = say(
        &environment,
        "import iniconfig, sys; print(iniconfig.__name__, sys.prefix != sys.base_prefix)",
    )
    .await;
    assert_eq!(said, "iniconfig True\n");
    // Nothing can be built any more; what is there can be had.
    std::fs::remove_file(cache.path().join("installers")).unwrap();
    let again = prepare(&environments, &spec(&["iniconfig==2.0.0"]))
        .await
        .unwrap();
    assert_eq!(again.root, environment.root);
}

#[tokio::test]
async fn a_run_cannot_change_its_environment() {
    let (_cache, environments) = environments();
    let environment = prepare(&environments, &spec(&[])).await.unwrap();
    let said = say(
        &environment,
        "import sys; open(sys.prefix + '/pyvenv.cfg', 'a')",
    )
    .await;
    // As another user it is told so, as the owner that the place is mounted read-only.
    assert!(
        said.contains("Read-only file system") || said.contains("Permission denied"),
        "{said}"
    );
}

#[tokio::test]
async fn two_builders_at_one_time_build_once() {
    let (cache, environments) = environments();
    // A second worker process has its own handles on the same cache.
    let other = environments_with(cache.path(), IndexSettings::of_this_process());
    let wanted = spec(&["iniconfig"]);
    let (a, b) = tokio::join!(prepare(&environments, &wanted), prepare(&other, &wanted));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.root, b.root);
    assert_eq!(complete(cache.path()).len(), 1);
}

#[tokio::test]
async fn what_no_index_has_is_said_to_be_missing() {
    let (cache, environments) = environments();
    for requirement in ["iniconfig==99.99", "no-such-distribution-of-maestro"] {
        let failed = prepare(&environments, &spec(&[requirement]))
            .await
            .unwrap_err();
        assert!(
            matches!(&failed, EnvironmentError::NoMatchingDistribution { requirement: named } if named == requirement),
            "{failed}"
        );
        assert!(!failed.is_transient());
    }
    assert!(complete(cache.path()).is_empty());
}

#[tokio::test]
async fn requirements_that_contradict_each_other_are_a_conflict() {
    let (_cache, environments) = environments();
    let failed = prepare(&environments, &spec(&["pytest==8.0.0", "pluggy==1.0.0"]))
        .await
        .unwrap_err();
    assert!(
        matches!(failed, EnvironmentError::Conflict { .. }),
        "{failed}"
    );
}

#[tokio::test]
async fn an_index_that_is_not_there_may_be_there_another_time() {
    let cache = tempfile::tempdir().unwrap();
    let environments = environments_with(cache.path(), nowhere());
    let failed = prepare(&environments, &spec(&["iniconfig"]))
        .await
        .unwrap_err();
    assert!(
        matches!(failed, EnvironmentError::Unreachable { .. }) && failed.is_transient(),
        "{failed}"
    );
    let index = PipIndex::new(&environments, None);
    assert!(matches!(
        index.versions("iniconfig"),
        Err(IndexError::Unreachable { .. })
    ));
}

#[tokio::test]
async fn the_index_names_versions_newest_first() {
    let (_cache, environments) = environments();
    let index = PipIndex::new(&environments, None);
    let versions = index.versions("iniconfig").unwrap();
    let place = |version: &str| versions.iter().position(|known| known == version).unwrap();
    assert!(place("2.0.0") < place("1.1.1"), "{versions:?}");
    assert!(matches!(
        index.versions("no-such-distribution-of-maestro"),
        Err(IndexError::Missing(_))
    ));
    assert!(matches!(
        index.versions("--help"),
        Err(IndexError::Missing(_))
    ));
}

#[tokio::test]
async fn the_index_tells_when_releases_were_published_and_how_they_come() {
    let (_cache, environments) = environments();
    let index = PipIndex::new(&environments, None);
    let asked = ["iniconfig", "no-such-distribution-of-maestro", "--help"].map(str::to_owned);
    let releases = index.releases(&asked).unwrap();
    assert_eq!(releases.len(), 1, "{releases:?}");
    let of = &releases["iniconfig"];
    let place = |version: &str| {
        of.iter()
            .position(|known| known.version == version)
            .unwrap()
    };
    assert!(place("2.0.0") < place("1.1.1"), "{of:?}");
    let old = &of[place("1.1.1")];
    assert_eq!(old.published, "2020-10-14");
    assert!(old.fits && old.form == maestro_heal::case::Form::Pure);
}

/// A project whose build writes to whatever it can.
fn hostile_project(place: &Path) -> EnvironmentSpec {
    std::fs::write(place.join("hostile.py"), "x = 1\n").expect("a file");
    std::fs::write(
        place.join("pyproject.toml"),
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
    )
    .expect("a file");
    std::fs::write(
        place.join("backend.py"),
        "
import os, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    found = [name for name in os.environ if 'CARGO' in name or 'SECRET' in name]
    for root in [os.environ.get('PIP_CACHE_DIR'), os.environ.get('HOME'), os.getcwd()]:
        if root:
            os.makedirs(root, exist_ok=True)
            open(os.path.join(root, 'poison'), 'w').write('x')
    with zipfile.ZipFile(os.path.join(directory, 'hostile-1.0-py3-none-any.whl'), 'w') as wheel:
        wheel.writestr('hostile.py', 'found = %r' % found)
        wheel.writestr('hostile-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: hostile\\nVersion: 1.0\\n')
        wheel.writestr('hostile-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        wheel.writestr('hostile-1.0.dist-info/RECORD', '')
    return 'hostile-1.0-py3-none-any.whl'
",
    )
    .expect("a file");
    let project = Some(ProjectInstall {
        tree: place.to_owned(),
        extras: Vec::new(),
    });
    EnvironmentSpec {
        project,
        ..EnvironmentSpec::default()
    }
}

fn holds(directory: &Path, name: &str) -> bool {
    directory
        .read_dir()
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .any(|entry| {
            entry.file_name() == name
                || (entry.file_type().is_ok_and(|kind| kind.is_dir()) && holds(&entry.path(), name))
        })
}

#[tokio::test]
async fn a_projects_build_leaves_nothing_but_its_package() {
    let (cache, environments) = environments();
    let place = tempfile::tempdir().unwrap();
    let wanted = hostile_project(place.path());
    let environment = prepare(&environments, &wanted).await.unwrap();
    assert_eq!(
        environment.installed,
        [("hostile".to_owned(), "1.0".to_owned())]
    );
    assert_eq!(
        say(&environment, "import hostile; print(hostile.found)").await,
        "[]\n"
    );
    assert!(!holds(cache.path(), "poison") && !holds(place.path(), "poison"));
}

#[tokio::test]
async fn what_comes_as_source_alone_is_built_unless_that_is_refused() {
    let (_cache, environments) = environments();
    // Published as source alone.
    let wanted = spec(&["docopt==0.6.2"]);
    let refusing = environments
        .clone()
        .with_source_builds(SourceBuilds::Refused);
    assert!(matches!(
        prepare(&refusing, &wanted).await,
        Err(EnvironmentError::NoMatchingDistribution { .. })
    ));
    let environment = prepare(&environments, &wanted).await.unwrap();
    assert_eq!(
        environment.installed,
        [("docopt".to_owned(), "0.6.2".to_owned())]
    );
}

#[tokio::test]
async fn environments_out_of_use_make_room_and_those_in_use_stay() {
    let (cache, environments) = environments();
    let environments = environments.with_room_for(1);
    let first = prepare(&environments, &spec(&["iniconfig==2.0.0"]))
        .await
        .unwrap();
    let second = prepare(&environments, &spec(&["iniconfig==1.1.1"]))
        .await
        .unwrap();
    assert!(
        first.root.is_dir() && second.root.is_dir(),
        "both are in use"
    );
    let root = first.root.clone();
    drop(first);
    let third = prepare(&environments, &spec(&[])).await.unwrap();
    assert!(!root.exists() && second.root.is_dir() && third.root.is_dir());
    assert_eq!(complete(cache.path()).len(), 2);
}

#[tokio::test]
async fn a_build_that_was_cut_short_is_begun_anew() {
    let (cache, environments) = environments();
    let environment = prepare(&environments, &spec(&[])).await.unwrap();
    let root = environment.root.clone();
    drop(environment);
    std::fs::remove_file(&complete(cache.path())[0]).unwrap();
    std::fs::write(root.join("half"), "").unwrap();
    let environment = prepare(&environments, &spec(&[])).await.unwrap();
    assert_eq!(environment.root, root);
    assert!(!root.join("half").exists());
}

#[tokio::test]
async fn a_build_that_takes_too_long_is_given_up() {
    let (cache, usual) = environments();
    // Gets pip ready, from an index that answers.
    PipIndex::new(&usual, None).versions("iniconfig").unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/simple", silent.local_addr().unwrap());
    let settings = [("PIP_INDEX_URL", url), ("PIP_TIMEOUT", "600".to_owned())];
    let settings = IndexSettings::with(settings.map(|(name, value)| (name.to_owned(), value)));
    let environments = environments_with(cache.path(), settings);
    let limits = Limits {
        wall: Duration::from_secs(3),
        ..Limits::for_installation()
    };
    let cancel = CancellationToken::new();
    let failed = environments
        .prepare(&spec(&["iniconfig"]), &limits, &cancel)
        .await
        .unwrap_err();
    assert!(
        matches!(failed, EnvironmentError::TimedOut { seconds: 3 }),
        "{failed}"
    );
}
