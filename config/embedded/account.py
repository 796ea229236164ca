"""Which operating system user runs the servers: ourselves, or, when we are root, somebody with fewer rights.

PostgreSQL refuses to run as root. We create no user and open no folder of anyone: where a parent folder is closed
to the unprivileged user (a clone below root's home), the server keeps one capability that lets it pass."""

import ctypes
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from config.embedded import NotStartedError

CANDIDATES = ("postgres", "nobody", "daemon")
# Linux capabilities that let a process pass folders closed to it, the narrower one first. The wider is for containers,
# whose root has often lost the narrower, and for trees made under `umask 077`.
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
ATTEMPTS = (None, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE)

PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT = 1, 28, 47
PR_CAP_AMBIENT_RAISE = 2
# Without this bit access(2), which PostgreSQL asks about its own binary, ignores the capability.
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522

# Loaded before any fork: a child must not run the dynamic loader.
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int
    capability: int | None = None

    def enter(self) -> None:
        """Become this user. Only in a child, between fork and exec."""
        if self.capability is not None:
            _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)
        if self.capability is not None:
            _keep_only(self.capability)

    def owns(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)


def find(program: Path, directory: Path) -> Account | None:
    """Who can run `program` and pass to `directory`; None = we ourselves. Raises NotStartedError when nobody can."""
    if os.geteuid() != 0:
        return None
    for capability in ATTEMPTS if sys.platform == "linux" else (None,):
        for name in CANDIDATES:
            account = _named(name, capability)
            if account is not None and _can(account, program, directory):
                return account
    raise NotStartedError(
        "As root, no unprivileged user can run the embedded PostgreSQL here (closed parent folders and no capability "
        "to pass them). Run as a normal user, or set DATABASE_URL and REDIS_URL."
    )


def die_with_owner(signal_number: int, owner: int) -> None:
    """Ask the kernel for `signal_number` when the thread that forked us is gone, however it ended.

    A change of user clears this, so it comes last before exec."""
    if sys.platform != "linux":
        return  # guard.py alone does it there
    _prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != owner:  # gone before we could ask
        os._exit(0)


def _named(name: str, capability: int | None) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid, capability) if entry.pw_uid else None


def _can(account: Account, program: Path, directory: Path) -> bool:
    def enter() -> None:
        account.enter()
        os.chdir(directory)

    try:
        done = subprocess.run(
            [program, "--version"],
            preexec_fn=enter,  # only system calls, and no second thread
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _prctl(option: int, *values: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if _libc.prctl(ctypes.c_int(option), *padded) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _keep_only(capability: int) -> None:
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Two halves of (effective, permitted, inheritable).
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if _libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
