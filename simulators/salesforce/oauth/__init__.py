"""Salesforce's OAuth: apps, grants, endpoints and the pages a person sees."""
