# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and verify the header of a GGUF file. The format: docs/gguf.md in ggml-org/ggml."""

from __future__ import annotations

import math
import mmap
import os
import struct
from typing import Any, Collection, Dict, List, NamedTuple, NoReturn, Optional, Tuple, Union

from ansible_collections.cloudbench.llama.plugins.module_utils.models.ggml_types import BY_ID

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32

STRING = 8
ARRAY = 9
# value type number in the file -> struct code (little-endian)
SCALARS: Dict[int, str] = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
TYPE_NAMES: Dict[int, str] = {
    0: "uint8", 1: "int8", 2: "uint16", 3: "int16", 4: "uint32", 5: "int32", 6: "float32", 7: "bool",
    8: "string", 9: "array", 10: "uint64", 11: "int64", 12: "float64",
}  # fmt: skip

# Far above any published model (Llama 3.1 405B: 1,138 tensors, 408,403 strings), low enough that a hostile sparse
# file costs neither memory nor minutes.
MAX_KEYS = 10_000
MAX_TENSORS = 100_000
MAX_STRINGS = 8_000_000
MAX_STRING_BYTES = 16 * 1024 * 1024
MAX_DIMENSIONS = 4

_FIRST = 8  # elements of an array that are kept
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class GgufError(ValueError):
    """A file that cannot be used as a model; the message says what is wrong and what to do."""


class ArraySummary(NamedTuple):
    """A metadata array without its bulk: element type name, number of elements, the first few of them."""

    type: str
    length: int
    first: Tuple[Any, ...]


class Tensor(NamedTuple):
    """A tensor's row in the header. `shape`: row length first; `offset`: bytes after the start of the data."""

    name: str
    shape: Tuple[int, ...]
    type: str
    offset: int
    bytes: int


class Gguf(NamedTuple):
    """The verified header of a GGUF file. `spans`: metadata key -> (first byte, byte after the last) of its record."""

    path: str
    version: int
    metadata: Dict[str, Any]
    tensors: List[Tensor]
    alignment: int
    data_offset: int
    bytes: int
    spans: Dict[str, Tuple[int, int]]


def parameters(model: Gguf) -> int:
    """Number of weights in the file, as llama-bench counts them (`model_n_params`)."""
    return sum(math.prod(tensor.shape) for tensor in model.tensors)


def tensor_types(model: Gguf) -> Dict[str, Dict[str, int]]:
    """By the type of tensors in the file, by name: how many there are (`tensors`) and what they take (`bytes`)."""
    types: Dict[str, Dict[str, int]] = {}
    for tensor in model.tensors:
        share = types.setdefault(tensor.type, {"tensors": 0, "bytes": 0})
        share["tensors"] += 1
        share["bytes"] += tensor.bytes
    return dict(sorted(types.items()))


def bits_per_weight(model: Gguf) -> Optional[float]:
    """Bits that the tensors take for each of the model's parameters, to 4 decimals; None without tensors."""
    weights = parameters(model)
    return round(8 * sum(tensor.bytes for tensor in model.tensors) / weights, 4) if weights else None


def architecture(model: Gguf) -> Optional[str]:
    """`general.architecture`, or None where the file does not say."""
    value = model.metadata.get("general.architecture")
    return value if isinstance(value, str) else None


