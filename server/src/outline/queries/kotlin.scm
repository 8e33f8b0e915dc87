; The grammar has one node for class, interface and enum.
(class_declaration "interface" name: (_) @name) @definition.interface
(class_declaration name: (_) @name (enum_class_body)) @definition.enum
(class_declaration name: (_) @name) @definition.class
(object_declaration name: (_) @name) @definition.class
(companion_object name: (_) @name) @definition.class
(companion_object "companion" @name !name) @definition.class
(function_declaration name: (_) @name) @definition.function
(secondary_constructor "constructor" @name) @definition.constructor
(type_alias type: (_) @name) @definition.type
(source_file (property_declaration "val" (variable_declaration (identifier) @name)) @definition.constant)
(source_file (property_declaration "var" (variable_declaration (identifier) @name)) @definition.variable)
(class_body (property_declaration (variable_declaration (identifier) @name)) @definition.property)
(enum_class_body (property_declaration (variable_declaration (identifier) @name)) @definition.property)
