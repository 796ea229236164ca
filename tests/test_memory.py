"""A process that holds something for a moment is seen to: else a bound on memory proves nothing."""

import subprocess
import sys

from tests.memory import growth

MIB = 1024 * 1024
_HOLDS = "import time; input(); held = b'x' * {0}; print(len(held), flush=True); time.sleep(1); del held; input()"


def test_what_a_child_holds_for_a_moment_is_seen() -> None:
    command = [sys.executable, "-c", _HOLDS.format(40 * MIB)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        with growth(child.pid) as grown:
            child.stdin.write("\n")
            child.stdin.flush()
            child.stdout.readline()
            child.stdin.write("\n")
            child.stdin.close()
            child.wait(30)
    assert 38 * 1024 < grown.kibibytes < 60 * 1024
