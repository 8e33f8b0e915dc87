//! Reads the crate's sources: its tree of modules, and every path they name, resolved through `use` declarations and
//! re-exports to the file that defines what is named.
//!
//! Only names are resolved. Code that a macro generates, methods called on values, and paths that begin with a name
//! imported inside a function are not seen beyond that import.

use std::collections::{HashMap, HashSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, UseTree};

/// How far a chain of re-exports is followed. Only a chain that leads back to itself is longer.
const LONGEST_CHAIN: usize = 32;

/// All modules of a crate and what their sources name.
pub(super) struct Crate {
    modules: Vec<Module>,
    pub(super) mentions: Vec<Mention>,
}

/// A path that a source file names, in a `use` or in the middle of the code.
#[derive(Debug)]
pub(super) struct Mention {
    /// The file it stands in, relative to `src`.
    pub(super) file: String,
    pub(super) line: usize,
    /// The whole path. One of this crate is absolute, without `crate`.
    pub(super) path: Vec<String>,
    /// The file that defines what is named, relative to `src`; `None` for a path of another crate.
    pub(super) defined_in: Option<String>,
    /// It stands in code that is compiled for tests alone.
    pub(super) in_tests: bool,
}

impl Mention {
    /// Whether it leads to a room of this crate, or to what is in it.
    pub(super) fn leads_to(&self, room: &str) -> bool {
        self.defined_in.is_some() && self.path.first().is_some_and(|first| first == room)
    }
}

#[derive(Default)]
struct Module {
    /// From the root of the crate, which has none.
    path: Vec<String>,
    file: String,
    children: HashMap<String, usize>,
    items: HashSet<String>,
    /// The names that `use` brings in, with their paths as written.
    imports: HashMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
}

/// A path as a source has it.
struct Written {
    line: usize,
    segments: Vec<String>,
    starts_outside: bool,
    in_tests: bool,
}

enum Resolved {
    Own(Vec<String>),
    Outside(Vec<String>),
}

impl Crate {
    /// Read a crate from `lib.rs` on; `read` gives the text of a file by its path relative to `src`.
    pub(super) fn read(read: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut reader = Reader { read, modules: Vec::new(), written: Vec::new() };
        reader.file(Vec::new(), "lib.rs", false);
        let Reader { modules, written, .. } = reader;
        let mut found = Self { modules, mentions: Vec::new() };
        found.mentions = written.into_iter().map(|(module, written)| found.mention(module, written)).collect();
        found
    }

    /// The files of the crate, relative to `src`.
    pub(super) fn files(&self) -> HashSet<&str> {
        self.modules.iter().map(|module| module.file.as_str()).collect()
    }

    fn mention(&self, module: usize, written: Written) -> Mention {
        let Written { line, segments, starts_outside, in_tests } = written;
        let file = self.modules[module].file.clone();
        let resolved = if starts_outside { Resolved::Outside(segments) } else { self.resolve(module, &segments, 0) };
        let (path, defined_in) = match resolved {
            Resolved::Own(path) => {
                let definer = self.definer(&path, 0).map(|module| self.modules[module].file.clone());
                (path, definer)
            }
            Resolved::Outside(path) => (path, None),
        };
        Mention { file, line, path, defined_in, in_tests }
    }

    /// A path as written in a module, from the root of the crate it is of.
    fn resolve(&self, at: usize, segments: &[String], depth: usize) -> Resolved {
        let module = &self.modules[at];
        let Some((first, rest)) = segments.split_first().filter(|_| depth < LONGEST_CHAIN) else {
            return Resolved::Own(module.path.clone());
        };
        let ups = segments.iter().take_while(|segment| *segment == "super").count();
        let kept = module.path.len().saturating_sub(ups);
        match first.as_str() {
            "crate" => Resolved::Own(rest.to_vec()),
            "super" => Resolved::Own([&module.path[..kept], &segments[ups..]].concat()),
            "self" if rest.first().is_some_and(|next| next == "super") => self.resolve(at, rest, depth + 1),
            "self" => Resolved::Own([&module.path, rest].concat()),
            name if module.defines(name) => Resolved::Own([&module.path, segments].concat()),
            name => match module.imports.get(name) {
                Some(import) => match self.resolve(at, import, depth + 1) {
                    Resolved::Own(path) => Resolved::Own([&path, rest].concat()),
                    Resolved::Outside(path) => Resolved::Outside([&path, rest].concat()),
                },
                None => match self.through_globs(at, name, depth) {
                    Some(path) => Resolved::Own([&path, segments].concat()),
                    None => Resolved::Outside(segments.to_vec()),
                },
            },
        }
    }

