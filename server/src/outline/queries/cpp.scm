; A template's parameters belong to what it is a template of: of two ranges for one name the wider one counts.
(function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name))) @definition.function
(template_declaration (function_definition declarator: (function_declarator declarator: (_) @name))) @definition.function
(template_declaration (function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name)))) @definition.function
(class_specifier name: (_) @name body: (_)) @definition.class
(template_declaration (class_specifier name: (_) @name body: (_))) @definition.class
(template_declaration (struct_specifier name: (_) @name body: (_))) @definition.struct
(field_declaration declarator: (function_declarator declarator: (_) @name)) @definition.declaration
(namespace_definition name: (_) @name) @definition.module
(alias_declaration name: (_) @name) @definition.type
(concept_definition name: (_) @name) @definition.type
