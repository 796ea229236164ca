"""The certificate authority of all simulators on a machine: one for each directory, made by whoever comes first.

For loopback names only; nobody but the tests and `make run` trusts it."""

import fcntl
import ssl
from pathlib import Path

import trustme

_NAMES = ("localhost", "127.0.0.1", "::1")


def certificate(directory: Path) -> Path:
    """Where the authority's own certificate is."""
    return directory / "ca.pem"


def server_context(directory: Path) -> ssl.SSLContext:
    """For servers on loopback, with a leaf of their own. Simulators that start at once agree on one authority."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "ca.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        authority = _kept(directory) or _made(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*_NAMES).configure_cert(context)
    return context


def _kept(directory: Path) -> trustme.CA | None:
    cert, key = certificate(directory), directory / "ca.key"
    if not (cert.exists() and key.exists()):
        return None
    return trustme.CA.from_pem(cert.read_bytes(), key.read_bytes())


def _made(directory: Path) -> trustme.CA:
    authority = trustme.CA(organization_name="Simulated providers", organization_unit_name="local tests")
    key = directory / "ca.key"
    key.touch(mode=0o600)
    key.write_bytes(authority.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(certificate(directory)))
    return authority