    /// The module whose file defines what an absolute path names. A name it does not know is taken for one of the last
    /// module's own: a variant of an enum, an associated function.
    fn definer(&self, path: &[String], depth: usize) -> Option<usize> {
        let mut at = 0;
        for (index, name) in path.iter().enumerate() {
            let module = &self.modules[at];
            if let Some(child) = module.children.get(name) {
                at = *child;
                continue;
            }
            if module.items.contains(name) || depth >= LONGEST_CHAIN {
                break;
            }
            let import = module.imports.get(name).map(|import| self.resolve(at, import, 0));
            let passed_on = match import {
                Some(Resolved::Outside(_)) => return None,
                Some(Resolved::Own(path)) => Some(path),
                None => self.through_globs(at, name, depth).map(|path| [path, vec![name.clone()]].concat()),
            };
            let Some(passed_on) = passed_on else { break };
            return self.definer(&[&passed_on, &path[index + 1..]].concat(), depth + 1);
        }
        Some(at)
    }

    /// The module, by its path, from which a `use …::*` brings in a name.
    fn through_globs(&self, at: usize, name: &str, depth: usize) -> Option<Vec<String>> {
        self.modules[at].globs.iter().find_map(|glob| {
            let Resolved::Own(path) = self.resolve(at, glob, depth + 1) else { return None };
            let module = &self.modules[self.definer(&path, depth + 1)?];
            (module.path == path && (module.defines(name) || module.imports.contains_key(name))).then_some(path)
        })
    }
}

impl Module {
    fn defines(&self, name: &str) -> bool {
        self.children.contains_key(name) || self.items.contains(name)
    }
}

struct Reader<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
    modules: Vec<Module>,
    written: Vec<(usize, Written)>,
}

impl Reader<'_> {
    fn file(&mut self, path: Vec<String>, file: &str, in_tests: bool) -> usize {
        let source = (self.read)(file).unwrap_or_else(|| panic!("there is no {file}"));
        let source = syn::parse_file(&source).unwrap_or_else(|error| panic!("{file} cannot be parsed: {error}"));
        let folder = file.strip_suffix("mod.rs").map_or_else(|| file.replace(".rs", "/"), str::to_owned);
        let folder = if file == "lib.rs" { String::new() } else { folder };
        self.module(path, file, &folder, &source.items, in_tests)
    }

    /// `folder` is where the files of the module's children are, empty or with a slash at its end.
    fn module(&mut self, path: Vec<String>, file: &str, folder: &str, items: &[Item], in_tests: bool) -> usize {
        let at = self.modules.len();
        self.modules.push(Module { path, file: file.to_owned(), ..Module::default() });
        let mut collector = Collector { in_tests, written: Vec::new() };
        for item in items {
            match item {
                Item::Mod(item) => self.child(at, folder, item, in_tests),
                Item::Use(item) => self.imports(at, item),
                _ => self.modules[at].items.extend(name_of(item)),
            }
            collector.visit_item(item);
        }
        self.written.extend(collector.written.into_iter().map(|written| (at, written)));
        at
    }

    fn child(&mut self, parent: usize, folder: &str, item: &ItemMod, in_tests: bool) {
        let (name, in_tests) = (item.ident.to_string(), in_tests || is_for_tests(&item.attrs));
        let Module { path, file, .. } = &self.modules[parent];
        let (path, file) = ([path.as_slice(), std::slice::from_ref(&name)].concat(), file.clone());
        let child = match &item.content {
            Some((_, items)) => self.module(path, &file, &format!("{folder}{name}/"), items, in_tests),
            None => {
                let beside = file.rfind('/').map_or("", |slash| &file[..=slash]);
                let named = path_attribute(&item.attrs).map(|name| format!("{beside}{name}"));
                let candidates = [format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")];
                let file = named.or_else(|| candidates.iter().find(|file| (self.read)(file).is_some()).cloned());
                let file = file.unwrap_or_else(|| panic!("a module is declared and has no file: {}", path.join("::")));
                self.file(path, &file, in_tests)
            }
        };
        self.modules[parent].children.insert(name, child);
    }

    fn imports(&mut self, at: usize, item: &ItemUse) {
        for leaf in leaves(&item.tree) {
            if item.leading_colon.is_some() {
                continue;
            }
            match leaf.name {
                Some(name) => drop(self.modules[at].imports.insert(name, leaf.segments)),
                None if leaf.is_glob => self.modules[at].globs.push(leaf.segments),
                None => {}
            }
        }
    }
}

/// One name of a `use`, without its groups.
struct Leaf {
    line: usize,
    segments: Vec<String>,
    /// What it is called here: nothing for `*` and `as _`.
    name: Option<String>,
    is_glob: bool,
}

