//! Templates: manifests in YAML with expressions inside, built in and read from a directory.
//!
//! A template is parsed as YAML first; only then are the expressions inside its strings evaluated, each in its place.
//! What a message says can therefore be a value of a manifest and nothing else: it cannot end a string,
//! add a key or bring an expression of its own. `templates/README.md` says what an expression may name.

mod embedded;
mod expression;
mod fault;
mod render;
mod tree;
mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use minijinja::Environment;
use serde_json::Value;

pub use embedded::BUILT_IN;
pub(crate) use expression::Scope;
pub(crate) use fault::Misplaced;
pub use fault::{Place, TemplateFault, TemplateFaults};
use render::Renderer;
use tree::{Node, Reader, Repeats};

use crate::syntax::is_name;

/// The most bytes of a template.
const LARGEST: u64 = 1024 * 1024;

/// All templates by their names.
#[derive(Debug)]
pub struct Templates {
    engine: Environment<'static>,
    by_name: BTreeMap<String, Template>,
}

/// One template: the documents of one file.
#[derive(Debug)]
pub(crate) struct Template {
    /// The file, as sentences name it.
    file: String,
    documents: Vec<Node>,
}

/// A manifest, and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Rendered<'a> {
    template: &'a Template,
    document: &'a Node,
    /// The template's name.
    pub(crate) name: &'a str,
    /// What it became.
    pub(crate) manifest: Value,
}

impl Templates {
    /// Those that are built in.
    pub fn built_in() -> Result<Self, TemplateFault> {
        let mut templates = Self {
            engine: expression::engine(),
            by_name: BTreeMap::new(),
        };
        for (name, text) in embedded::FILES {
            templates.add(name, format!("built-in/{name}.yaml"), text)?;
        }
        Ok(templates)
    }

    /// Those that are built in, each replaced by the file `NAME.yaml` of the directory where there is one; further files
    /// are further templates. The errors are all that the files have.
    ///
    /// They are only read. [`load`](crate::plan::rehearsal::load) also tries them.
    pub fn read(directory: &Path) -> Result<Self, TemplateFaults> {
        let mut templates = Self::built_in()?;
        let unreadable = |path: &Path, problem: String| TemplateFault {
            file: path.display().to_string(),
            place: None,
            problem,
        };
        let listed = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = listed.map_err(|error| {
            unreadable(directory, format!("the directory cannot be read: {error}"))
        })?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut faults = Vec::new();
        for entry in entries {
            let path = entry.path();
            let file_name = entry.file_name().to_string_lossy().into_owned();
            // A volume of a ConfigMap keeps its versions in directories whose names begin with a dot.
            if file_name.starts_with('.') || path.is_dir() {
                continue;
            }
            let added = match file_name.rsplit_once('.') {
                Some((name, "yaml")) if is_name(name) => read(&path)
                    .map_err(|problem| unreadable(&path, problem))
                    .and_then(|text| templates.add(name, path.display().to_string(), &text)),
                Some((_, "yaml")) => Err(unreadable(
                    &path,
                    "a template is called by `a-z`, `0-9` and `-`, and has at most 63 of them"
                        .to_owned(),
                )),
                Some((_, "yml")) => Err(unreadable(
                    &path,
                    "a template's file ends in `.yaml`".to_owned(),
                )),
                _ => continue,
            };
            faults.extend(added.err());
        }
        if faults.is_empty() {
            Ok(templates)
        } else {
            Err(TemplateFaults(faults))
        }
    }

    /// Adds or replaces one.
    fn add(&mut self, name: &str, file: String, text: &str) -> Result<(), TemplateFault> {
        let reader = Reader {
            file: text,
            engine: &self.engine,
        };
        let documents = yaml::documents(text).and_then(|documents| {
            documents
                .iter()
                .map(|document| match document.value {
                    yaml::Yaml::Map(_) => reader.node(document, Repeats::Yes),
                    _ => Err(Misplaced::new(
                        document.defined.into(),
                        "a document is a manifest, which is a map",
                    )),
                })
                .collect::<Result<Vec<Node>, _>>()
        });
        let documents = documents.map_err(|misplaced| misplaced.in_file(&file))?;
        self.by_name
            .insert(name.to_owned(), Template { file, documents });
        Ok(())
    }

    /// The names of those that a request may add.
    pub fn further(&self) -> impl Iterator<Item = &str> {
        self.by_name
            .keys()
            .map(String::as_str)
            .filter(|name| !BUILT_IN.contains(name))
    }

    /// What is wrong with a template as a whole.
    pub(crate) fn fault(&self, name: &str, problem: impl Into<String>) -> TemplateFault {
        let file = self.by_name.get(name).map(|template| template.file.clone());
        TemplateFault {
            file: file.unwrap_or_else(|| format!("{name}.yaml")),
            place: None,
            problem: problem.into(),
        }
    }

    /// The manifests of one template. `None` where there is none of this name.
    pub(crate) fn render<'a>(
        &'a self,
        name: &str,
        scope: &Scope,
    ) -> Option<Result<Vec<Rendered<'a>>, TemplateFault>> {
        let (name, template) = self.by_name.get_key_value(name)?;
        let render = Renderer {
            engine: &self.engine,
        };
        let rendered = template
            .documents
            .iter()
            .map(|document| {
                let manifests = render.document(document, scope)?;
                Ok(manifests.into_iter().map(move |manifest| Rendered {
                    template,
                    document,
                    name,
                    manifest,
                }))
            })
            .collect::<Result<Vec<_>, Misplaced>>()
            .map_err(|misplaced| misplaced.in_file(&template.file));
        Some(rendered.map(|documents| documents.into_iter().flatten().collect()))
    }
}

impl Rendered<'_> {
    /// What is wrong with the value at a path of the manifest; the path is one key or index after the other.
    pub(crate) fn fault(&self, path: &[&str], problem: impl Into<String>) -> TemplateFault {
        TemplateFault {
            file: self.template.file.clone(),
            place: Some(self.document.place_of(path)),
            problem: problem.into(),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST {
        return Err(format!(
            "{size} bytes, but a template has at most {LARGEST}"
        ));
    }
    fs::read_to_string(path).map_err(|error| error.to_string())
}
