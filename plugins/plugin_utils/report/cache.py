# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each of very many machines came to the last time, so that one new run is not paid for by all others.

Only a hint: an entry is known by a digest of the machine's record files and of this program, and whatever is missing,
broken or of another digest is made again from the records. Entries are pickled objects of this program, which is why
a directory that others could write to is not read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import stat
import sys
import zlib
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import files, records

_PLUGINS = Path(__file__).parents[2]
_DIGEST = hashlib.sha256
_DIGEST_BYTES = 32


def pack(part: Any) -> bytes:
    """Return an object as bytes, for another process or for the cache."""
    return zlib.compress(pickle.dumps(part, pickle.HIGHEST_PROTOCOL), 1)


def unpack(packed: bytes) -> Any:
    """Return the object of pack(); never of bytes from elsewhere."""
    return pickle.loads(zlib.decompress(packed))  # noqa: S301 - our own bytes alone


def directory(results_dir: str | os.PathLike[str]) -> Path | None:
    """Return where the entries of a results directory are, made if need be; None where nothing can be kept safely."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    name = _DIGEST(os.path.realpath(results_dir).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    path = Path(home, "cloudbench", "pages", name)
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Once and for all: a link that leads elsewhere later leads nobody from here.
        path = path.resolve(strict=True)
        safe = not path.stat().st_mode & 0o022 and all(map(_is_safe, (path, *path.parents)))
    except OSError:
        return None
    return path if safe else None


def _is_safe(folder: Path) -> bool:
    """Say whether no other user can put another thing in the place of what is in here: the superuser can in any case.

    Where everybody may write, as in /tmp, the sticky bit keeps others from what is not theirs.
    """
    status = folder.lstat()
    exchanged = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
    return status.st_uid in (0, os.geteuid()) and not exchanged


@cache
def _program() -> bytes:
    """Return a digest of everything but the records that pages are made from."""
    seen = _DIGEST(f"{sys.version_info[:2]} jinja2 {jinja2.__version__}".encode())
    for path in sorted([*(_PLUGINS / "plugin_utils").rglob("*"), *(_PLUGINS / "module_utils").rglob("*")]):
        if path.suffix in (".py", ".yml", ".j2"):
            seen.update(path.relative_to(_PLUGINS).as_posix().encode() + b"\0" + path.read_bytes())
    return seen.digest()


def key(results_dir: str | os.PathLike[str], *machines: str) -> bytes | None:
    """Return the digest that stands for the records of machines and for this program; None if they cannot be read."""
    seen = _DIGEST(_program())
    try:
        for machine in machines:
            for path in records.paths(results_dir, machine=machine):
                # What is not read is known by the reason, which its page tells.
                reason = records.strange(results_dir, path)
                content = path.read_bytes() if reason is None else reason.encode()
                seen.update(f"{machine}/{path.name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
                seen.update(content)
    except OSError:
        return None
    return seen.digest()


def load(entries: Path, machine: str, wanted: bytes) -> bytes | None:
    """Return what pack() gave for a machine when its digest was the `wanted` one, None when it is not there whole."""
    try:
        content = (entries / machine).read_bytes()
    except OSError:
        return None
    head, packed = content[: 2 * _DIGEST_BYTES], content[2 * _DIGEST_BYTES :]
    return packed if head == wanted + _DIGEST(packed).digest() else None


def save(entries: Path, machine: str, known_by: bytes, packed: bytes) -> None:
    """Keep what pack() gave for a machine; a full disk is no error, there is only nothing kept then."""
    with contextlib.suppress(OSError):
        files.replace(entries / machine, known_by + _DIGEST(packed).digest() + packed, 0o600, sync=False)


def forget(entries: Path, kept: Collection[str]) -> None:
    """Remove the entries of machines that have no records any more, and what an interrupted save() left."""
    with contextlib.suppress(OSError):
        for path in entries.iterdir():
            if path.name not in kept:
                path.unlink()
