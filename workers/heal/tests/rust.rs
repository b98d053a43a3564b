//! Tests of Rust on real runs of cargo, in small projects without crates of others, so that nothing is fetched. Those
//! with crates are in `rust_registry.rs`.

use std::path::Path;

use maestro_heal::{Healer, SandboxChoice, Settings};
use maestro_protocol::heal::{HealCompleted, Strategy, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Heals what the members of `request` say in a project of these files.
async fn heal(files: &[(&str, &str)], request: Value) -> HealCompleted {
    let place = TempDir::new().expect("a directory");
    lay(place.path(), files);
    healed_in(place.path(), request).await
}

fn lay(place: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let file = place.join("project").join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("a file");
    }
}

async fn healed_in(place: &Path, request: Value) -> HealCompleted {
    let mut whole = json!({
        "project": { "repository": place.join("project") },
        "kind": "test_failure",
        "message": "a test fails"
    });
    for (name, value) in request.as_object().expect("members") {
        whole[name] = value.clone();
    }
    whole["project"]["repository"] = json!(place.join("project"));
    healer(place)
        .heal(
            &serde_json::from_value(whole).expect("a request"),
            CancellationToken::new(),
        )
        .await
        .expect("a verdict")
}

fn healer(place: &Path) -> Healer {
    Healer::new(Settings {
        roots: vec![place.to_owned()],
        work: place.join("work"),
        cache: place.join("cache"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })
    .expect("a healer")
}

fn named(id: &str) -> Value {
    json!({ "test": { "id": id, "framework": "cargo" } })
}

const MANIFEST: &str = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const PRODUCT: &str = "pub fn price(mut amount: u32, member: bool) -> u32 {\n    if amount > 10 {\n        amount -= 2;\n    }\n    if member {\n        amount -= 1;\n    }\n    amount\n}\n";

#[tokio::test]
async fn what_the_compiler_vouches_for_is_changed_and_the_healed_test_still_bites() {
    let test = "use shop::price;\n\n#[test]\nfn prices() {\n    let sum = 0;\n    for amount in [20, 5, 5] {\n        sum += price(amount, true);\n    }\n    assert_eq!(sum, 25);\n}\n\n#[test]\nfn strangers() {\n    assert_eq!(price(11, false), 9);\n}\n";
    let healed = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", PRODUCT),
            ("tests/price.rs", test),
        ],
        named("prices"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::SyntaxRepair));
    let patch = healed.patch.expect("a patch");
    assert!(patch.contains("+    let mut sum = 0;"), "{patch}");
    assert_eq!(healed.evidence.collected.after, 2);
    let teeth = healed.evidence.teeth.expect("teeth");
    assert!(teeth.planted >= 2, "{teeth:?}");
    assert_eq!(
        teeth.caught_after, teeth.planted,
        "{:?}",
        healed.evidence.caveats
    );
}

#[tokio::test]
async fn what_no_repair_changed_is_built_once() {
    // Runs again when the product is younger than its last run, and says how often it has run at this path.
    let script = "use std::{env, fs, path::Path};\n\nfn main() {\n    let file = Path::new(&env::var(\"OUT_DIR\").unwrap()).join(\"builds\");\n    let builds = fs::read_to_string(&file).map_or(0, |said| said.parse::<u32>().unwrap()) + 1;\n    fs::write(&file, builds.to_string()).unwrap();\n    println!(\"cargo:rerun-if-changed=src\");\n    println!(\"cargo:rustc-env=BUILDS={builds} {}\", file.display());\n}\n";
    let product = format!("{PRODUCT}\npub const BUILDS: &str = env!(\"BUILDS\");\n");
    let test = "#[test]\nfn prices() {\n    let sum = 0;\n    sum += shop::price(20, true);\n    assert_eq!(sum, 17);\n}\n\n#[test]\nfn once() {\n    let (builds, file) = shop::BUILDS.split_once(' ').unwrap();\n    assert_eq!(builds, \"1\");\n    let places = std::path::Path::new(file).ancestors().nth(3).unwrap();\n    let built = |place: std::io::Result<std::fs::DirEntry>| place.unwrap().path().join(\"out/builds\").exists();\n    assert_eq!(std::fs::read_dir(places).unwrap().filter_map(|place| built(place).then_some(())).count(), 1);\n}\n";
    let healed = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("build.rs", script),
            ("src/lib.rs", product.as_str()),
            ("tests/price.rs", test),
        ],
        named("tests/price.rs"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.evidence.after, "3/3");
}

