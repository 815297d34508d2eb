"""SIGTERM while the command line is still being imported, which takes most of a second."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

STARTED = """
import importlib.abc, os, runpy, signal, sys
class Early(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Early())
sys.argv[1:] = sys.argv[1:]
runpy.run_module("catalog", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(("command", "code"), [("daemon", 0), ("runs", 143)])
@pytest.mark.parametrize("first", [False, True], ids=["", "as process 1"])
def test_sigterm_ends_a_command_that_has_hardly_begun(command: str, code: int, first: bool) -> None:
    """As process 1 too, which ignores what it has no handler for."""
    start = [sys.executable, "-c", STARTED, command]
    if first:
        start = ["unshare", "--pid", "--fork", "--kill-child", *start]
        if os.geteuid() or subprocess.run([*start[:4], "true"], capture_output=True, check=False).returncode:
            pytest.skip("a process namespace of our own is not allowed here")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(start, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
