//! The sources of insula as a syntax tree: which modules there are, what each defines, and what a name means in it.
//!
//! It resolves as the compiler would, as far as signatures need it: through `use` trees, `pub use`, `self`, `super` and
//! `crate`. A name that it cannot place is told, never passed over: so what it does not understand fails the test. It
//! looks into no macro; the two that declare public types are read by name.

use std::collections::BTreeMap;

use syn::{Attribute, Item, UseTree};

use crate::tidy::source::Source;

/// What every module has without a `use`.
const PRELUDE: [&str; 38] = [
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Copy",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Future",
    "Into",
    "IntoFuture",
    "IntoIterator",
    "Iterator",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Send",
    "Sized",
    "Some",
    "String",
    "Sync",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
];

/// The compiler's own types.
const PRIMITIVE: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16", "u32", "u64", "u128",
    "usize",
];

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    /// To a definition of one of these crates, by its path.
    Ours(String),
    /// To another crate.
    Theirs(String),
    /// To the language itself.
    Language,
    /// Nobody knows.
    Unknown(String),
}

/// A module's items, and what its `use`s bring into it.
pub(super) struct Module {
    /// The file that it is in.
    pub(super) file: String,
    pub(super) items: Vec<Item>,
    uses: BTreeMap<String, Vec<String>>,
}

/// All modules, by their paths: `insula::ports::send`.
pub(super) struct Crates {
    pub(super) modules: BTreeMap<String, Module>,
}

impl Crates {
    /// Reads every file below the folders, each the `src/` of the crate of that name. Tests are left out, and what belongs
    /// to the binary.
    pub(super) fn read(sources: &[Source], folders: &[(&str, &str)]) -> Crates {
        let mut crates = Crates { modules: BTreeMap::new() };
        for (name, folder) in folders {
            let of_library = |source: &&Source| {
                let path = source.path();
                source.is_in(folder)
                    && source.is_rust()
                    && !source.is_test()
                    && !path.ends_with("/main.rs")
                    && !path.contains("/cli/")
            };
            for source in sources.iter().filter(of_library) {
                let file = syn::parse_file(source.text()).unwrap_or_else(|error| panic!("{}: {error}", source.path()));
                let inside = source.path().trim_start_matches(folder).trim_end_matches(".rs");
                let segments = inside.split('/').filter(|segment| !matches!(*segment, "lib" | "mod"));
                let path = std::iter::once(*name).chain(segments).collect::<Vec<_>>().join("::");
                crates.add(path, source.path(), file.items);
            }
        }
        crates
    }

    fn add(&mut self, path: String, file: &str, items: Vec<Item>) {
        let mut module = Module { file: file.to_owned(), items: Vec::new(), uses: BTreeMap::new() };
        for item in items {
            match item {
                Item::Mod(inner) if is_for_tests(&inner.attrs) => {}
                Item::Mod(inner) => {
                    let Some((_, items)) = inner.content else { continue };
                    self.add(format!("{path}::{}", inner.ident), file, items);
                }
                Item::Use(of) if !is_for_tests(&of.attrs) => leaves(&of.tree, &[], &mut module.uses),
                item => module.items.push(item),
            }
        }
        self.modules.insert(path, module);
    }

    /// What a path means in a module.
    pub(super) fn resolve(&self, module: &str, segments: &[String]) -> Named {
        let (root, first) = (module.split("::").next().unwrap_or(module), segments[0].as_str());
        let rest = &segments[1..];
        match first {
            "crate" => self.follow(join(root, rest)),
            "self" => self.resolve_in(module, rest),
            "super" => self.resolve_in(module.rsplit_once("::").map_or(module, |(parent, _)| parent), rest),
            _ if self.is_known_in(module, first) => self.follow(join(module, segments)),
            "std" | "core" | "alloc" => Named::Language,
            _ if segments.len() == 1 && (PRELUDE.contains(&first) || PRIMITIVE.contains(&first)) => Named::Language,
            _ if PRELUDE.contains(&first) => Named::Language, // `Option::Some`, `Iterator::Item`
            _ if self.modules.contains_key(first) => self.follow(segments.join("::")),
            // Behind `use`, and in a path of several segments, this is a crate.
            _ if segments.len() > 1 && first.starts_with(char::is_lowercase) => Named::Theirs(segments.join("::")),
            _ => Named::Unknown(format!("{} in {module}", segments.join("::"))),
        }
    }

