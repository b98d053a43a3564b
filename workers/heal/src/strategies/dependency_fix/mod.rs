//! Modules, plugins and versions that the environment lacks. Only the environment of the run is changed, by
//! requirements to install: the project's files stay as they are.
//!
//! What is installed must be vouched for: by what the project itself asks for, by the tables of [`crate::rules`], or,
//! last, by a distribution of exactly the name that a file of the project imports. The project's own name is never
//! taken from the index: the requirement `.` stands for the project itself, installed from its directory.

mod declared;
mod era;
mod site;
mod versions;

pub(crate) use versions::release;

use std::sync::LazyLock;

use maestro_protocol::heal::{RuntimeChanges, Strategy};
use regex::Regex;

use crate::case::{Candidate, Case, Finding, Repair};
use crate::classify::lacks_system_library;
use crate::classify::subject::{Subject, subject};
use crate::distribution::{distribution, normalised};
use crate::failure::Failure;
use crate::roles::{Role, Roles};
use crate::rules::{self, Change, Plugin};
use crate::source::Source;
use crate::source::names::Names;
use crate::strategies::{own_python, rank};
use declared::Declared;

/// See the module.
pub(super) struct DependencyFix;

impl Repair for DependencyFix {
    fn strategy(&self) -> Strategy {
        Strategy::DependencyFix
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        let about = subject(failure).0;
        if about == Subject::Assertion {
            return Vec::new();
        }
        if let Some(reason) = lacks_system_library(&about, case.installed) {
            return vec![Finding::Refuse(reason)];
        }
        let search = Search {
            case,
            declared: Declared::read(case.tree),
            failure,
        };
        let mut candidates = search.candidates(&about);
        candidates.dedup_by(|a, b| a.runtime == b.runtime);
        candidates.into_iter().map(Finding::Try).collect()
    }

    fn last_resort(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        let compares = subject(failure).0 == Subject::Assertion;
        era::of_its_time(case, &Declared::read(case.tree))
            .into_iter()
            .map(|candidate| if compares {
                let doubt = "other versions may hide what the product does wrong: nothing in the failure says that a version is what it fails by";
                Finding::Propose(candidate, doubt.to_owned())
            } else {
                Finding::Try(candidate)
            })
            .collect()
    }
}

/// Distributions that a message says are to be installed: `run: pip install PyYAML`, `please install PyYAML`.
fn asked_for(message: &str) -> impl Iterator<Item = &str> {
    static WORDING: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)\b(?:pip|please) install ([a-z0-9][a-z0-9._-]*)").ok());
    WORDING
        .iter()
        .flat_map(move |wording| wording.captures_iter(message))
        .filter_map(|found| found.get(1))
        .map(|name| name.as_str().trim_end_matches('.'))
}

struct Search<'c> {
    case: &'c Case<'c>,
    declared: Declared,
    failure: &'c Failure,
}

