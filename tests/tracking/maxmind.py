"""Writes small files in MaxMind's format (maxmind.github.io/MaxMind-DB), so that no third party's data is needed: a
tree of 24-bit records, maps, texts and numbers."""

import ipaddress
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_NOTHING = -1
_TEXT, _UINT16, _UINT32, _MAP, _UINT64, _LIST = 2, 5, 6, 7, 9, 11


def write(path: Path, networks: dict[str, dict[str, Any]], ip_version: int = 6) -> Path:
    """`networks`: none inside another. In a file for IPv6, IPv4 lies where readers look for it: under ::/96."""
    nodes: list[list[int]] = [[_NOTHING, _NOTHING]]
    data, places = b"", []
    for text, value in networks.items():
        places.append(len(data))
        data += _packed(value)
        _plant(nodes, _bits(ipaddress.ip_network(text), ip_version), -1 - len(places))
    facts = {
        "node_count": len(nodes), "record_size": (_UINT16, 24), "ip_version": (_UINT16, ip_version),
        "database_type": "Test", "description": {"en": "Test"}, "languages": ["en"],
        "binary_format_major_version": (_UINT16, 2), "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, 1),
    }  # fmt: skip
    tree = b"".join(_record(branch, len(nodes), places) for node in nodes for branch in node)
    path.write_bytes(tree + bytes(16) + data + _MARKER + _packed(facts))
    return path


def _bits(network: ipaddress.IPv4Network | ipaddress.IPv6Network, ip_version: int) -> list[int]:
    bits = [int(bit) for bit in f"{int(network.network_address):0{network.max_prefixlen}b}"][: network.prefixlen]
    return [0] * 96 + bits if ip_version == 6 and network.version == 4 else bits


def _plant(nodes: list[list[int]], bits: list[int], leaf: int) -> None:
    node = 0
    for bit in bits[:-1]:
        if nodes[node][bit] == _NOTHING:
            nodes.append([_NOTHING, _NOTHING])
            nodes[node][bit] = len(nodes) - 1
        node = nodes[node][bit]
    nodes[node][bits[-1]] = leaf


def _record(branch: int, node_count: int, places: list[int]) -> bytes:
    """A node's number; `node_count` for nothing; beyond it, past sixteen zeros, a place among the data."""
    if branch == _NOTHING:
        branch = node_count
    elif branch < 0:
        branch = node_count + 16 + places[-2 - branch]
    return branch.to_bytes(3, "big")


def _packed(value: Any) -> bytes:
    if isinstance(value, dict):
        return _control(_MAP, len(value)) + b"".join(_packed(key) + _packed(each) for key, each in value.items())
    if isinstance(value, list):
        return _control(_LIST, len(value)) + b"".join(map(_packed, value))
    if isinstance(value, int):
        value = (_UINT32, value)
    if isinstance(value, tuple):
        kind, number = value
        raw = int(number).to_bytes(8, "big").lstrip(b"\0")
        return _control(kind, len(raw)) + raw
    raw = str(value).encode()
    return _control(_TEXT, len(raw)) + raw


def _control(kind: int, size: int) -> bytes:
    """Kinds beyond seven have their number in the next byte, sizes beyond 28 theirs behind it."""
    first, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return bytes([kind << 5 | first]) + more if kind <= 7 else bytes([first, kind - 7]) + more