    fn resolve_in(&self, module: &str, rest: &[String]) -> Named {
        match rest.first().map(String::as_str) {
            Some("super") => self.resolve(module, rest),
            _ => self.follow(join(module, rest)),
        }
    }

    /// The definition that a full path leads to, through whatever hands it on.
    fn follow(&self, path: String) -> Named {
        let segments: Vec<&str> = path.split("::").collect();
        // The last segment is the definition's name: a module may have the same.
        let known = (1..segments.len().max(2)).rev().map(|count| (count, segments[..count].join("::")));
        let Some((count, module)) = known.into_iter().find(|(_, path)| self.modules.contains_key(path)) else {
            return Named::Theirs(path);
        };
        let Some(name) = segments.get(count) else { return Named::Unknown(format!("{path} is a module")) };
        if self.defines(&module, name) {
            return Named::Ours(format!("{module}::{name}"));
        }
        match self.modules[&module].uses.get(*name) {
            Some(used) => {
                let rest = segments[count + 1..].iter().map(|segment| (*segment).to_owned());
                let used: Vec<String> = used.iter().cloned().chain(rest).collect();
                // The name that a `use` brings in may be the crate's that it names: `use wat;`.
                if used.first().map(String::as_str) == Some(*name) && used.len() == segments.len() - count {
                    return Named::Theirs(used.join("::"));
                }
                self.resolve(&module, &used)
            }
            None => Named::Unknown(path),
        }
    }

    fn is_known_in(&self, module: &str, name: &str) -> bool {
        let at = &self.modules[module];
        at.uses.contains_key(name)
            || self.defines(module, name)
            || self.modules.contains_key(&format!("{module}::{name}"))
    }

    fn defines(&self, module: &str, name: &str) -> bool {
        self.modules[module].items.iter().any(|item| names(item).iter().any(|defined| defined == name))
    }

    /// The module and the items of a definition: a type and a function may share a name.
    pub(super) fn definition(&self, path: &str) -> (&str, Vec<&Item>) {
        let (module, name) = path.rsplit_once("::").expect("a definition is in a module");
        let (module, at) = self.modules.get_key_value(module).expect("it was found there");
        (module, at.items.iter().filter(|item| names(item).iter().any(|defined| defined == name)).collect())
    }

    /// What the root of a crate hands to everybody: name and definition.
    pub(super) fn exports(&self, root: &str) -> Vec<(String, Named)> {
        let mut exports = Vec::new();
        for (name, used) in &self.modules[root].uses {
            exports.push((name.clone(), self.resolve(root, used)));
        }
        exports
    }
}

/// The names that an item defines.
fn names(item: &Item) -> Vec<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => return declared(&item.mac),
        _ => return vec![],
    };
    vec![ident.to_string()]
}

/// The types that the macros of `insula_wire` declare.
fn declared(mac: &syn::Macro) -> Vec<String> {
    match mac.path.segments.last().map(|segment| segment.ident.to_string()).as_deref() {
        Some("value_type") => vec!["Value".to_owned()],
        Some("wire_enum") => {
            let tokens = mac.tokens.to_string();
            let head = tokens.split(" from ").next().unwrap_or_default();
            head.rsplit(|c: char| !c.is_alphanumeric())
                .find(|name| !name.is_empty())
                .map(str::to_owned)
                .into_iter()
                .collect()
        }
        _ => vec![],
    }
}

/// Whether an item is there in tests only.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && matches!(list.tokens.to_string().as_str(), "test" | "doctest" | "loom")
    })
}

fn join(module: &str, rest: &[String]) -> String {
    std::iter::once(module).chain(rest.iter().map(String::as_str)).collect::<Vec<_>>().join("::")
}

/// Reads a `use` tree into what it brings in.
fn leaves(tree: &UseTree, prefix: &[String], uses: &mut BTreeMap<String, Vec<String>>) {
    let with = |name: String| prefix.iter().cloned().chain([name]).collect::<Vec<_>>();
    match tree {
        UseTree::Path(path) => leaves(&path.tree, &with(path.ident.to_string()), uses),
        UseTree::Name(name) if name.ident == "self" => {
            uses.extend(prefix.last().map(|last| (last.clone(), prefix.to_vec())));
        }
        UseTree::Name(name) => drop(uses.insert(name.ident.to_string(), with(name.ident.to_string()))),
        UseTree::Rename(renamed) => drop(uses.insert(renamed.rename.to_string(), with(renamed.ident.to_string()))),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, prefix, uses)),
        // What comes through a star is not known by name: where a signature needs it, it is told as unknown.
        UseTree::Glob(_) => {}
    }
}