fn leaves(tree: &UseTree) -> Vec<Leaf> {
    fn walk(tree: &UseTree, before: &[String], leaves: &mut Vec<Leaf>) {
        let leaf = |ident: &syn::Ident, called: &syn::Ident| {
            let mut segments = before.to_vec();
            // In a group, `self` is the module the group is of.
            if ident != "self" || before.is_empty() {
                segments.push(ident.to_string());
            }
            let called = if called == "self" { segments.last().cloned() } else { Some(called.to_string()) };
            let name = called.filter(|name| name != "_");
            Leaf { line: ident.span().start().line, segments, name, is_glob: false }
        };
        match tree {
            UseTree::Path(path) => walk(&path.tree, &[before, &[path.ident.to_string()]].concat(), leaves),
            UseTree::Name(name) => leaves.push(leaf(&name.ident, &name.ident)),
            UseTree::Rename(name) => leaves.push(leaf(&name.ident, &name.rename)),
            UseTree::Glob(glob) => leaves.push(Leaf {
                line: glob.star_token.spans[0].start().line,
                segments: before.to_vec(),
                name: None,
                is_glob: true,
            }),
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, before, leaves)),
        }
    }
    let mut found = Vec::new();
    walk(tree, &[], &mut found);
    found
}

/// Collects every path of the items it visits. Modules inside them are read by themselves.
struct Collector {
    in_tests: bool,
    written: Vec<Written>,
}

impl Collector {
    fn path(&mut self, line: usize, segments: Vec<String>, starts_outside: bool) {
        if segments.len() > 1 && segments[0] != "Self" {
            let in_tests = self.in_tests;
            self.written.push(Written { line, segments, starts_outside, in_tests });
        }
    }

    /// The paths among the tokens of a macro's call or an attribute.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(colon)) if colon.as_char() == ':');
        let is_joint = |at: usize| is_colon(at) && is_colon(at + 1);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let starts_outside = at > 1 && is_joint(at - 2);
                    let mut segments = vec![first.to_string()];
                    while let Some(TokenTree::Ident(next)) = tokens.get(at + 3).filter(|_| is_joint(at + 1)) {
                        segments.push(next.to_string());
                        at += 3;
                    }
                    self.path(first.span().start().line, segments, starts_outside);
                }
                _ => {}
            }
            at += 1;
        }
    }
}

/// Visits what may be compiled for tests alone, and notes that it is.
macro_rules! note_tests {
    ($($visit:ident: $node:ty),* $(,)?) => {
        $(fn $visit(&mut self, node: &'ast $node) {
            let before = self.in_tests;
            self.in_tests |= is_for_tests(&node.attrs);
            visit::$visit(self, node);
            self.in_tests = before;
        })*
    };
}

impl<'ast> Visit<'ast> for Collector {
    note_tests! {
        visit_arm: syn::Arm,
        visit_expr_block: syn::ExprBlock,
        visit_expr_call: syn::ExprCall,
        visit_expr_if: syn::ExprIf,
        visit_expr_method_call: syn::ExprMethodCall,
        visit_field: syn::Field,
        visit_field_value: syn::FieldValue,
        visit_impl_item_const: syn::ImplItemConst,
        visit_impl_item_fn: syn::ImplItemFn,
        visit_item_const: syn::ItemConst,
        visit_item_enum: syn::ItemEnum,
        visit_item_fn: syn::ItemFn,
        visit_item_impl: syn::ItemImpl,
        visit_item_static: syn::ItemStatic,
        visit_item_struct: syn::ItemStruct,
        visit_item_trait: syn::ItemTrait,
        visit_item_type: syn::ItemType,
        visit_local: syn::Local,
        visit_stmt_macro: syn::StmtMacro,
        visit_variant: syn::Variant,
    }

    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    /// `pub(in path)` says who may see an item, not what the item needs.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let in_tests = self.in_tests || is_for_tests(&item.attrs);
        let starts_outside = item.leading_colon.is_some();
        self.written.extend(leaves(&item.tree).into_iter().map(|Leaf { line, segments, .. }| Written {
            line,
            segments,
            starts_outside,
            in_tests,
        }));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        self.path(line, segments, path.leading_colon.is_some());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// `#[cfg(test)]`, alone or together with other conditions.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    fn needs_test(tokens: TokenStream) -> bool {
        let mut is_negated = false;
        tokens.into_iter().any(|token| match token {
            TokenTree::Group(group) => !std::mem::take(&mut is_negated) && needs_test(group.stream()),
            TokenTree::Ident(name) => {
                is_negated = name == "not" || name == "any";
                name == "test"
            }
            _ => false,
        })
    }
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && needs_test(list.tokens.clone()),
        _ => false,
    })
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}
