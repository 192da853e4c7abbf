"""Fallback bodies of known clients, by SHA-256 of their exact UTF-8 text.

An OMEMO 0.3 client sends one beside `<encrypted/>` for those who cannot decrypt. Any other text there is readable content.
Add a client by hashing its sentence: `printf %s "SENTENCE" | sha256sum`.
"""

from __future__ import annotations

FALLBACKS: frozenset[str] = frozenset()
