"""Email and calendar into Salesforce."""