#[tokio::test]
async fn a_test_that_catches_nothing_is_proposed_and_says_so() {
    let toothless = "use shop::price;\n\n#[test]\nfn prices() {\n    let n = 0;\n    n += price(20, true).min(0);\n    assert!(n < 100);\n}\n";
    let healed = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", PRODUCT),
            ("tests/price.rs", toothless),
        ],
        named("tests/price.rs"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Proposed, "{healed:#?}");
    assert!(healed.reason.contains("catches none"), "{}", healed.reason);
}

#[tokio::test]
async fn a_broken_product_is_refused_with_the_assertion_both_values_and_its_line() {
    let broken = PRODUCT.replace("amount -= 2", "amount -= 3");
    let test = "mod prices {\n    #[test]\n    fn of_members() {\n        assert_eq!(shop::price(20, true), 17);\n    }\n}\n";
    for request in [
        named("tests/price.rs::prices::of_members"),
        named("shop::price prices::of_members"),
        named("prices::of_members"),
        json!({}),
        json!({ "runtime": { "command": ["cargo", "nextest", "run"] } }),
    ] {
        let refused = heal(
            &[
                ("Cargo.toml", MANIFEST),
                ("src/lib.rs", &broken),
                ("tests/price.rs", test),
            ],
            request,
        )
        .await;
        assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
        assert_eq!(refused.patch, None);
        assert_eq!(refused.evidence.error_class, "assertion_failure");
        for part in [
            "tests/price.rs:4",
            "left is 16, right is 17",
            "`price` (src/lib.rs:1)",
        ] {
            assert!(
                refused.reason.contains(part),
                "{part} in {}",
                refused.reason
            );
        }
    }
}

#[tokio::test]
async fn a_panic_of_the_product_is_refused_with_the_line_that_it_comes_from() {
    let panics = "pub fn first(items: &[u32]) -> u32 {\n    let last = items.len() - 1;\n    items[last]\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn of_none() {\n        assert_eq!(first(&[]), 0);\n    }\n\n    #[test]\n    fn of_one() {\n        assert_eq!(first(&[3]), 3);\n    }\n}\n";
    let refused = heal(
        &[("Cargo.toml", MANIFEST), ("src/lib.rs", panics)],
        named("shop::tests::of_none"),
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    for part in ["attempt to subtract with overflow", "src/lib.rs:2"] {
        assert!(
            refused.reason.contains(part),
            "{part} in {}",
            refused.reason
        );
    }
    assert_eq!(refused.evidence.neighbours.before.passed, 1);
}

#[tokio::test]
async fn a_test_that_never_ends_is_refused_and_does_not_hide_its_neighbours() {
    let endless = "pub fn wait() -> u32 {\n    loop {\n        std::thread::sleep(std::time::Duration::from_millis(50));\n    }\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn waits() {\n        assert_eq!(super::wait(), 1);\n    }\n\n    #[test]\n    fn adds() {\n        assert_eq!(1 + 1, 2);\n    }\n}\n";
    let refused = heal(
        &[("Cargo.toml", MANIFEST), ("src/lib.rs", endless)],
        json!({
            "test": { "id": "tests::waits", "framework": "cargo" },
            "policy": { "time_limit_s": 60 }
        }),
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert!(
        refused.reason.contains("the test does not end"),
        "{}",
        refused.reason
    );
    assert_eq!(refused.evidence.neighbours.before.passed, 1);
}

#[tokio::test]
async fn what_the_project_lost_and_a_signature_that_no_longer_fits_are_refused() {
    let lost = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", PRODUCT),
            (
                "tests/price.rs",
                "#[test]\nfn t() {\n    assert_eq!(shop::total(&[1, 2]), 3);\n}\n",
            ),
        ],
        named("t"),
    )
    .await;
    assert_eq!(lost.verdict, Verdict::Refused, "{lost:#?}");
    assert!(
        lost.reason.contains("`shop` has no `total`"),
        "{}",
        lost.reason
    );
    let changed = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", PRODUCT),
            (
                "tests/price.rs",
                "#[test]\nfn t() {\n    assert_eq!(shop::price(20), 18);\n}\n",
            ),
        ],
        named("t"),
    )
    .await;
    assert_eq!(changed.verdict, Verdict::Refused, "{changed:#?}");
    assert!(
        changed.reason.contains("src/lib.rs:1"),
        "{}",
        changed.reason
    );
}

