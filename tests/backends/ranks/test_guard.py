"""The program that watches the ranks of a machine."""

import os
import subprocess
import sys

from gpucnn.backends.ranks.guard import is_ending


def test_a_process_is_ending_once_it_was_killed() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not is_ending(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_ending(child.pid)  # nobody has asked yet how it ended
    child.communicate()
    assert is_ending(child.pid)
