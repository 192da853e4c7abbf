"""The policy as a TOML file.

Knows how to open it; refuses to guess what an unreadable one may have meant: that stops the start.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from apostille.policy.rules import Policy, read_policy
from apostille.vocabulary import Fault, Reason, Refusal


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
    except tomllib.TOMLDecodeError as error:
        raise Refusal(Reason.MALFORMED, f"{path}: not TOML: {error}") from None
    return read_policy(document, str(path))
