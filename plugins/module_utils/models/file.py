# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model on disk: written whole or not at all, hashed once, described as the payload of a model record.

Beside FILE stands FILE.json, the sidecar: what is known of the file, above all its digests, together with the size
and modification time at which that was true. While both are unchanged nothing is read again; the sidecar of an earlier
version, which lacks what was not asked for then, costs one reading.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from functools import lru_cache
from typing import Any, Dict, Iterable, Iterator, List, NoReturn, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.models.digests import Digests, Hasher, of_file
from ansible_collections.cloudbench.llama.plugins.module_utils.models.ggml_types import BY_NAME as TYPES
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import (
    Gguf,
    GgufError,
    architecture,
    bits_per_weight,
    parameters,
    read_gguf,
    tensor_types,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import lookup, of_file_type, slug
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import with_id
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import require_space
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import growing

PIECE_BYTES = 1024 * 1024

_FIRST_PAYLOAD = (
    "name", "quantization", "file", "sha256", "bytes", "parameters", "synthetic", "source", "architecture",
)  # fmt: skip
# What sidecars of the first versions lack.
_ADDED = ("tensor_types", "bits_per_weight", "tensors_sha256")
PAYLOAD = (*_FIRST_PAYLOAD, *_ADDED)
# What only some files have: what was quantized before it was made wider, and what it was made with.
_SOME = ("widened_from", "imatrix")

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ModelFileError(ValueError):
    """A model file that cannot be written or used; the message says why and what to do."""


def file_name(name: str, quantization: str) -> str:
    """The name of a model's file: llama-3.2-1b-synthetic and Q4_0 give llama-3.2-1b-synthetic-q4.gguf.

    Raises ModelFileError for a name that would be more than a file's name, QuantizationError for an unknown type.
    """
    if not _NAME.fullmatch(name):
        raise ModelFileError(
            f"the model name {name!r:.100} becomes a file name: use up to 100 lower-case letters, digits, dots and "
            "hyphens, beginning with a letter or digit"
        )
    return f"{name}-{slug(quantization)}.gguf"


def sidecar_path(path: str) -> str:
    """Where the sidecar of the model file at `path` stands."""
    return path + ".json"


def read_sidecar(path: str) -> Dict[str, Any]:
    """The sidecar of the model file at `path`; empty where there is none, it is damaged, or the file has changed."""
    try:
        with open(sidecar_path(path), encoding="utf-8") as file:
            known = json_text.loads(file.read())
        state = os.stat(path)
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict) or not _SHA256.fullmatch(str(known.get("sha256"))):
        return {}
    if (known.get("bytes"), known.get("mtime_ns")) != (state.st_size, state.st_mtime_ns):
        return {}
    return known


