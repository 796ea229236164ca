"""The process that answers pixels and clicks: no Django, no database, no other room. `config/hot.py` starts it."""