#[tokio::test]
async fn a_repair_of_product_code_is_proposed_and_one_of_its_tests_is_healed() {
    let product = "pub fn sum(items: &[u32]) -> u32 {\n    let all = 0;\n    for item in items {\n        all += item;\n    }\n    all\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn adds() {\n        assert_eq!(super::sum(&[1, 2]), 3);\n    }\n}\n";
    let proposed = heal(
        &[("Cargo.toml", MANIFEST), ("src/lib.rs", product)],
        named("tests::adds"),
    )
    .await;
    assert_eq!(proposed.verdict, Verdict::Proposed, "{proposed:#?}");
    assert!(
        proposed
            .patch
            .expect("a patch")
            .contains("+    let mut all = 0;"),
    );
    let in_test = product.replace("let all", "let mut all").replace(
        "        assert_eq!",
        "        let n = 1;\n        n += 1;\n        assert_eq!(n, 2);\n        assert_eq!",
    );
    let healed = heal(
        &[("Cargo.toml", MANIFEST), ("src/lib.rs", &in_test)],
        named("tests::adds"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(
        serde_json::to_value(&healed.touches).expect("words"),
        json!(["test"])
    );
}

#[tokio::test]
async fn tests_that_fail_only_together_or_now_and_then_are_not_repaired_and_say_so() {
    let together = "use std::sync::Mutex;\nuse std::time::Duration;\n\nstatic SEEN: Mutex<Vec<u32>> = Mutex::new(Vec::new());\n\nfn once() {\n    SEEN.lock().unwrap_or_else(|e| e.into_inner()).push(1);\n    std::thread::sleep(Duration::from_millis(300));\n    assert_eq!(SEEN.lock().unwrap_or_else(|e| e.into_inner()).len(), 1);\n}\n\n#[test]\nfn one() {\n    once();\n}\n\n#[test]\nfn other() {\n    once();\n}\n";
    let answer = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", PRODUCT),
            ("tests/shared.rs", together),
        ],
        named("tests/shared.rs"),
    )
    .await;
    assert_eq!(answer.verdict, Verdict::NoFix, "{answer:#?}");
    assert!(
        answer.reason.contains("they share `SEEN`"),
        "{}",
        answer.reason
    );
    let chance = "use std::time::{SystemTime, UNIX_EPOCH};\n\n#[test]\nfn now() {\n    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();\n    assert!((nanos / 1000) % 2 == 0 || std::env::args().count() > 3, \"unlucky\");\n}\n";
    let answer = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", PRODUCT),
            ("tests/chance.rs", chance),
        ],
        named("now"),
    )
    .await;
    assert_ne!(answer.verdict, Verdict::Healed, "{answer:#?}");
    assert_eq!(answer.patch, None);
}

