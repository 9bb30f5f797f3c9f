"""Compiled plugin modules, kept in the data folder."""

import contextlib
import hashlib
import importlib.util
import logging
import marshal
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType

logger = logging.getLogger(__name__)

_DIGEST_SIZE = 16
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_WORTH_KEEPING = 256
"""A shorter source, such as that of most `__init__.py`, is compiled faster than found."""


class BytecodeCache:
    """Keeps one file for each module, found by path and judged by the hash of its source.

    A module that changes replaces its file, so that the folder does not grow with edits.

    Args:
        folder: Where the files are; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(
        self, path: str, source: bytes, flavor: int, compile_: Callable[[], CodeType]
    ) -> CodeType:
        """Give the code of a module, from the cache when the source is the same.

        Args:
            path: The module's path.
            source: Its source.
            flavor: What else decides the code; see `OwnImports.depth_of`.
            compile_: Makes the code when the cache does not have it.
        """
        if self._folder is None or len(source) < _WORTH_KEEPING:
            return compile_()
        kind = f"{flavor} {sys.flags.optimize}".encode()
        head = importlib.util.MAGIC_NUMBER + _digest(source + kind)
        name = f"{_digest(path.encode('utf-8', 'surrogateescape')).hex()}.bin"
        file = os.path.join(self._folder, name)  # noqa: PTH118 - each import comes here
        try:
            with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - as above
                kept = stream.read()
        except OSError:
            kept = b""
        body = kept[len(head) + _DIGEST_SIZE :]
        if kept[: len(head) + _DIGEST_SIZE] == head + _digest(body):
            code: CodeType = marshal.loads(body)  # noqa: S302 - our own file, whole by its digest
            return code
        code = compile_()
        self._keep(self._folder / name, head, marshal.dumps(code))
        return code

    def _keep(self, file: Path, head: bytes, body: bytes) -> None:
        # Each changed module of a reload comes here, and tempfile takes twice as long.
        draft = file.with_name(f"{os.urandom(8).hex()}.new")
        try:
            try:
                handle = os.open(draft, _NEW, 0o600)
            except FileNotFoundError:
                file.parent.mkdir(parents=True, exist_ok=True)
                handle = os.open(draft, _NEW, 0o600)
            with open(handle, "wb") as stream:  # noqa: PTH123 - it is open already
                stream.write(head + _digest(body) + body)
            draft.replace(file)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            # Only the next start is slower.
            logger.warning("Bytecode was not kept", extra={"path": str(file), "error": str(error)})


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_SIZE).digest()
