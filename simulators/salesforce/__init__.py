"""A Salesforce that speaks the wire: OAuth, REST, SOQL, SOSL, Composite, profiles. See simulators/README.md."""
