"""The demonstration is the product's first word to a stranger; it has to be true."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from rig.installation import REPOSITORY

DEMO = REPOSITORY / "deploy" / "demo"


@pytest.mark.timeout(400)
def test_every_step_of_the_demonstration_is_as_expected(tmp_path: Path) -> None:
    report = tmp_path / "demo.json"
    done = subprocess.run(
        [DEMO, "--once", "--json", report], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    steps = json.loads(report.read_text(encoding="utf-8"))
    assert len(steps) >= 12
    assert all(step["ok"] is True and step["step"] and step["expected"] and step["seen"] for step in steps)
    state = next(line for line in done.stdout.splitlines() if "state in" in line).rpartition(" ")[2]
    assert not Path(state).exists()


@pytest.mark.timeout(400)
def test_without_once_it_keeps_running_and_ends_at_ctrl_c_with_everything(tmp_path: Path) -> None:
    demo = subprocess.Popen([DEMO], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, cwd=tmp_path)
    assert demo.stdout is not None
    said = ""
    for line in demo.stdout:
        said += line
        if "Ctrl-C ends it" in line:
            break
    assert "anna.petrova@gov.example" in said, said[-3000:]
    assert "/connect " in said
    os.killpg(demo.pid, signal.SIGINT)
    said += demo.stdout.read()
    assert demo.wait(30) == 0, said[-3000:]
    state = next(line for line in said.splitlines() if "state in" in line).rpartition(" ")[2]
    assert not Path(state).exists()
    assert not subprocess.run(["pgrep", "-f", state], capture_output=True, check=False).stdout
