//! The WIT, and its lowering to core signatures and C layouts.
//!
//! The lowering is ours (the table at the head of `isolate.wit`), not the component model's. A type that the table
//! does not name has no lowering, and using one in the WIT fails the tests.

use wit_parser::{Function, Resolve, Type, TypeDefKind};

use super::{Core, Functions, Signature};

/// What a core parameter of an import is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A number from the guest's table.
    Handle,
    /// A point in time.
    Instant,
    /// Any other number, a bool or the case of an enum.
    Number,
    /// Any other number of 64 bits.
    Wide,
    /// Where something lies that the host reads.
    Reads,
    /// Where the host puts something.
    Fills,
    /// How much lies there, or has room.
    Count,
}

impl Role {
    /// As a core value.
    fn core(self) -> Core {
        match self {
            Role::Instant | Role::Wide => Core::I64,
            Role::Handle | Role::Number | Role::Reads | Role::Fills | Role::Count => Core::I32,
        }
    }
}

/// The WIT package, parsed.
pub(crate) struct Contract {
    resolve: Resolve,
}

/// A record's C layout: its size, and where each field begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) size: usize,
    pub(super) fields: Vec<(String, usize)>,
}

/// How many bytes a value takes in a C layout, and to what it is aligned.
#[derive(Clone, Copy)]
struct Room {
    size: usize,
    align: usize,
}

impl Contract {
    /// Parses the text.
    ///
    /// # Panics
    /// When it is not WIT, with the place.
    pub(crate) fn parse(text: &str) -> Contract {
        let mut resolve = Resolve::default();
        if let Err(error) = resolve.push_str("isolate.wit", text) {
            panic!("{}", resolve.render_error(&error));
        }
        Contract { resolve }
    }

    /// The package's name and version.
    pub(super) fn package(&self) -> String {
        let (_, package) = self.resolve.packages.iter().next().expect("isolate.wit declares one package");
        package.name.to_string()
    }

    /// The interfaces with their functions, in the order of the text.
    pub(crate) fn interfaces(&self) -> Vec<(String, Vec<String>)> {
        let interfaces = self.resolve.interfaces.iter();
        interfaces
            .map(|(_, interface)| {
                let name = interface.name.clone().expect("every interface of the package has a name");
                (name, interface.functions.keys().cloned().collect())
            })
            .collect()
    }

    /// Every function as a core import.
    pub(super) fn functions(&self) -> Functions {
        let mut functions = Functions::new();
        for (id, interface) in self.resolve.interfaces.iter() {
            let module = self.resolve.id_of(id).expect("every interface of the package has a name");
            for (field, function) in &interface.functions {
                functions.insert((module.clone(), field.clone()), self.lower(function));
            }
        }
        functions
    }

    /// What the parameters of every function are for, by module and field, in the order of the text.
    pub(crate) fn roles(&self) -> Vec<(String, String, Vec<Role>)> {
        let interfaces = self.resolve.interfaces.iter();
        let named = interfaces.filter_map(|(id, interface)| Some((self.resolve.id_of(id)?, interface)));
        let functions = named.flat_map(|(module, interface)| {
            let functions = interface.functions.iter();
            functions.map(move |(field, function)| (module.clone(), field.clone(), self.params(function)))
        });
        functions.collect()
    }

