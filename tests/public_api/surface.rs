//! What an embedder can see of insula: every type, function and method that its root exports, with all that their
//! signatures name.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Attribute, Generics, ImplItem, Item, ItemImpl, Signature, TraitItem, Type, Visibility};

use super::crates::{Crates, Named, is_for_tests};

/// A function or method that an embedder may call.
#[derive(Debug)]
pub(super) struct Callable {
    /// `SendPort::send`, or `recv_any`.
    pub(super) name: String,
    /// Its documentation, as one line.
    pub(super) docs: String,
    /// Whether it gives a future.
    pub(super) is_async: bool,
    /// Whether it is given a time.
    pub(super) is_timed: bool,
}

/// A public enum.
#[derive(Debug)]
pub(super) struct Enum {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) is_non_exhaustive: bool,
}

/// All of it.
#[derive(Default)]
pub(super) struct Surface {
    pub(super) callables: Vec<Callable>,
    pub(super) enums: Vec<Enum>,
    /// Traits of the language's and of others that public types have: `(Messages, Iterator)`.
    pub(super) traits: Vec<(String, String)>,
    /// What signatures name of other crates, and of nobody: `(where, what)`.
    pub(super) foreign: BTreeSet<(String, Named)>,
}

impl Surface {
    /// Of what this crate exports.
    pub(super) fn of(crates: &Crates, root: &str) -> Surface {
        let mut walk =
            Walk { crates, impls: impls(crates), surface: Surface::default(), next: vec![], seen: BTreeSet::new() };
        for (name, named) in crates.exports(root) {
            walk.meet(&name, named);
        }
        while let Some(path) = walk.next.pop() {
            walk.definition(&path);
        }
        walk.surface
    }
}

struct Walk<'a> {
    crates: &'a Crates,
    /// By the definition that they are of.
    impls: BTreeMap<String, Vec<(&'a str, &'a ItemImpl)>>,
    surface: Surface,
    next: Vec<String>,
    seen: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn meet(&mut self, at: &str, named: Named) {
        match named {
            Named::Ours(path) => {
                if self.seen.insert(path.clone()) {
                    self.next.push(path);
                }
            }
            Named::Language => {}
            named => drop(self.surface.foreign.insert((at.to_owned(), named))),
        }
    }

    fn definition(&mut self, path: &str) {
        let (module, items) = self.crates.definition(path);
        let name = path.rsplit("::").next().unwrap_or(path);
        for item in items {
            self.item(module, name, item);
        }
        for (module, of) in self.impls.get(path).cloned().unwrap_or_default() {
            self.implementation(module, name, of);
        }
    }

    fn item(&mut self, module: &str, name: &str, item: &Item) {
        let file = self.crates.modules[module].file.clone();
        match item {
            Item::Struct(item) => {
                let public = item.fields.iter().filter(|field| is_public(&field.vis) || is_converted(&field.attrs));
                public.for_each(|field| self.names(module, name, &item.generics, |paths| paths.visit_type(&field.ty)));
                self.names(module, name, &item.generics, |_| {});
            }
            Item::Enum(item) => {
                let is_non_exhaustive = item.attrs.iter().any(|attribute| attribute.path().is_ident("non_exhaustive"));
                self.surface.enums.push(Enum { name: name.to_owned(), file, is_non_exhaustive });
                self.names(module, name, &item.generics, |paths| {
                    item.variants.iter().for_each(|variant| paths.visit_fields(&variant.fields));
                });
            }
            Item::Fn(item) if is_public(&item.vis) => {
                self.callable(module, None, &item.attrs, &item.sig, &Generics::default())
            }
            Item::Trait(item) => {
                self.names(module, name, &item.generics, |paths| {
                    item.supertraits.iter().for_each(|bound| paths.visit_type_param_bound(bound));
                });
                for inner in &item.items {
                    match inner {
                        TraitItem::Fn(inner) => {
                            self.callable(module, Some(name), &inner.attrs, &inner.sig, &item.generics)
                        }
                        inner => self.names(module, name, &item.generics, |paths| paths.visit_trait_item(inner)),
                    }
                }
            }
            Item::Type(item) => self.names(module, name, &item.generics, |paths| paths.visit_type(&item.ty)),
            Item::Const(item) => self.names(module, name, &item.generics, |paths| paths.visit_type(&item.ty)),
            Item::Static(item) => self.names(module, name, &Generics::default(), |paths| paths.visit_type(&item.ty)),
            Item::Macro(item) => {
                let is_non_exhaustive = item.mac.tokens.to_string().replace(' ', "").contains("#[non_exhaustive]");
                self.surface.enums.push(Enum { name: name.to_owned(), file, is_non_exhaustive });
            }
            _ => {}
        }
    }

    fn implementation(&mut self, module: &'a str, name: &str, of: &'a ItemImpl) {
        let Some((_, of_trait, _)) = &of.trait_ else {
            for item in &of.items {
                match item {
                    ImplItem::Fn(item) if is_public(&item.vis) => {
                        self.callable(module, Some(name), &item.attrs, &item.sig, &of.generics);
                    }
                    ImplItem::Const(item) if is_public(&item.vis) => {
                        self.names(module, name, &of.generics, |paths| paths.visit_type(&item.ty));
                    }
                    _ => {}
                }
            }
            self.names(module, name, &of.generics, |_| {});
            return;
        };
        let segments: Vec<String> = of_trait.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let meant = self.crates.resolve(module, &segments);
        if let Named::Ours(private) = &meant
            && !self.seen.contains(private)
        {
            return; // nobody outside can name it
        }
        let last = segments.last().cloned().unwrap_or_default();
        self.surface.traits.push((name.to_owned(), last.clone()));
        let at = format!("{last} for {name}");
        self.names(module, &at, &of.generics, |paths| {
            paths.visit_path(of_trait);
            paths.visit_type(&of.self_ty);
            for item in &of.items {
                if let ImplItem::Type(item) = item {
                    paths.visit_type(&item.ty);
                }
            }
        });
    }

    fn callable(&mut self, module: &str, of: Option<&str>, attrs: &[Attribute], sig: &Signature, around: &Generics) {
        let name = of.map_or_else(|| sig.ident.to_string(), |of| format!("{of}::{}", sig.ident));
        let mut paths = Paths::new([around, &sig.generics]);
        sig.inputs.iter().for_each(|input| paths.visit_fn_arg(input));
        let names = |what: &str| paths.found.iter().any(|path| path.last().is_some_and(|last| last == what));
        self.surface.callables.push(Callable {
            docs: docs(attrs),
            is_async: sig.asyncness.is_some() || returns_future(sig),
            is_timed: names("Duration"),
            name: name.clone(),
        });
        self.names(module, &name, around, |paths| {
            paths.generics(&sig.generics);
            paths.visit_signature(sig);
        });
    }

    /// Notes every path that `visit` comes to, and those of the generics.
    fn names(&mut self, module: &str, at: &str, generics: &Generics, visit: impl FnOnce(&mut Paths)) {
        let mut paths = Paths::new([generics]);
        paths.visit_generics(generics);
        visit(&mut paths);
        for path in std::mem::take(&mut paths.found) {
            if path[0] != "Self" && !paths.parameters.contains(&path[0]) {
                let named = self.crates.resolve(module, &path);
                self.meet(at, named);
            }
        }
    }
}

