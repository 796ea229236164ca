"""SOQL: lexer, recursive-descent parser, compiler to closures over the store. Nothing here knows HTTP."""
