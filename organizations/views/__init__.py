"""Faces of the API in this room: parse, authorise, call one use case, answer."""
