; Decorators belong to what they decorate: of two ranges for one name the wider one counts.
(class_definition name: (_) @name) @definition.class
(decorated_definition definition: (class_definition name: (_) @name)) @definition.class
(function_definition name: (_) @name) @definition.function
(decorated_definition definition: (function_definition name: (_) @name)) @definition.function
(module (expression_statement (assignment left: (identifier) @name) @definition.constant))
(type_alias_statement left: (type (identifier) @name)) @definition.type
