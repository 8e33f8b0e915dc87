//! One definition in a text.

use std::ops::RangeInclusive;

/// Something that is defined in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name as the text has it; for an implementation of a trait `Trait for Type`. One line, bounded.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The lines it takes, from 1, both included. Comments before it do not count, decorators and attributes only where the
    /// grammar has them inside.
    pub lines: RangeInclusive<usize>,
    /// The line with its name.
    pub name_line: usize,
    /// How many definitions it lies in.
    pub depth: usize,
}

/// What a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the word of programming languages")]
#[repr(u8)]
pub enum Kind {
    Module,
    Class,
    Struct,
    Union,
    Enum,
    Trait,
    Interface,
    Impl,
    Type,
    Function,
    Method,
    Constructor,
    Declaration,
    Macro,
    Constant,
    Variable,
    Property,
    Heading,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Module,
        Self::Class,
        Self::Struct,
        Self::Union,
        Self::Enum,
        Self::Trait,
        Self::Interface,
        Self::Impl,
        Self::Type,
        Self::Function,
        Self::Method,
        Self::Constructor,
        Self::Declaration,
        Self::Macro,
        Self::Constant,
        Self::Variable,
        Self::Property,
        Self::Heading,
    ];

    /// Its word, as the queries have it after `definition.`, and as it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Class => "class",
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Enum => "enum",
            Self::Trait => "trait",
            Self::Interface => "interface",
            Self::Impl => "impl",
            Self::Type => "type",
            Self::Function => "function",
            Self::Method => "method",
            Self::Constructor => "constructor",
            Self::Declaration => "declaration",
            Self::Macro => "macro",
            Self::Constant => "constant",
            Self::Variable => "variable",
            Self::Property => "property",
            Self::Heading => "heading",
        }
    }

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether statements are run in it: what is named inside is its own matter.
    pub fn is_code(self) -> bool {
        matches!(self, Self::Function | Self::Method | Self::Constructor)
    }

    /// What something of this kind is in a definition of the kind `outer`: a function may be a method there. `None` for
    /// constants, variables and declarations in code, which are its own matter.
    pub fn inside(self, outer: Option<Self>, in_code: bool) -> Option<Self> {
        match self {
            Self::Constant | Self::Variable | Self::Property | Self::Declaration if in_code => None,
            Self::Function if outer.is_some_and(Self::has_methods) => Some(Self::Method),
            kind => Some(kind),
        }
    }

    /// Whether a function in it is a method.
    pub fn has_methods(self) -> bool {
        matches!(
            self,
            Self::Class | Self::Struct | Self::Union | Self::Enum | Self::Trait | Self::Interface | Self::Impl
        )
    }
}