/// The paths in a piece of a signature.
struct Paths {
    parameters: BTreeSet<String>,
    found: Vec<Vec<String>>,
}

impl Paths {
    fn new<const N: usize>(generics: [&Generics; N]) -> Paths {
        let mut paths = Paths { parameters: BTreeSet::new(), found: Vec::new() };
        generics.into_iter().for_each(|generics| paths.generics(generics));
        paths
    }

    fn generics(&mut self, generics: &Generics) {
        self.parameters.extend(generics.type_params().map(|parameter| parameter.ident.to_string()));
        self.parameters.extend(generics.const_params().map(|parameter| parameter.ident.to_string()));
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.found.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    // A length of an array, a pattern, an attribute: no type is shown by them.
    fn visit_expr(&mut self, _: &'ast syn::Expr) {}

    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

/// All of them, by whose they are.
fn impls(crates: &Crates) -> BTreeMap<String, Vec<(&str, &ItemImpl)>> {
    let mut impls: BTreeMap<String, Vec<(&str, &ItemImpl)>> = BTreeMap::new();
    for (path, module) in &crates.modules {
        for item in &module.items {
            let Item::Impl(item) = item else { continue };
            if is_for_tests(&item.attrs) {
                continue;
            }
            for ty in std::iter::once(&*item.self_ty).chain(arguments(item)) {
                let Some(segments) = segments(ty) else { continue };
                if let Named::Ours(of) = crates.resolve(path, &segments) {
                    impls.entry(of).or_default().push((path, item));
                }
            }
        }
    }
    impls
}

/// The types that a trait is implemented with: `impl From<Ours> for Theirs` is seen by whoever has ours.
fn arguments(item: &ItemImpl) -> impl Iterator<Item = &Type> {
    let is_ours = matches!(&*item.self_ty, Type::Path(_));
    let segment = item.trait_.as_ref().filter(|_| is_ours).and_then(|(_, path, _)| path.segments.last());
    let arguments = segment.and_then(|segment| match &segment.arguments {
        syn::PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter()),
        _ => None,
    });
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The path of a type, also of a reference to it.
fn segments(ty: &Type) -> Option<Vec<String>> {
    match ty {
        Type::Path(path) => Some(path.path.segments.iter().map(|segment| segment.ident.to_string()).collect()),
        Type::Reference(reference) => segments(&reference.elem),
        _ => None,
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// `thiserror` makes a `From` of it.
fn is_converted(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("from"))
}

fn returns_future(sig: &Signature) -> bool {
    let syn::ReturnType::Type(_, ty) = &sig.output else { return false };
    let mut paths = Paths::new([]);
    paths.visit_type(ty);
    paths.found.iter().any(|path| path.last().is_some_and(|last| last == "Future"))
}

fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        pair.path.is_ident("doc").then(|| text.value())
    });
    lines.collect::<Vec<_>>().join(" ")
}
