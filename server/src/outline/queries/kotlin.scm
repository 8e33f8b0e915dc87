(class_declaration name: (_) @name) @definition.class
(object_declaration name: (_) @name) @definition.class
(companion_object name: (_) @name) @definition.class
(function_declaration name: (_) @name) @definition.function
(type_alias type: (_) @name) @definition.type
(property_declaration (variable_declaration (identifier) @name)) @definition.constant