def recall(path: str, wanted: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """The payload of the file at `path` out of its sidecar, if that holds and says all of `wanted`; else None.

    A sidecar that lacks what is new in the payload is completed, which costs one reading of the file.
    """
    known = read_sidecar(path)
    if any(key not in known for key in _FIRST_PAYLOAD) or any(known.get(key) != value for key, value in wanted.items()):
        return None
    if any(key not in known for key in _ADDED):
        known = _completed(path, known)
    if not known:
        return None
    kept = {key: known[key] for key in (*PAYLOAD, *_SOME) if key in known}
    return with_id(dict(kept, file=os.path.basename(path)))


def _completed(path: str, known: Dict[str, Any]) -> Dict[str, Any]:
    """The sidecar with what it lacks, written too; empty where the file is none, or not the one that it is of."""
    try:
        model = read_gguf(path)
        digests = digests_of(path)
    except (GgufError, OSError):
        return {}
    if digests.sha256 != known["sha256"]:
        return {}
    completed = dict(known, **_weights(model, digests))
    write_sidecar(path, completed)
    return completed


def _weights(model: Gguf, digests: Digests) -> Dict[str, Any]:
    """What the payload says of the tensors themselves, whatever the file is called."""
    return {
        "tensor_types": tensor_types(model),
        "bits_per_weight": bits_per_weight(model),
        "tensors_sha256": digests.tensors_sha256,
    }


def write_sidecar(path: str, facts: Dict[str, Any]) -> None:
    """Write `facts` with the present size and modification time of the model file at `path`.

    Where the directory cannot be written nothing happens: that costs the next run a second hashing, no more.
    """
    target = sidecar_path(path)
    temporary = target + ".part"
    with contextlib.suppress(OSError):
        state = os.stat(path)
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(dict(facts, bytes=state.st_size, mtime_ns=state.st_mtime_ns), file, indent=2, sort_keys=True)
            file.write("\n")
        os.replace(temporary, target)


def remember(path: str, facts: Dict[str, Any]) -> None:
    """Write the sidecar unless one holds already: who made the file knows more of it than who looked at it."""
    if not read_sidecar(path):
        write_sidecar(path, facts)


def sha256_of(path: str) -> str:
    """SHA-256 of the file at `path`: out of the sidecar while that holds, else read in full. Raises OSError."""
    known = read_sidecar(path)
    if known:
        return str(known["sha256"])
    return digests_of(path).sha256


def digests_of(path: str) -> Digests:
    """Both digests of the file at `path`: out of the sidecar while that holds and has them, else read in full.

    A sidecar that lacks the one of the tensors is given it, so that this happens once. Raises OSError.
    """
    known = read_sidecar(path)
    if "tensors_sha256" in known:
        return Digests(str(known["sha256"]), known["tensors_sha256"])
    state = os.stat(path)
    digests = _hash(path, state.st_ino, state.st_size, state.st_mtime_ns)
    if digests.sha256 == known.get("sha256"):
        write_sidecar(path, dict(known, tensors_sha256=digests.tensors_sha256))
    return digests


@lru_cache(maxsize=16)
def _hash(path: str, _inode: int, _size: int, _mtime_ns: int) -> Digests:
    """Read the file at `path` unless this process has; while the rest is the same it is the same file."""
    return of_file(path)


@contextlib.contextmanager
def claim(target: str) -> Iterator[str]:
    """Yield the path of the draft of `target`, a file beside it that is locked while the block runs.

    It holds what an earlier run left in it. Its name is fixed, so that this is found again, and the lock lets no two
    runs write one file. Raises ModelFileError, also for an OSError of the block.
    """
    directory, name = os.path.split(os.path.abspath(target))
    temporary = os.path.join(directory, "." + name + ".part")
    try:
        os.makedirs(directory, exist_ok=True)
        lock = _lock(temporary)
    except OSError as error:
        _refuse(target, error)
    try:
        yield temporary
    except OSError as error:
        _refuse(target, error)
    finally:
        os.close(lock)


@contextlib.contextmanager
def draft(target: str, needed: int) -> Iterator[str]:
    """Yield the path of an empty file beside `target` that becomes `target` when the block ends without an error.

    `needed`: its size in bytes, for which there must be room. When anything fails the draft is removed, and a file
    that stood at `target` is left as it was; what a killed run left behind is used again. Raises ModelFileError, and
    SpaceError when there is no room.
    """
    with claim(target) as temporary:
        try:
            os.truncate(temporary, 0)
            require_space(os.path.dirname(temporary), needed, target)
            with growing("writing " + os.path.basename(target), temporary, lambda: needed):
                yield temporary
            move(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def move(path: str, target: str) -> None:
    """Put the verified file at `path` in the place of `target`, on the same file system. Raises ModelFileError."""
    directory = os.path.dirname(os.path.abspath(target))
    try:
        os.makedirs(directory, exist_ok=True)
        _sync(path)
        os.replace(path, target)
        _sync(directory)
    except OSError as error:
        _refuse(target, error)


def _refuse(target: str, error: OSError) -> NoReturn:
    reason = error.strerror or str(error)
    raise ModelFileError(f"{target} could not be written: {reason}; check the directory and its free space") from error


def _lock(temporary: str) -> int:
    """Open and lock the draft. Raises ModelFileError when another process has it."""
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its former holder may have renamed it between our opening and locking it: that inode is now the good file.
        if os.fstat(descriptor).st_ino != os.stat(temporary).st_ino:
            raise FileNotFoundError(temporary)
    except (BlockingIOError, FileNotFoundError) as error:
        os.close(descriptor)
        raise ModelFileError(f"{temporary} is being written by another process; wait for that to end") from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_pieces(path: str, pieces: Iterable[Any]) -> Digests:
    """Write `pieces` (bytes or memoryview) to the file at `path`; return the digests of them all. Raises OSError."""
    digest = Hasher()
    with open(path, "r+b", buffering=0) as file:
        for piece in pieces:
            digest.update(piece)
            written = file.write(piece)
            while written < len(piece):
                written += file.write(memoryview(piece)[written:])
    return digest.digests()


def own_quantization(model: Gguf) -> str:
    """The quantization that the file itself names in general.file_type. Raises ModelFileError."""
    number = model.metadata.get("general.file_type")
    name = of_file_type(number)
    if name is None:
        raise ModelFileError(
            f"{model.path} does not name a known quantization (general.file_type is {number!r:.100}); name it yourself"
        )
    return name


def check_whole(model: Gguf) -> None:
    """Raise GgufError unless the file alone is a model: it has tensors, and is not one part of several."""
    if not model.tensors:
        raise GgufError(f"{model.path} holds no tensors, only a vocabulary; give the model itself")
    parts = model.metadata.get("split.count", 0)
    if not isinstance(parts, int) or parts > 1:
        raise GgufError(
            f"{model.path} is one of {parts!r:.40} parts of a model; join them with `llama-gguf-split --merge`"
        )


def removed_types(model: Gguf) -> List[str]:
    """Names of the tensor types in the file that llama.cpp removed in b4282, in order of their numbers."""
    kinds = {TYPES[tensor.type] for tensor in model.tensors}
    return [kind.name for kind in sorted(kinds) if kind.removed]


def removed_types_message(model: Gguf) -> Optional[str]:
    """A sentence that says which removed types the file holds and what to do; None where it holds none."""
    names = removed_types(model)
    if not names:
        return None
    return "{}: {} was removed from llama.cpp in b4282 (2024-12-07); {}, or measure it with a build before that".format(
        model.path, " and ".join(names), TYPES[names[0]].removed
    )


def describe(
    model: Gguf,
    name: Optional[str] = None,
    quantization: Optional[str] = None,
    source: Optional[str] = None,
    synthetic: Optional[bool] = None,
    digests: Optional[Digests] = None,
    more: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    """The payload of the model record of a verified file.

    `more`: what is known of how it was made, `widened_from` and `imatrix`; without, what the file says itself of an
    importance matrix, by which its quantization is not called. Defaults: `name` the file name without .gguf,
    `quantization` what the file says, `source` the path, `synthetic` the file's key cloudbench.synthetic, `digests`
    computed. Raises ModelFileError and OSError.
    """
    file = os.path.basename(model.path)
    digests = digests or digests_of(model.path)
    return with_id(
        {
            "name": name or os.path.splitext(file)[0],
            "quantization": lookup(quantization).name if quantization else own_quantization(model),
            "file": file,
            "sha256": digests.sha256,
            "bytes": model.bytes,
            "parameters": parameters(model),
            "synthetic": bool(model.metadata.get("cloudbench.synthetic")) if synthetic is None else synthetic,
            "source": source or model.path,
            "architecture": architecture(model),
            **_weights(model, digests),
            **(_made_with(model) if more is None else more),
        }
    )


def _made_with(model: Gguf) -> Dict[str, Any]:
    """What llama-quantize has written of an importance matrix: the name of the text, not the path of somebody else."""
    dataset = model.metadata.get("quantize.imatrix.dataset")
    chunks = model.metadata.get("quantize.imatrix.chunks_count")
    if "quantize.imatrix.file" not in model.metadata:
        return {}
    text = re.split(r"[/\\\\]", dataset)[-1][:100] if isinstance(dataset, str) else None
    return {"imatrix": {"text": text, "chunks": chunks if isinstance(chunks, int) else None}}


def verify(
    path: str,
    architectures: Optional[List[str]] = None,
    sha256: Optional[str] = None,
    allow_removed: bool = True,
) -> Gguf:
    """Read the file and check that it is a whole model and the one that is meant.

    `sha256`: the digest it must have. `allow_removed`: whether tensor types that llama.cpp removed are accepted.
    Raises GgufError, ModelFileError and OSError.
    """
    model = read_gguf(path, architectures)
    check_whole(model)
    removed = None if allow_removed else removed_types_message(model)
    if removed:
        raise ModelFileError(removed)
    if sha256:
        computed = sha256_of(path)
        if computed != sha256.lower():
            raise ModelFileError(
                f"{path} has the SHA-256 {computed}, not {sha256.lower()}; get the file again or correct the digest"
            )
    return model