impl Search<'_> {
    fn candidates(&self, about: &Subject) -> Vec<Candidate> {
        match about {
            Subject::ModuleMissing(module) => self.module(module),
            Subject::NameMissing { module, name } if !module.is_empty() => {
                self.incompatible(module, &format!("`{name}` of `{module}`"))
            }
            Subject::KeywordUnknown { function, keyword } => match self.called_module() {
                Some(module) => {
                    self.incompatible(&module, &format!("argument `{keyword}` of `{function}`"))
                }
                None => self.inside_a_package(),
            },
            // `type object 'numpy.ndarray' has no attribute 'ptp'`: a class that says which package it is of.
            Subject::AttributeMissing { class, name }
                if class
                    .split_once('.')
                    .is_some_and(|(top, _)| site::has_module(self.case.installed, top)) =>
            {
                self.incompatible(class, &format!("`{name}` of `{class}`"))
            }
            // A stand-in of the tests has what the package asked for when it was written.
            Subject::AttributeMissing { class, name } if self.is_of_the_tests(class) => {
                match self.innermost_package() {
                    Some(package) => self
                        .incompatible(package, &format!("the use of an object without `{name}`")),
                    None => self.told_by_the_runner(),
                }
            }
            Subject::FixtureMissing(fixture) => self.fixture(fixture),
            Subject::OptionsUnknown(options) => self.options(options),
            Subject::PluginsRequired(plugins) => vec![install(
                plugins.clone(),
                format!(
                    "installs the plugins that the configuration requires: {}",
                    plugins.join(", ")
                ),
                rank::KNOWN_DISTRIBUTION,
            )],
            Subject::MetadataMissing(name) => self.metadata(name),
            Subject::HookArguments { hook, .. } => self.older_pytest(&format!(
                "`{hook}` with the arguments that the project's hook takes"
            )),
            Subject::Warning(text) if text.contains("pkg_resources is deprecated as an API") => {
                vec![install(
                    vec!["setuptools<67.5".to_owned()],
                    "installs `setuptools<67.5`, which does not warn of `pkg_resources` yet"
                        .to_owned(),
                    rank::OLDER_VERSION,
                )]
            }
            Subject::Warning(_) => self.pytest_before_removal(),
            _ => self.told_by_the_runner(),
        }
    }

    fn module(&self, module: &str) -> Vec<Candidate> {
        let top = module.split('.').next().unwrap_or(module);
        // A module of the project may have the name of one that is known; not where the project is what is known.
        if self.declared.modules.contains(top)
            && (self.declared.own.contains(&normalised(top))
                || !rules::distributions()
                    .iter()
                    .any(|entry| entry.module == module))
        {
            // The project's own module is never fetched from the index, where anybody may own its name.
            return self.below_its_sources(top);
        }
        let known = rules::distributions()
            .iter()
            .filter(|entry| entry.module == module || entry.module == top)
            .max_by_key(|entry| entry.module.len());
        if let Some(entry) = known {
            if entry
                .until
                .is_some_and(|until| self.case.installed.python <= until)
            {
                return Vec::new();
            }
            let rank = if entry.fork {
                rank::FORK
            } else {
                rank::KNOWN_DISTRIBUTION
            };
            return entry
                .install
                .iter()
                .flat_map(|requirement| self.wanted(requirement, module, rank))
                .collect();
        }
        if top != module && site::has_module(self.case.installed, top) {
            return self.incompatible(top, &format!("module `{module}`"));
        }
        if let Some(requirement) = self.declared.of(top) {
            return self.wanted(&requirement.text.clone(), module, rank::KNOWN_DISTRIBUTION);
        }
        let in_library = self
            .case
            .installed
            .standard_library
            .join(format!("{top}.py"))
            .is_file();
        if in_library || top.starts_with('_') || renamed_by_a_rule(module) || !self.is_imported(top)
        {
            return Vec::new();
        }
        if self.case.index.versions(top).is_empty() {
            return Vec::new();
        }
        self.wanted(top, module, rank::GUESSED_DISTRIBUTION)
    }

    /// The project's own module where it lies in a directory of sources, which only an installed project is found in
    /// (<https://packaging.python.org/en/latest/discussions/src-layout-vs-flat-layout/>). The run is told where it is; an installed copy would not be
    /// what the tests are meant to look at once something in it changes.
    fn below_its_sources(&self, module: &str) -> Vec<Candidate> {
        let paths = self.case.tree.paths();
        let lies_in = |directory: &str| {
            let package = format!("{directory}{module}/");
            let file = format!("{directory}{module}.py");
            paths
                .iter()
                .any(|path| path.starts_with(&package) || *path == file)
        };
        let sources = ["src", "lib", "python"]
            .into_iter()
            .find(|directory| lies_in(&format!("{directory}/")));
        let Some(sources) = sources.filter(|_| !lies_in("")) else {
            return Vec::new();
        };
        let mut candidate = install(
            Vec::new(),
            format!(
                "runs with `{sources}` on the path of modules: `{module}` of the project lies there and is not installed"
            ),
            rank::KNOWN_DISTRIBUTION,
        );
        candidate
            .runtime
            .variables
            .insert("PYTHONPATH".to_owned(), sources.to_owned());
        vec![candidate]
    }

    /// A requirement in the versions that the project asks for, and behind it the majors before the newest: a package
    /// may have outgrown the project, or its interpreter.
    fn wanted(&self, requirement: &str, module: &str, rank: u32) -> Vec<Candidate> {
        let name: String = requirement
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            .collect();
        let stated = self.declared.of(&name).map(|stated| stated.text.clone());
        let bounded = requirement.len() > name.len();
        let first = if bounded {
            requirement.to_owned()
        } else {
            stated.clone().unwrap_or_else(|| requirement.to_owned())
        };
        let by = if stated.as_ref() == Some(&first) {
            "which the project itself asks for"
        } else {
            "which brings it"
        };
        let mut found = vec![install(
            vec![first.clone()],
            format!("installs `{first}`, {by}: module `{module}` is missing"),
            rank,
        )];
        if !bounded && !first.contains(['<', '=']) {
            for (step, major) in
                (1_u32..).zip(versions::older_majors(&self.case.index.versions(&name)))
            {
                let older = format!("{name}<{major}");
                let description = format!(
                    "installs `{older}`: module `{module}` is missing, and its newest version does not fit"
                );
                found.push(install(
                    vec![older],
                    description,
                    rank::OLDER_VERSION + step,
                ));
            }
        }
        found
    }

    /// Something is gone from an installed package: an older one had it.
    fn incompatible(&self, module: &str, what: &str) -> Vec<Candidate> {
        let top = module.split('.').next().unwrap_or(module);
        if self.declared.modules.contains(top) {
            return Vec::new();
        }
        let mut found = self.inside_a_package();
        let Some((name, version)) = site::distribution_of(self.case.installed, top) else {
            return found;
        };
        // Many packages define some names only where an optional dependency of theirs is installed.
        for other in self.declared.beside(&name) {
            let installed = &self.case.installed.distributions;
            if installed.iter().any(|(known, _)| known == other) {
                continue;
            }
            let text = self.stated(other);
            let description = format!(
                "installs `{text}`, which the project asks for together with `{name}`: {name} {version} has no {what}"
            );
            found.push(install(vec![text], description, rank::KNOWN_DISTRIBUTION));
        }
        let mut rank = rank::OLDER_VERSION;
        let stated = self
            .declared
            .of(&name)
            .filter(|stated| stated.text.contains(['<', '=', '~']));
        if let Some(stated) = stated {
            let text = stated.text.clone();
            found.push(install(
                vec![text.clone()],
                format!("installs `{text}`, as the project asks: {name} {version} has no {what}"),
                rank,
            ));
            rank += 1;
        }
        for older in versions::below(&self.case.index.versions(&name), &version) {
            let description = format!("installs {name} {older}: {what} is gone from {version}");
            found.push(install(vec![format!("{name}=={older}")], description, rank));
            rank += 1;
        }
        found
    }

    /// The installed module that the failure arose in.
    fn innermost_package(&self) -> Option<&str> {
        let innermost =
            self.failure.frames.iter().rev().find(|frame| {
                frame.function != "__getattr__" && !frame.path.contains("/importlib/")
            })?;
        site::module_of_path(&innermost.path)
    }

    /// Whether a file of the tests defines a class.
    fn is_of_the_tests(&self, class: &str) -> bool {
        let roles = Roles::of_case(self.case);
        let defines = [format!("class {class}("), format!("class {class}:")];
        own_python(self.case)
            .filter(|path| roles.of(path) == Role::Test)
            .filter_map(|path| self.case.tree.read(path))
            .any(|text| defines.iter().any(|define| text.contains(define)))
    }

    /// An installed package fails inside itself on something that is gone: a newer one of it may know.
    fn inside_a_package(&self) -> Vec<Candidate> {
        let Some(module) = self.innermost_package() else {
            return Vec::new();
        };
        let Some((name, version)) = site::distribution_of(self.case.installed, module) else {
            return Vec::new();
        };
        let newest = self
            .case
            .index
            .versions(&name)
            .into_iter()
            .find(|text| versions::release(text).is_some());
        let mut found: Vec<Candidate> = newest
            .filter(|newest| versions::release(newest) > versions::release(&version))
            .map(|newest| {
                let description = format!("installs {name} {newest}: {name} {version} fails inside itself on this interpreter or its other packages");
                install(vec![format!("{name}=={newest}")], description, rank::OLDER_VERSION)
            })
            .into_iter()
            .collect();
        // A plugin reaches into the runner; one that nobody keeps up wants the runner of its time.
        if found.is_empty() && name.starts_with("pytest-") {
            found = self.older_pytest(&format!(
                "what {name} {version} reaches for, of which there is no newer version"
            ));
        }
        found
    }

    /// The installed module whose function is called on the line that failed.
    fn called_module(&self) -> Option<String> {
        let frame = self.failure.innermost_own()?;
        if self
            .failure
            .frames
            .last()
            .is_some_and(|last| last.path.contains("/site-packages/"))
        {
            return None;
        }
        let source = Source::parse(self.case.tree.read(&frame.path)?)?;
        let names = Names::of(&source);
        source
            .nodes()
            .filter(|node| node.kind() == "call")
            .filter(|node| {
                let last = u32::try_from(node.end_position().row).map_or(u32::MAX, |row| row + 1);
                (Source::line(*node)..=last).contains(&frame.line)
            })
            .filter_map(|node| names.resolve(node.child_by_field_name("function")?))
            .map(|used| used.qualified)
            .find(|qualified| {
                site::has_module(
                    self.case.installed,
                    qualified.split('.').next().unwrap_or_default(),
                )
            })
    }

    fn fixture(&self, fixture: &str) -> Vec<Candidate> {
        if fixture == "testdir" || fixture == "pytester" {
            let mut candidate = install(
                Vec::new(),
                "turns on pytest's own plugin `pytester`, which brings the fixture".to_owned(),
                rank::KNOWN_DISTRIBUTION,
            );
            candidate
                .runtime
                .variables
                .insert("PYTEST_PLUGINS".to_owned(), "pytester".to_owned());
            return vec![candidate];
        }
        let what = format!("fixture `{fixture}` is missing");
        self.plugins(
            |plugin| plugin.fixtures.iter().any(|known| known == fixture),
            &what,
        )
    }

    fn options(&self, options: &[String]) -> Vec<Candidate> {
        let mut needed: Vec<String> = Vec::new();
        let mut unknown = Vec::new();
        for option in options {
            let bare = option.split('=').next().unwrap_or(option);
            let fits = |plugin: &&Plugin| {
                plugin
                    .options
                    .iter()
                    .any(|known| rules::matches(known, bare))
            };
            match rules::plugins().iter().find(fits) {
                Some(plugin) => {
                    let requirement = self.stated(&plugin.install);
                    if !needed.contains(&requirement) {
                        needed.push(requirement);
                    }
                }
                None => unknown.push(bare),
            }
        }
        if needed.is_empty() || !unknown.is_empty() {
            needed.extend(
                self.declared_plugins()
                    .into_iter()
                    .filter(|plugin| !needed.contains(plugin))
                    .collect::<Vec<_>>(),
            );
        }
        if needed.is_empty() {
            return Vec::new();
        }
        let description = format!(
            "installs {}: the configuration asks for options of it ({})",
            needed.join(", "),
            options.join(" ")
        );
        let majors: Vec<String> = needed
            .iter()
            .filter(|name| !name.contains(['<', '=']))
            .cloned()
            .collect();
        let mut found = vec![install(
            needed.clone(),
            description,
            rank::KNOWN_DISTRIBUTION,
        )];
        if let [name] = majors.as_slice() {
            for (step, major) in
                (1_u32..).zip(versions::older_majors(&self.case.index.versions(name)))
            {
                let mut older: Vec<String> = needed
                    .iter()
                    .filter(|other| *other != name)
                    .cloned()
                    .collect();
                older.push(format!("{name}<{major}"));
                let description = format!(
                    "installs {}: the newest version does not fit",
                    older.join(", ")
                );
                found.push(install(older, description, rank::OLDER_VERSION + step));
            }
        }
        found
    }

    /// Candidates for what plugins bring: one that the project asks for before the others.
    fn plugins(&self, brings: impl Fn(&Plugin) -> bool, what: &str) -> Vec<Candidate> {
        let mut known: Vec<&Plugin> = rules::plugins()
            .iter()
            .filter(|plugin| brings(plugin))
            .collect();
        known.sort_by_key(|plugin| self.declared.of(&plugin.install).is_none());
        let mut found: Vec<Candidate> = Vec::new();
        for (step, plugin) in (0_u32..).zip(known) {
            let requirement = self.stated(&plugin.install);
            found.push(install(
                vec![requirement.clone()],
                format!("installs `{requirement}`: {what}"),
                rank::KNOWN_DISTRIBUTION + step.min(9),
            ));
            if !requirement.contains(['<', '=']) {
                for (step, major) in (1_u32..).zip(versions::older_majors(
                    &self.case.index.versions(&plugin.install),
                )) {
                    let older = format!("{}<{major}", plugin.install);
                    found.push(install(
                        vec![older.clone()],
                        format!("installs `{older}`: {what}, and the newest version does not fit"),
                        rank::OLDER_VERSION + step,
                    ));
                }
            }
        }
        if found.is_empty() {
            let declared = self.declared_plugins();
            if !declared.is_empty() {
                let description = format!(
                    "installs the plugins that the project asks for ({}): {what}",
                    declared.join(", ")
                );
                found.push(install(declared, description, rank::KNOWN_DISTRIBUTION));
            }
        }
        found
    }

    fn stated(&self, name: &str) -> String {
        self.declared
            .of(name)
            .map_or_else(|| name.to_owned(), |stated| stated.text.clone())
    }

    /// Plugins of pytest that the project asks for and that are not installed.
    fn declared_plugins(&self) -> Vec<String> {
        let installed = |name: &str| {
            self.case
                .installed
                .distributions
                .iter()
                .any(|(known, _)| known == name)
        };
        let mut found: Vec<String> = self
            .declared
            .requirements
            .iter()
            .filter(|requirement| {
                requirement.name.starts_with("pytest-") && !installed(&requirement.name)
            })
            .map(|requirement| requirement.text.clone())
            .collect();
        found.sort();
        found.dedup();
        found
    }

    fn metadata(&self, name: &str) -> Vec<Candidate> {
        let wanted = normalised(name);
        let own_module = self
            .declared
            .modules
            .iter()
            .any(|module| normalised(module) == wanted);
        if self.declared.own.contains(&wanted) || own_module {
            return vec![install(
                vec![".".to_owned()],
                "installs the project itself: its code asks for its own metadata".to_owned(),
                rank::KNOWN_DISTRIBUTION,
            )];
        }
        let requirement = self.stated(name);
        let vouched = self.declared.of(name).is_some()
            || rules::distributions().iter().any(|entry| {
                entry
                    .install
                    .iter()
                    .any(|known| normalised(known) == wanted)
            });
        let rank = if vouched {
            rank::KNOWN_DISTRIBUTION
        } else {
            rank::GUESSED_DISTRIBUTION
        };
        if !vouched && self.case.index.versions(name).is_empty() {
            return Vec::new();
        }
        vec![install(
            vec![requirement.clone()],
            format!("installs `{requirement}`: its metadata is asked for and missing"),
            rank,
        )]
    }

    /// pytest before the major version that is installed, and before that.
    fn older_pytest(&self, what: &str) -> Vec<Candidate> {
        let installed = self
            .case
            .installed
            .distributions
            .iter()
            .find(|(name, _)| name == "pytest");
        let Some(major) =
            installed.and_then(|(_, version)| versions::release(version)?.first().copied())
        else {
            return Vec::new();
        };
        (major.saturating_sub(1)..=major)
            .rev()
            .zip(0_u32..)
            .map(|(major, step)| {
                install(
                    vec![format!("pytest<{major}")],
                    format!("installs `pytest<{major}`, which still knows {what}"),
                    rank::OLDER_VERSION + step,
                )
            })
            .collect()
    }

    /// `PytestRemovedIn9Warning` says itself which version still has it.
    fn pytest_before_removal(&self) -> Vec<Candidate> {
        let digits: String = self
            .failure
            .exception_name()
            .and_then(|name| name.strip_prefix("PytestRemovedIn"))
            .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect())
            .unwrap_or_default();
        digits.parse::<u64>().ok().map_or_else(Vec::new, |major| {
            vec![install(
                vec![format!("pytest<{}", major.saturating_sub(1))],
                format!(
                    "installs `pytest<{}`, which does not warn of it yet",
                    major.saturating_sub(1)
                ),
                rank::OLDER_VERSION,
            )]
        })
    }

    /// Wordings of the runner that name a mark or an option of the configuration file.
    fn told_by_the_runner(&self) -> Vec<Candidate> {
        let text = format!("{}\n{}", self.failure.message, self.failure.text);
        let asked: Vec<Candidate> = asked_for(&self.failure.message)
            .filter(|name| self.is_vouched_for(name))
            .flat_map(|name| self.wanted(&self.stated(name), name, rank::KNOWN_DISTRIBUTION))
            .collect();
        if !asked.is_empty() {
            return asked;
        }
        if let Some((before, _)) = text.split_once("' not found in `markers` configuration option")
            && let Some(mark) = before.rsplit('\'').next()
        {
            return self.plugins(
                |plugin| plugin.marks.iter().any(|known| known == mark),
                &format!("mark `{mark}` is not known"),
            );
        }
        if let Some((_, rest)) = text.split_once("Unknown config option: ") {
            let option = rest.split_whitespace().next().unwrap_or_default();
            return self.plugins(
                |plugin| plugin.ini.iter().any(|known| known == option),
                &format!("option `{option}` is not known"),
            );
        }
        if text.contains("async def functions are not natively supported") {
            return self.asynchronous();
        }
        if matches!(
            self.failure.exception_name(),
            Some("TypeError" | "AttributeError" | "ImportError")
        ) {
            return self.inside_a_package();
        }
        Vec::new()
    }

    /// Whether the project, or a table of ours, knows a distribution: a message alone may name anything.
    fn is_vouched_for(&self, name: &str) -> bool {
        let known = |requirement: &String| normalised(requirement) == normalised(name);
        self.declared.of(name).is_some()
            || rules::distributions()
                .iter()
                .any(|entry| entry.install.iter().any(known))
    }

    /// The plugin whose mark the file of an asynchronous test carries.
    fn asynchronous(&self) -> Vec<Candidate> {
        let path = self
            .failure
            .test
            .as_deref()
            .and_then(|id| id.split("::").next());
        let text = path
            .and_then(|path| self.case.tree.read(path))
            .unwrap_or_default();
        let marked = ["asyncio", "anyio", "trio", "gen_test"]
            .into_iter()
            .find(|mark| text.contains(&format!("mark.{mark}")));
        let mut found = self.plugins(
            |plugin| marked.is_some_and(|mark| plugin.marks.iter().any(|known| known == mark)),
            "asynchronous tests need a plugin",
        );
        if marked.is_none() {
            found.extend(self.taken_without_marks());
        }
        found
    }

    /// Tests that carry no mark are pytest-asyncio's in its mode `auto` alone, which was the only one before the others came
    /// (<https://pytest-asyncio.readthedocs.io/en/stable/concepts.html#test-discovery-modes>).
    fn taken_without_marks(&self) -> Option<Candidate> {
        let brings = |name: &str| matches!(name, "pytest-asyncio" | "pytest-aiohttp");
        let mut needed = Vec::new();
        let installed = &self.case.installed.distributions;
        if !installed.iter().any(|(name, _)| brings(name)) {
            needed = self.declared_plugins();
            needed.retain(|requirement| brings(&distribution(requirement)));
            if needed.is_empty() {
                return None;
            }
        }
        let options = match self.case.installed.variables.get("PYTEST_ADDOPTS") {
            Some(options) => format!("{options} --asyncio-mode=auto"),
            None => "--asyncio-mode=auto".to_owned(),
        };
        let mut candidate = install(
            needed,
            "runs pytest-asyncio in its mode `auto`: the asynchronous tests carry no mark"
                .to_owned(),
            rank::KNOWN_DISTRIBUTION + 1,
        );
        candidate
            .runtime
            .variables
            .insert("PYTEST_ADDOPTS".to_owned(), options);
        Some(candidate)
    }

    /// Whether a file of the project imports a module: what nobody imports, nobody vouches for.
    fn is_imported(&self, top: &str) -> bool {
        own_python(self.case)
            .filter_map(|path| self.case.tree.read(path))
            .filter(|text| text.contains(top))
            .filter_map(Source::parse)
            .any(|source| {
                source
                    .imports()
                    .iter()
                    .any(|import| import.module().split('.').next() == Some(top))
            })
    }
}

/// A candidate that installs these requirements.
fn install(requirements: Vec<String>, description: String, rank: u32) -> Candidate {
    Candidate {
        strategy: Strategy::DependencyFix,
        description,
        edits: Vec::new(),
        runtime: RuntimeChanges {
            install: requirements,
            ..RuntimeChanges::default()
        },
        rank,
    }
}

/// A module that a rule knows under another name is not looked for in the index: what lies there under the old name is
/// somebody else's.
fn renamed_by_a_rule(module: &str) -> bool {
    rules::api().iter().any(|rule| match &rule.change {
        Change::Module(renamed) => renamed.from == module,
        Change::Moved(moved) => moved.gone && moved.from == module,
        Change::Rewrite(rewrite) => rewrite.gone && rewrite.call.starts_with(&format!("{module}.")),
        _ => false,
    })
}

#[cfg(test)]
mod tests;
