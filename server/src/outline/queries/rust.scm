; What Rust calls an item, and the methods of traits and impls.
(struct_item name: (_) @name) @definition.struct
(union_item name: (_) @name) @definition.union
(enum_item name: (_) @name) @definition.enum
(type_item name: (_) @name) @definition.type
(trait_item name: (_) @name) @definition.trait
(impl_item trait: (_)? @trait type: (_) @name) @definition.impl
(function_item name: (_) @name) @definition.function
(function_signature_item name: (_) @name) @definition.function
(mod_item name: (_) @name body: (_)) @definition.module
(macro_definition name: (_) @name) @definition.macro
(const_item name: (_) @name) @definition.constant
(static_item name: (_) @name) @definition.constant
