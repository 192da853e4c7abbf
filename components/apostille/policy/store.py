"""The policy as a TOML file.

Knows how to open it; refuses to guess what an unreadable one may have meant: that stops the start.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from apostille.policy.documents import read_policy
from apostille.policy.rules import Policy
from apostille.vocabulary import Fault, Reason, Refusal


class PolicyFile:
    """The policy in a file that people edit while it is in force."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark = _mark(path)

    def load(self) -> Policy:
        """The policy as the file has it now; raises what `load_policy` raises."""
        self._mark = _mark(self._path)  # before reading: a change in between is seen the next time
        return load_policy(self._path)

    def changed(self) -> bool:
        """Whether the file is another than the one last loaded."""
        return _mark(self._path) != self._mark


def _mark(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def load_policy(path: Path) -> Policy:
    """The policy in the file at `path`.

    Raises:
        Fault: the file cannot be read.
        Refusal: it is no policy; the text names file, rule and key.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Fault(f"policy: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Refusal(Reason.MALFORMED, f"{path}: is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits, and lists in lists in lists
        raise Refusal(Reason.MALFORMED, f"{path}: not TOML: {error}") from None
    return read_policy(document, str(path))