def read_gguf(path: str, architectures: Optional[Collection[str]] = None) -> Gguf:
    """Read and verify the header of the file at `path`.

    `architectures`: the values of general.architecture the caller can use; None allows every one.
    Raises GgufError for everything that is not a complete, readable GGUF file.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise GgufError(f"{path} is empty; get the file again")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                model = _Reader(path, data).read()
    except (OSError, OverflowError) as error:
        raise GgufError(f"{path} cannot be read: {error}") from error
    declared = architecture(model)
    if architectures is not None and declared not in architectures:
        raise GgufError(
            "{} holds a model of the architecture {}; only {} can be used here".format(
                path, repr(declared)[:100] if declared else "(not named in the file)", ", ".join(sorted(architectures))
            )
        )
    return model


def read_head(data: bytes) -> Gguf:
    """The header at the beginning of `data`, which need not hold the tensors. Raises GgufError, also if cut."""
    return _Reader("the beginning of a file", data, whole=False).read()


class _Reader:
    """One pass over the header. Every read is checked against the end of the file first.

    `whole`: whether the data of the tensors must be there.
    """

    def __init__(self, path: str, data: Union[mmap.mmap, bytes], whole: bool = True) -> None:
        self.path = path
        self.whole = whole
        self.data = data
        self.size = len(data)
        self.position = 0
        self.strings = 0
        self.part = "the header"

    def fail(self, what: str, remedy: str = "get the file again") -> NoReturn:
        raise GgufError(f"{self.path}: {what}; {remedy}")

    def need(self, count: int) -> int:
        """Claim the next `count` bytes and return where they start."""
        start = self.position
        if count > self.size - start:
            self.fail(f"the file ends after {self.size} bytes, inside {self.part}: truncated")
        self.position = start + count
        return start

    def u32(self) -> int:
        start = self.need(4)
        return int(_U32.unpack_from(self.data, start)[0])

    def u64(self) -> int:
        start = self.need(8)
        return int(_U64.unpack_from(self.data, start)[0])

    def text(self) -> str:
        length = self.u64()
        if length > MAX_STRING_BYTES:
            self.fail(f"a string of {length} bytes in {self.part} is not believable: damaged")
        start = self.need(length)
        return self.data[start : start + length].decode("utf-8", "replace")

    def read(self) -> Gguf:
        version = self.preamble()
        self.part = "the header"
        tensor_count = self.u64()
        key_count = self.u64()
        if key_count > MAX_KEYS or tensor_count > MAX_TENSORS:
            self.fail(f"the header announces {key_count} metadata keys and {tensor_count} tensors: damaged")
        metadata, spans = self.metadata(key_count)
        alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 8 or alignment > 2**20 or alignment % 8:
            self.fail(f"general.alignment is {alignment!r:.100}, not a multiple of 8: damaged")
        tensors = [self.tensor(index) for index in range(tensor_count)]
        data_offset = -(-self.position // alignment) * alignment
        self.check_layout(tensors, alignment, data_offset)
        return Gguf(self.path, version, metadata, tensors, alignment, data_offset, self.size, spans)

    def preamble(self) -> int:
        head = bytes(self.data[:1024])
        if not head.startswith(MAGIC):
            self.fail(*_guess(head))
        self.part = "the magic number and version"
        self.need(4)
        version = self.u32()
        if version & 0xFFFF == 0 and version:
            self.fail("a big-endian GGUF file", "get or convert the little-endian one")
        if version not in VERSIONS:
            self.fail(
                "GGUF version {}, known are {}".format(version, " and ".join(map(str, VERSIONS))),
                "convert the model again with a current convert_hf_to_gguf.py",
            )
        return version

    def metadata(self, count: int) -> Tuple[Dict[str, Any], Dict[str, Tuple[int, int]]]:
        values: Dict[str, Any] = {}
        spans = {}
        for index in range(count):
            self.part = f"metadata key {index + 1} of {count}"
            start = self.position
            key = self.text()
            if key in values:
                self.fail(f"the metadata key {key!r:.100} stands twice: damaged")
            self.part = f"the value of {key!r:.100}"
            values[key] = self.value(self.u32())
            spans[key] = (start, self.position)
        return values, spans

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            return self.array()
        code = SCALARS.get(kind)
        if code is None:
            self.fail(f"{self.part} has the unknown type {kind}: damaged, or newer than this reader")
        return self.scalars(code, 1)[0]

    def scalars(self, code: str, count: int) -> Tuple[Any, ...]:
        form = f"<{count}{code}"
        return struct.unpack_from(form, self.data, self.need(struct.calcsize(form)))

    def array(self) -> ArraySummary:
        kind = self.u32()
        count = self.u64()
        if kind == STRING:
            return ArraySummary("string", count, self.string_array(count))
        code = SCALARS.get(kind)
        if code is None:
            self.fail(f"{self.part} is an array of the unknown type {kind}: damaged")
        width = struct.calcsize("<" + code)
        kept = min(count, _FIRST)
        if count > self.size:
            self.fail(f"{self.part} announces {count} elements: truncated or damaged")
        first = self.scalars(code, kept)
        self.need((count - kept) * width)
        return ArraySummary(TYPE_NAMES[kind], count, first)

    def string_array(self, count: int) -> Tuple[str, ...]:
        self.strings += count
        if self.strings > MAX_STRINGS or count * 8 > self.size:
            self.fail(f"{self.part} announces {count} strings, more than the file can hold: damaged")
        first = tuple(self.text() for _index in range(min(count, _FIRST)))
        # The one hot loop (400,000 turns for the Llama 3 tokenizer): no calls, no copies.
        data, position, size, unpack = self.data, self.position, self.size, _U64.unpack_from
        try:
            for _index in range(count - len(first)):
                position += 8 + unpack(data, position)[0]
                if position > size:
                    break
        except struct.error:
            position = size + 1
        self.need(position - self.position)
        return first

    def tensor(self, index: int) -> Tensor:
        self.part = f"the description of tensor {index + 1}"
        name = self.text()
        count = self.u32()
        if not 1 <= count <= MAX_DIMENSIONS:
            self.fail(f"tensor {name!r:.100} has {count} dimensions: damaged")
        shape = tuple(self.u64() for _index in range(count))
        number = self.u32()
        offset = self.u64()
        kind = BY_ID.get(number)
        if kind is None:
            self.fail(
                f"tensor {name!r:.100} has the unknown type {number}: damaged, or newer than this collection",
                "get the file again or update the collection",
            )
        if 0 in shape or shape[0] % kind.block:
            self.fail(f"tensor {name!r:.100} of the shape {list(shape)} cannot be {kind.name}: damaged")
        return Tensor(name, shape, kind.name, offset, math.prod(shape) // kind.block * kind.bytes)

    def check_layout(self, tensors: List[Tensor], alignment: int, data_offset: int) -> None:
        end = 0
        names = set()
        for tensor in sorted(tensors, key=lambda row: row.offset):
            if tensor.name in names:
                self.fail(f"tensor {tensor.name!r:.100} stands twice: damaged")
            names.add(tensor.name)
            if tensor.offset % alignment or tensor.offset < end:
                self.fail(f"tensor {tensor.name!r:.100} lies at {tensor.offset}, inside another: damaged")
            end = tensor.offset + tensor.bytes
        promised = data_offset + end
        if self.whole and tensors and promised > self.size:
            self.fail(
                f"the file is {self.size} bytes, its header promises {promised}: "
                f"truncated, {promised - self.size} bytes are missing"
            )


def _guess(head: bytes) -> Tuple[str, str]:
    """What a file that is not GGUF looks like from its first bytes, and the remedy."""
    start = head.lstrip()[:200].lower()
    if head.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer, not the model itself", "run `git lfs pull` or download the file itself"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return (
            "an HTML or XML page, not a model",
            "the address answered with a page: a direct link, or a login, is needed",
        )
    if start.startswith((b'{"error', b'{"message')):
        return "an error message in JSON, not a model", "check the address and its access rights"
    if head.startswith(b"FUGG"):
        return "a big-endian GGUF file", "get or convert the little-endian one"
    if head[:4] in (b"ggml", b"lmgg", b"fmgg", b"tjgg", b"ggjt", b"ggmf", b"ggla"):
        return "an old GGML file from before GGUF (August 2023)", "convert the model again with convert_hf_to_gguf.py"
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive or PyTorch checkpoint", "convert it with llama.cpp's convert_hf_to_gguf.py"
    if head.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"BZh")):
        return "a compressed file", "unpack it first"
    if head[8:9] == b"{" and len(head) > 16 and _U64.unpack_from(head)[0] < 2**32:
        return "a safetensors file", "convert it with llama.cpp's convert_hf_to_gguf.py"
    if not head.strip(b"\0"):
        return "nothing but zero bytes at its start: an unfinished download", "get the file again"
    return f"not a GGUF file (it starts with {head[:8]!r:.100})", "name a .gguf file"
