"""Where one OMEMO device keeps its keys: a dictionary, and a JSON file if it shall survive."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from omemo.storage import Just, Maybe, Nothing, Storage
from omemo.types import JSONType


class Shelf(Storage):
    """Keys in memory; written to `path` once per turn of the event loop when they changed."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(disable_cache=True)
        self._path = path
        self._kept: dict[str, JSONType] = {}
        self._changed = False
        if path is not None and path.exists():
            self._kept = json.loads(path.read_text())

    async def _load(self, key: str) -> Maybe[JSONType]:
        return Just(self._kept[key]) if key in self._kept else Nothing()

    async def _store(self, key: str, value: JSONType) -> None:
        self._kept[key] = value
        self._later()

    async def _delete(self, key: str) -> None:
        self._kept.pop(key, None)
        self._later()

    def _later(self) -> None:
        if self._path is not None and not self._changed:
            self._changed = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write now; atomic, so that a killed test leaves the old file or the new one."""
        if self._path is None or not self._changed:
            return
        self._changed = False
        draft = self._path.with_suffix(".tmp")
        draft.write_text(json.dumps(self._kept))
        draft.replace(self._path)