#[tokio::test]
async fn what_the_environment_lacks_is_set_or_made_where_the_project_says_so() {
    let reads = "#[test]\nfn reads() {\n    let mode = std::env::var(\"SHOP_MODE\").unwrap();\n    assert_eq!(mode, \"test\");\n    assert_eq!(shop::price(20, false), 18);\n}\n";
    let healed = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", PRODUCT),
            ("tests/mode.rs", reads),
            (
                ".github/workflows/ci.yml",
                "jobs:\n  test:\n    env:\n      SHOP_MODE: test\n    steps:\n      - run: cargo test\n",
            ),
        ],
        named("reads"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(
        healed.runtime_changes.expect("changes").variables["SHOP_MODE"],
        "test"
    );
    let unknown = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", PRODUCT),
            ("tests/mode.rs", reads),
        ],
        named("reads"),
    )
    .await;
    assert_eq!(unknown.verdict, Verdict::NoFix, "{unknown:#?}");
    assert!(unknown.reason.contains("`SHOP_MODE`"), "{}", unknown.reason);
    let writes = "#[test]\nfn writes() {\n    std::fs::write(\"tests/out/price.txt\", shop::price(20, true).to_string()).unwrap();\n    assert_eq!(std::fs::read_to_string(\"tests/out/price.txt\").unwrap(), \"17\");\n}\n";
    let healed = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", PRODUCT),
            ("tests/file.rs", writes),
        ],
        named("writes"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert!(
        healed
            .patch
            .expect("a patch")
            .contains("+    std::fs::create_dir_all(\"tests/out\").unwrap();")
    );
}

#[tokio::test]
async fn what_passes_is_not_reproduced_whichever_way_it_is_run() {
    let test = "#[test]\nfn t() {\n    assert_eq!(shop::price(1, false), 1);\n}\n\n#[test]\n#[ignore]\nfn later() {\n    panic!();\n}\n";
    for command in [
        json!(["cargo", "test"]),
        json!(["cargo", "test", "--test", "price", "--", "--test-threads=1"]),
        json!(["cargo", "nextest", "run", "--retries", "2"]),
    ] {
        let green = heal(
            &[
                ("Cargo.toml", MANIFEST),
                ("src/lib.rs", PRODUCT),
                ("tests/price.rs", test),
            ],
            json!({ "runtime": { "command": command } }),
        )
        .await;
        assert_eq!(green.verdict, Verdict::NotReproduced, "{green:#?}");
        assert_eq!(green.evidence.neighbours.before.skipped, 1);
    }
}

