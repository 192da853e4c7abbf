"""Catalogues of translations: gettext's own text form (.po), read as translators write it.

Knows the part of that form which a catalogue of sentences needs; refuses to know which sentences there are. A catalogue is trusted as
the code is, and one that cannot be read stops the start.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import NamedTuple

LANGUAGES = ("de", "fr", "hi", "mr", "ru")
_FIELDS = ("msgctxt", "msgid", "msgstr")
_STRING = re.compile(r'"(?:[^"\\]|\\["\\n])*"')
_ESCAPE = re.compile(r"\\(.)")


class Translation(NamedTuple):
    """One sentence: what it is a translation of, and the translation."""

    original: str
    text: str


def read_catalogue(text: str) -> dict[str, Translation]:
    """The translations in a .po file by their msgctxt; what is fuzzy or not yet translated is left out.

    Raises:
        ValueError: a line that is none of a catalogue of sentences, such as a plural form.
    """
    found: dict[str, Translation] = {}
    for entry in text.split("\n\n"):
        fields: dict[str, str] = {}
        field, fuzzy = "", False
        for line in entry.split("\n"):
            if not line or line.startswith("#"):
                fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
                continue
            word, _, rest = line.partition(" ")
            if word in _FIELDS and word not in fields:
                field, fields[word] = word, _string(rest)
            elif field:
                fields[field] += _string(line)
            else:
                raise ValueError(f"no line of a catalogue: {line!r}")
        if fields.get("msgctxt") and fields.get("msgstr") and not fuzzy:
            found[fields["msgctxt"]] = Translation(fields.get("msgid", ""), fields["msgstr"])
    return found


def _string(quoted: str) -> str:
    """A string as C has them, with the escapes that a sentence may need."""
    if not _STRING.fullmatch(quoted):
        raise ValueError(f"no string of a catalogue: {quoted!r}")
    return _ESCAPE.sub(lambda one: "\n" if one[1] == "n" else one[1], quoted[1:-1])


def load(language: str) -> dict[str, Translation]:
    """The catalogue of one of `LANGUAGES`, as it is installed."""
    return read_catalogue(files("apostille.policy").joinpath("locale", f"{language}.po").read_text(encoding="utf-8"))