    /// The names of an enum's cases, in order.
    pub(super) fn cases(&self, name: &str) -> Vec<String> {
        match &self.definition(name) {
            TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| case.name.clone()).collect(),
            other => panic!("{name} is a {}, not an enum", other.as_str()),
        }
    }

    /// A record's C layout, with field names as Rust writes them.
    pub(super) fn layout(&self, name: &str) -> Layout {
        let TypeDefKind::Record(record) = self.definition(name) else { panic!("{name} is not a record") };
        let mut room = Room { size: 0, align: 1 };
        let mut fields = Vec::new();
        for field in &record.fields {
            fields.push((field.name.replace('-', "_"), self.append(&mut room, &field.ty)));
        }
        Layout { size: room.size.next_multiple_of(room.align), fields }
    }

    /// The names of all types of one sort.
    pub(super) fn names(&self, sort: fn(&TypeDefKind) -> bool) -> Vec<String> {
        let types = self.resolve.types.iter().filter(|(_, definition)| sort(&definition.kind));
        types.filter_map(|(_, definition)| definition.name.clone()).collect()
    }

    /// What the type of this name is.
    fn definition(&self, name: &str) -> &TypeDefKind {
        let mut types = self.resolve.types.iter().map(|(_, definition)| definition);
        let found = types.find(|definition| definition.name.as_deref() == Some(name));
        &found.unwrap_or_else(|| panic!("the WIT has no type {name}")).kind
    }

    /// The core signature of a function.
    fn lower(&self, function: &Function) -> Signature {
        let results = match function.result {
            None => Vec::new(),
            Some(result) => match self.kind(&result) {
                Some(TypeDefKind::Result(_)) => vec![Core::I32],
                _ => self.param(&result).into_iter().map(Role::core).collect(),
            },
        };
        assert!(results.len() <= 1, "{}: a result is one core value", function.name);
        Signature { params: self.params(function).into_iter().map(Role::core).collect(), results }
    }

    /// The core parameters of a function; the last is for the value of a `result`, if it has one.
    fn params(&self, function: &Function) -> Vec<Role> {
        let mut params: Vec<Role> = function.params.iter().flat_map(|param| self.param(&param.ty)).collect();
        if let Some(TypeDefKind::Result(result)) = function.result.as_ref().and_then(|result| self.kind(result)) {
            params.extend(result.ok.map(|_| Role::Fills));
        }
        params
    }

    /// What a parameter of this type is as core values.
    fn param(&self, ty: &Type) -> Vec<Role> {
        let list = vec![Role::Reads, Role::Count];
        match ty {
            Type::Bool | Type::U8 | Type::U16 | Type::U32 => vec![Role::Number],
            Type::U64 => vec![Role::Wide],
            Type::String => list,
            Type::Id(id) => {
                let definition = &self.resolve.types[*id];
                match (definition.name.as_deref(), &definition.kind) {
                    (Some("handle"), _) => vec![Role::Handle],
                    (Some("instant"), _) => vec![Role::Instant],
                    (Some("buffer" | "handle-buffer"), _) => vec![Role::Fills, Role::Count],
                    (_, TypeDefKind::Type(aliased)) => self.param(aliased),
                    (_, TypeDefKind::Enum(_)) => vec![Role::Number],
                    (_, TypeDefKind::Record(_)) => vec![Role::Reads],
                    (_, TypeDefKind::List(_)) => list,
                    (_, other) => panic!("no lowering for {:?}, a {}", definition.name, other.as_str()),
                }
            }
            other => panic!("no lowering for {other:?}"),
        }
    }

    /// Puts a value behind what is there and returns where it begins.
    fn append(&self, room: &mut Room, ty: &Type) -> usize {
        let value = self.room(ty);
        let at = room.size.next_multiple_of(value.align);
        *room = Room { size: at + value.size, align: room.align.max(value.align) };
        at
    }

    /// The room that a value takes in a C layout.
    fn room(&self, ty: &Type) -> Room {
        const WORD: Room = Room { size: 4, align: 4 };
        const LIST: Room = Room { size: 8, align: 4 };
        match ty {
            Type::Bool | Type::U8 | Type::U16 | Type::U32 => WORD,
            Type::U64 => Room { size: 8, align: 8 },
            Type::String => LIST,
            _ => match self.kind(ty) {
                Some(TypeDefKind::Type(aliased)) => self.room(aliased),
                Some(TypeDefKind::Enum(_)) => WORD,
                Some(TypeDefKind::List(_)) => LIST,
                Some(TypeDefKind::Record(record)) => {
                    let mut room = Room { size: 0, align: 1 };
                    for field in &record.fields {
                        self.append(&mut room, &field.ty);
                    }
                    Room { size: room.size.next_multiple_of(room.align), ..room }
                }
                other => panic!("no layout for {ty:?}, a {:?}", other.map(TypeDefKind::as_str)),
            },
        }
    }

    /// The definition behind a type that is not a plain one.
    fn kind(&self, ty: &Type) -> Option<&TypeDefKind> {
        match ty {
            Type::Id(id) => Some(&self.resolve.types[*id].kind),
            _ => None,
        }
    }
}
