"""The ledger as static files (C2SP tlog-tiles), for tools that know nothing of Apostille.

Knows folders and file names. Refuses to write anything that is secret: openings and lookups stay in the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from apostille.ledger.rules import Batch, Between
from apostille.ledger.service import Log, View
from apostille.tlog.checkpoint import CheckpointError, parse
from apostille.tlog.note import NoteError
from apostille.tlog.note import parse as parse_note
from apostille.tlog.tiles import WIDTH, TileError, bundle, changed, path, row, unbundle
from apostille.vocabulary import Fault, Reason, Refusal


def export(log: Log, folder: Path) -> int:
    """Write the newest state of a log below a folder: `checkpoint`, `tile/<L>/...`, `tile/entries/...`.

    Full tiles and bundles never change, so a second export into the same folder adds to the first; the checkpoint is
    replaced last, so that a reader never meets one whose tiles are still missing.

    Args:
        log: what to write; whether it is right is not checked.
        folder: made when it is missing.

    Returns:
        How many entries the folder now holds.

    Raises:
        Fault: the log cannot be read or is incomplete, or a file cannot be written.
    """
    try:
        with log.view() as view:
            note = view.checkpoint()
            size = parse(parse_note(note).text).size
            for level, number, width in changed(0, size):
                data = view.tile(level, number)
                _write(folder / path(level, number, width), data)
                if level == 0:
                    found = [entry for _, entry in view.entries(number * WIDTH, number * WIDTH + width)]
                    if len(found) != width:
                        raise Fault(f"ledger: entries are missing from {number * WIDTH} on; run verify")
                    _write(folder / path(None, number, width), bundle(found))
            _write(folder / "checkpoint", note.encode())
            return size
    except (NoteError, CheckpointError) as error:
        raise Fault(f"ledger: no checkpoint is stored: {error}") from None
    except OSError as error:
        raise Fault(f"ledger: cannot write {error.filename}: {error.strerror}") from None


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(file.name + ".new")
    fresh.write_bytes(data)
    fresh.replace(file)


class FolderLog:
    """An exported log, to be read where there is no database; nothing can be appended to it."""

    def __init__(self, folder: Path) -> None:
        """Read what `export` or another tool wrote below `folder`."""
        self._folder = folder

    @contextmanager
    def view(self) -> Iterator[View]:
        """Look at the files; raises `Fault` when one is there and cannot be read."""
        try:
            yield FolderView(self._folder)
        except OSError as error:
            raise Fault(f"ledger: cannot read {error.filename}: {error.strerror}") from None

    def append(self, batch: Batch) -> None:  # noqa: ARG002
        """Always refused."""
        raise Refusal(Reason.FORBIDDEN, "an exported ledger is not written to")


class FolderView:
    """A look at exported files; the checkpoint is read once, at the beginning."""

    def __init__(self, folder: Path) -> None:
        """Look below `folder`."""
        self._folder = folder
        self._note = self._read("checkpoint").decode(errors="replace")
        try:
            self._size = parse(parse_note(self._note).text).size
        except (NoteError, CheckpointError):
            self._size = 0

    def checkpoint(self) -> str:
        """The signed checkpoint; empty when there is none."""
        return self._note

    def tile(self, level: int, number: int) -> bytes:
        """A hash tile of the width that the checkpoint asks for; empty when there is none."""
        width = min(WIDTH, row(level, self._size) - number * WIDTH)
        return self._read(path(level, number, width)) if width > 0 else b""

    def entries(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """(index, data) of the entries from `start` up to `stop`; an unreadable bundle holds none."""
        for number in range(start // WIDTH, (min(stop, self._size) + WIDTH - 1) // WIDTH):
            width = min(WIDTH, self._size - number * WIDTH)
            try:
                found = unbundle(self._read(path(None, number, width)), width)
            except TileError:
                continue
            for index, data in enumerate(found, number * WIDTH):
                if start <= index < stop:
                    yield index, data

    def opening(self, index: int) -> bytes:  # noqa: ARG002
        """Never exported."""
        return b""

    def search(self, labels: Sequence[bytes], between: Between | None) -> list[tuple[int, bytes, bytes]]:  # noqa: ARG002
        """Lookups are never exported, so nothing can be searched."""
        raise Refusal(Reason.UNAVAILABLE, "an exported ledger has no lookups")

    def beyond(self, size: int) -> Iterator[tuple[str, int]]:  # noqa: ARG002
        """Files beyond the checkpoint are those of an earlier or later export, and no damage."""
        yield from ()

    def _read(self, name: str) -> bytes:
        file = self._folder / name
        return file.read_bytes() if file.is_file() else b""
