"""Policies to run commands on, and what a command answers with `--json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import Result

RULES = """
[[rule]]
name = "chiefs"
from = ["verified"]
to = ["room", "verified"]
kinds = ["groupchat"]
versions = ["2"]
extras = ["subject"]
stage = "warn"
outage = "hold"
hold_seconds = 20
[[rule]]
name = "all"
from = ["verified"]
to = ["verified"]
direction = ["local"]
hours = "08:00-18:00"
"""
OPEN = '[[rule]]\nname = "open"\nfrom = ["verified", "public"]\nto = ["verified"]\nrequire = "nothing"\n'


def told(result: Result, status: int = 0) -> Any:
    """The answer for software, of a command that ended so."""
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def write(path: Path, text: str) -> Path:
    """Write a file and name it."""
    path.write_text(text, encoding="utf-8")
    return path