#[tokio::test]
async fn a_member_of_a_workspace_is_healed_in_its_own_directory() {
    let manifest = "[workspace]\nmembers = [\"shop\", \"till\"]\nresolver = \"2\"\n";
    let till = "[package]\nname = \"till\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let test = "use shop::price;\n\n#[test]\nfn t() {\n    assert_eq!(till::half(price(20, true)), 8);\n}\n";
    let healed = heal(
        &[
            ("Cargo.toml", manifest),
            ("shop/Cargo.toml", MANIFEST),
            ("shop/src/lib.rs", PRODUCT),
            ("till/Cargo.toml", till),
            (
                "till/src/lib.rs",
                "pub fn half(n: u32) -> u32 {\n    n / 2\n}\n",
            ),
            ("till/tests/till.rs", test),
        ],
        json!({
            "project": { "repository": "", "directory": "till" },
            "test": { "id": "till::till t", "framework": "cargo" }
        }),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    let patch = healed.patch.expect("a patch");
    assert!(
        patch.contains("+++ b/till/Cargo.toml") && patch.contains("+shop = { path = \"../shop\" }"),
        "{patch}"
    );
}

#[tokio::test]
async fn a_hostile_project_gains_nothing_by_its_build_script_its_configuration_or_its_tests() {
    let place = TempDir::new().expect("a directory");
    let outside = place.path().join("outside");
    std::fs::create_dir(&outside).expect("a directory");
    std::fs::write(outside.join("secret"), "token").expect("a file");
    let at = outside.display();
    let attack = format!(
        "fn attack() {{\n    assert!(std::fs::read(\"{at}/secret\").is_err());\n    assert!(std::fs::write(\"{at}/ran\", \"\").is_err());\n    assert!(std::fs::read_dir(\"/root/.ssh\").is_err());\n    assert!(std::env::var(\"SECRET_OF_HOST\").is_err());\n    let reached = std::net::TcpStream::connect_timeout(&\"192.0.2.1:53\".parse().unwrap(), std::time::Duration::from_secs(1));\n    assert!(reached.is_err());\n}}\n"
    );
    let script = format!("{attack}\nfn main() {{\n    attack();\n}}\n");
    let test = format!("{attack}\n#[test]\nfn the_host_is_out_of_reach() {{\n    attack();\n}}\n");
    let configuration = format!(
        "[build]\nrustc-wrapper = \"{at}/wrapper\"\ntarget-dir = \"{at}/target\"\n\n[net]\noffline = false\n\n[alias]\ntest = \"run\"\n"
    );
    lay(
        place.path(),
        &[
            ("Cargo.toml", MANIFEST),
            ("build.rs", &script),
            ("src/lib.rs", PRODUCT),
            (".cargo/config.toml", &configuration),
            (
                "rust-toolchain.toml",
                "[toolchain]\nchannel = \"../../evil\"\n",
            ),
            ("tests/host.rs", &test),
        ],
    );
    let answer = healed_in(place.path(), named("the_host_is_out_of_reach")).await;
    assert_eq!(answer.verdict, Verdict::NotReproduced, "{answer:#?}");
    assert!(!outside.join("ran").exists() && !outside.join("target").exists());
}

#[tokio::test]
async fn what_is_not_fetched_or_not_run_here_is_said_so() {
    let place = TempDir::new().expect("a directory");
    let git = format!(
        "{MANIFEST}\n[dependencies]\nevil = {{ git = \"https://example.org/evil.git\" }}\n"
    );
    lay(place.path(), &[("Cargo.toml", &git), ("src/lib.rs", "")]);
    let healer = healer(place.path());
    let asked = |more: Value| {
        let mut request = json!({
            "project": { "repository": place.path().join("project") },
            "kind": "test_failure",
            "message": "a test fails"
        });
        for (name, value) in more.as_object().expect("members") {
            request[name] = value.clone();
        }
        let healer = &healer;
        async move {
            let request = serde_json::from_value(request).expect("a request");
            healer
                .heal(&request, CancellationToken::new())
                .await
                .expect_err("no verdict")
                .to_string()
        }
    };
    let error = asked(named("t")).await;
    assert!(error.contains("`evil` comes from a repository"), "{error}");
    let error = asked(json!({ "runtime": { "command": ["cargo", "run"] } })).await;
    assert!(error.contains("`cargo run` is no command"), "{error}");
    let error = asked(named("src/lib.rs - price (line 3)")).await;
    assert!(error.contains("documentation test"), "{error}");
}

const BY_VARIABLE: &str = "pub fn price(mut amount: u32) -> u32 {\n    if amount > 10 {\n        amount -= 2;\n    }\n    if std::env::var(\"SHOP_MEMBER\").is_ok() {\n        amount -= 1;\n    }\n    amount\n}\n";

#[tokio::test]
async fn tests_that_share_a_variable_of_the_process_take_turns_and_give_it_back() {
    let test = "use shop::price;\n\n#[test]\nfn members() {\n    std::env::set_var(\"SHOP_MEMBER\", \"1\");\n    assert_eq!(price(20), 17);\n}\n\n#[test]\nfn strangers() {\n    assert_eq!(price(20), 18);\n    assert_eq!(price(10), 10);\n}\n";
    let healed = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", BY_VARIABLE),
            ("tests/price.rs", test),
        ],
        named("strangers"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::FlakyTestStabilization));
    assert_eq!(healed.evidence.after, "21/21");
    let patch = healed.patch.expect("a patch");
    assert!(patch.contains("+    let _turn = Turn::take();"), "{patch}");
    // Of the defects one makes members of strangers only where the variable is set.
    let teeth = healed.evidence.teeth.expect("teeth");
    assert!(teeth.caught_after + 1 >= teeth.planted, "{teeth:?}");
}

#[tokio::test]
async fn a_product_that_remembers_what_it_was_asked_before_is_refused_with_the_test_that_shows_it()
{
    let remembers = "static KNOWN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();\n\npub fn price(amount: u32) -> u32 {\n    *KNOWN.get_or_init(|| amount - 2)\n}\n";
    let test = "use shop::price;\n\n#[test]\nfn a_first() {\n    assert_eq!(price(20), 18);\n}\n\n#[test]\nfn another() {\n    assert_eq!(price(30), 28);\n}\n";
    let refused = heal(
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", remembers),
            ("tests/price.rs", test),
        ],
        named("another"),
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert_eq!(refused.patch, None);
    assert!(refused.reason.contains("a_first"), "{}", refused.reason);
}
