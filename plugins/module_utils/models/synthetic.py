# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a GGUF file with the exact shape and tokenizer of a Llama 3 model and random weights.

The speed and memory use of llama.cpp do not depend on the values of the weights, so such a file measures both
without a download or a licence. Its text is meaningless: the file says so in general.name and in
cloudbench.synthetic.
"""

from __future__ import annotations

import math
import os
import random
import struct
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from ansible_collections.cloudbench.llama.plugins.module_utils.models.digests import Digests, Hasher
from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import (
    describe,
    draft,
    recall,
    verify,
    write_pieces,
    write_sidecar,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.ggml_types import BY_NAME
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import (
    DEFAULT_ALIGNMENT,
    MAGIC,
    SCALARS,
    STRING,
    ArraySummary,
    GgufError,
    read_gguf,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import BY_NAME as QUANTIZATIONS
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import (
    Shape,
    TensorShape,
    rope_factors,
    tensors,
)

# Goes up whenever the same arguments would give other bytes.
GENERATOR_VERSION = 1

POOL_BYTES = 8 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
WEIGHT_DEVIATION = 0.02  # of the weights, near that of the published Llama 3 models

_BOOL, _UINT32, _FLOAT32, _UINT64 = 7, 4, 6, 10


class Recipe(NamedTuple):
    """The tensor types of a quantization that is written directly.

    `output` is that of output.weight, or of token_embd.weight where the two are tied; `embedding` is that of
    token_embd.weight where they are not.

    Sources: llama_tensor_get_type_impl in llama.cpp's src/llama-quant.cpp (0c1e57098), and for the removed types
    llama_tensor_get_type in src/llama.cpp (b3826).
    """

    matrix: str
    output: str
    embedding: str


RECIPES: Dict[str, Recipe] = {
    "F16": Recipe("F16", "F16", "F16"),
    "Q8_0": Recipe("Q8_0", "Q8_0", "Q8_0"),
    "Q4_0": Recipe("Q4_0", "Q6_K", "Q4_0"),
    "Q4_0_4_4": Recipe("Q4_0_4_4", "Q6_K", "Q4_0"),
    "Q4_0_4_8": Recipe("Q4_0_4_8", "Q6_K", "Q4_0"),
    "Q4_0_8_8": Recipe("Q4_0_8_8", "Q6_K", "Q4_0"),
}

# Rows of a matrix whose blocks the removed types store as one group.
_INTERLEAVED = {"Q4_0_4_4": 4, "Q4_0_4_8": 4, "Q4_0_8_8": 8}


Piece = Union[bytes, memoryview]


class PlannedTensor(NamedTuple):
    """A tensor to be written: dimensions with the row length first, `offset` from the start of the data."""

    name: str
    dimensions: Tuple[int, ...]
    type: str
    offset: int
    bytes: int


class Plan(NamedTuple):
    """A file to be written: its header, ready, its tensors in file order, and its size."""

    shape: Shape
    quantization: str
    seed: int
    header: bytes
    tensors: List[PlannedTensor]
    bytes: int


def plan(shape: Shape, quantization: str, seed: int, vocabulary: str) -> Plan:
    """Lay out the file. `vocabulary`: path of llama.cpp's models/ggml-vocab-llama-bpe.gguf.

    Raises GgufError when the vocabulary is unusable or the quantization cannot be written directly.
    """
    recipe = RECIPES.get(quantization)
    if recipe is None:
        raise GgufError(
            "{!r} cannot be generated directly, only {}; generate F16 and run llama-quantize".format(
                quantization, ", ".join(sorted(RECIPES))
            )
        )
    if not 0 <= seed < 2**64:
        raise GgufError(f"the seed {seed} is not from 0 to 2**64 - 1; choose another")
    layout = _layout(shape, recipe)
    keys, tokenizer = _metadata(shape, QUANTIZATIONS[quantization].file_type, seed), _tokenizer(vocabulary, shape)
    count = len(keys) + len(tokenizer)
    header = b"".join(
        [MAGIC, struct.pack("<IQQ", 3, len(layout), count)]
        + keys[:-2]
        + tokenizer
        + keys[-2:]
        + [_describe(tensor) for tensor in layout]
    )
    header += bytes(-len(header) % DEFAULT_ALIGNMENT)
    last = layout[-1]
    return Plan(shape, quantization, seed, header, layout, len(header) + _aligned(last.offset + last.bytes))


def chunks(planned: Plan) -> Iterator[Piece]:
    """The bytes of the file in order, in pieces of about a mebibyte (bytes or memoryview)."""
    yield planned.header
    source = random.Random(f"cloudbench.llama offsets {GENERATOR_VERSION} {planned.seed}")
    pools: Dict[str, memoryview] = {}
    for tensor in planned.tensors:
        if tensor.name == "rope_freqs.weight":
            factors = rope_factors(planned.shape)
            yield struct.pack(f"<{len(factors)}f", *factors)
        elif len(tensor.dimensions) == 1:
            yield struct.pack("<f", 1.0) * tensor.dimensions[0]
        else:
            if tensor.type not in pools:
                pools[tensor.type] = memoryview(_pool(tensor.type, planned.seed))
            yield from _stretch(pools[tensor.type], _group(tensor.type), tensor.bytes, source)
        yield bytes(-tensor.bytes % DEFAULT_ALIGNMENT)


def existing(shape: Shape, quantization: str, seed: int, path: str) -> Optional[Dict[str, Any]]:
    """The payload of the file at `path` if its sidecar vouches that it is the wanted one, else None.

    Reads neither the file nor the vocabulary: this is all that happens in a run that finds everything done.
    """
    return recall(path, dict(origin(shape, seed), quantization=quantization))


def adopt(planned: Plan, path: str, note: bool = True) -> Optional[Dict[str, Any]]:
    """The payload of the file at `path` if it is, byte for byte, the planned one, else None.

    For a file whose sidecar was lost or whose modification time changed. Costs one reading of the file, the next time
    too unless it may `note` the outcome in a new sidecar.
    """
    try:
        if os.path.getsize(path) != planned.bytes:
            return None
        with open(path, "rb") as file:
            if file.read(len(planned.header)) != planned.header:
                return None
            file.seek(0)
            digest = Hasher()
            for piece in chunks(planned):
                if file.read(len(piece)) != bytes(piece):
                    return None
                digest.update(piece)
    except OSError:
        return None
    payload = _payload(planned, path, digest.digests())
    if note:
        write_sidecar(path, dict(payload, **origin(planned.shape, planned.seed)))
    return payload


def generate(planned: Plan, path: str) -> Dict[str, Any]:
    """Write the planned file to `path`, whole or not at all, and its sidecar; return its payload.

    Raises ModelFileError when it cannot be written and GgufError when what was written does not read back.
    """
    with draft(path, planned.bytes) as temporary:
        digests = write_pieces(temporary, chunks(planned))
        if os.path.getsize(temporary) != planned.bytes:
            raise GgufError(f"{temporary} came out at another size than planned; report this as a bug")
        verify(temporary, ["llama"])
    payload = _payload(planned, path, digests)
    write_sidecar(path, dict(payload, **origin(planned.shape, planned.seed)))
    return payload


def origin(shape: Shape, seed: int) -> Dict[str, Any]:
    """What the sidecar of a generated file says beyond the payload."""
    return {"shape": shape.name, "seed": seed, "generator": GENERATOR_VERSION}


def _payload(planned: Plan, path: str, digests: Digests) -> Dict[str, Any]:
    source = f"generated, seed {planned.seed}"
    return describe(read_gguf(path), name=planned.shape.name, source=source, digests=digests)


def _stretch(pool: memoryview, block: int, count: int, source: random.Random) -> Iterator[Piece]:
    """`count` bytes as stretches of the pool, each from a random block on, so that the file has no period."""
    step = CHUNK_BYTES // block * block
    starts = (len(pool) - step) // block
    while count:
        length = min(step, count)
        # getrandbits and not randrange: the latter's algorithm may change between Python versions
        start = source.getrandbits(32) % starts * block
        yield pool[start : start + length]
        count -= length


def _group(kind: str) -> int:
    """Bytes that belong together: those of a block, or of the interleaved blocks of a removed type."""
    return BY_NAME[kind].bytes * _INTERLEAVED.get(kind, 1)


def _aligned(count: int) -> int:
    return -(-count // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT


def _layout(shape: Shape, recipe: Recipe) -> List[PlannedTensor]:
    output = "token_embd.weight" if shape.tied else "output.weight"
    rows: List[PlannedTensor] = []
    offset = 0
    for tensor in tensors(shape):
        name = _tensor_type(tensor, recipe, output)
        kind = BY_NAME[name]
        size = math.prod(tensor.dimensions) // kind.block * kind.bytes
        rows.append(PlannedTensor(tensor.name, tensor.dimensions, name, offset, size))
        offset = _aligned(offset + size)
    return rows


def _tensor_type(tensor: TensorShape, recipe: Recipe, output: str) -> str:
    if len(tensor.dimensions) == 1:
        return "F32"
    if tensor.name == output:
        return recipe.output
    return recipe.embedding if tensor.name == "token_embd.weight" else recipe.matrix


def _metadata(shape: Shape, file_type: int, seed: int) -> List[bytes]:
    """The records of our own keys, in the order of convert_hf_to_gguf.py; the last two follow the tokenizer."""
    return [
        _string("general.architecture", "llama"),
        _string("general.type", "model"),
        _string("general.name", shape.title + " shape, synthetic random weights"),
        _string("general.size_label", shape.size_label),
        _scalar("cloudbench.synthetic", _BOOL, True),
        _string("cloudbench.shape", shape.name),
        _scalar("cloudbench.seed", _UINT64, seed),
        _scalar("cloudbench.generator", _UINT32, GENERATOR_VERSION),
        _scalar("llama.block_count", _UINT32, shape.layers),
        _scalar("llama.context_length", _UINT32, shape.context),
        _scalar("llama.embedding_length", _UINT32, shape.embedding),
        _scalar("llama.feed_forward_length", _UINT32, shape.feed_forward),
        _scalar("llama.attention.head_count", _UINT32, shape.heads),
        _scalar("llama.attention.head_count_kv", _UINT32, shape.kv_heads),
        _scalar("llama.rope.freq_base", _FLOAT32, shape.rope_theta),
        _scalar("llama.attention.layer_norm_rms_epsilon", _FLOAT32, shape.rms_epsilon),
        _scalar("llama.attention.key_length", _UINT32, shape.head_dimension),
        _scalar("llama.attention.value_length", _UINT32, shape.head_dimension),
        _scalar("llama.vocab_size", _UINT32, shape.vocabulary),
        _scalar("llama.rope.dimension_count", _UINT32, shape.head_dimension),
        _scalar("general.quantization_version", _UINT32, 2),
        _scalar("general.file_type", _UINT32, file_type),
    ]


def _tokenizer(vocabulary: str, shape: Shape) -> List[bytes]:
    """The tokenizer.* records of the vocabulary file, byte for byte."""
    source = read_gguf(vocabulary, ["llama"])
    tokens = source.metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, ArraySummary) or tokens.length != shape.vocabulary:
        raise GgufError(
            "{} holds {} tokens, {} needs {}; give models/ggml-vocab-llama-bpe.gguf of llama.cpp".format(
                vocabulary, tokens.length if isinstance(tokens, ArraySummary) else "no", shape.title, shape.vocabulary
            )
        )
    with open(vocabulary, "rb") as file:
        data = file.read(source.data_offset)
    return [data[start:end] for key, (start, end) in source.spans.items() if key.startswith("tokenizer.")]


def _bytes(text: str) -> bytes:
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def _string(key: str, value: str) -> bytes:
    return _bytes(key) + struct.pack("<I", STRING) + _bytes(value)


def _scalar(key: str, kind: int, value: Any) -> bytes:
    return _bytes(key) + struct.pack("<I" + SCALARS[kind], kind, value)


def _describe(tensor: PlannedTensor) -> bytes:
    dimensions = tensor.dimensions
    return _bytes(tensor.name) + struct.pack(
        f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, BY_NAME[tensor.type].id, tensor.offset
    )


def _bell(count: int) -> List[float]:
    """`count` equally likely values of the symmetric triangular distribution on [-1, 1] (deviation 1/sqrt(6)).

    Bell enough for weights, and of exact IEEE operations only: the same on every machine.
    """
    half = [1 - math.sqrt((2 * index + 1) / count) for index in range(count // 2)]
    return [-value for value in half] + half[::-1]


def _half(value: float) -> bytes:
    return struct.pack("<e", value)


def _pool(kind: str, seed: int) -> bytearray:
    """About POOL_BYTES of random blocks of the type, the same for the same seed everywhere."""
    group = _group(kind)
    count = POOL_BYTES // group
    source = random.Random(f"cloudbench.llama {kind} {GENERATOR_VERSION} {seed}")
    raw = source.getrandbits(count * group * 8).to_bytes(count * group, "little")
    return _FILL[kind](raw, kind)


def _q4_0(raw: bytes, kind: str) -> bytearray:
    """Block: half-precision scale, 16 bytes of two 4-bit numbers, stored + 8 (`block_q4_0` in ggml-common.h).

    The removed types (`block_q4_0x4`, `block_q4_0x8`, b3826) put the scales of their rows first and store the
    numbers in two's complement.
    """
    rows = _INTERLEAVED.get(kind, 1)
    bias = 8 if rows == 1 else 0
    levels = [round(8 * value) for value in _bell(16)]
    stored = [level + bias & 15 for level in levels]
    pool = bytearray(raw.translate(bytes(stored[byte >> 4] << 4 | stored[byte & 15] for byte in range(256))))
    for row in range(rows):
        _set_scales(pool, _group(kind), 2 * row, WEIGHT_DEVIATION / _deviation(levels))
    return pool


def _q8_0(raw: bytes, kind: str) -> bytearray:
    """Block: half-precision scale, 32 signed bytes of -127..127 (`block_q8_0` in ggml-common.h)."""
    levels = [round(127 * value) for value in _bell(256)]
    pool = bytearray(raw.translate(bytes(level & 255 for level in levels)))
    _set_scales(pool, _group(kind), 0, WEIGHT_DEVIATION / _deviation(levels))
    return pool


def _q6_k(raw: bytes, kind: str) -> bytearray:
    """Block: 192 bytes of 6-bit numbers stored + 32, 16 signed scales, half-precision scale of the scales.

    `block_q6_K` in ggml-common.h. The 6-bit numbers are uniform; scales of both signs keep the mean at zero.
    """
    pool = bytearray(raw)
    magnitudes = [8 + index for index in range(8)]
    scales = magnitudes + [-value for value in magnitudes]
    table = bytes(scales[byte & 15] & 255 for byte in range(256))
    for index in range(192, 208):
        pool[index::210] = pool[index::210].translate(table)
    spread = _deviation(range(-32, 32)) * _deviation(scales)
    _set_scales(pool, _group(kind), 208, WEIGHT_DEVIATION / spread)
    return pool


def _f16(raw: bytes, _kind: str) -> bytearray:
    """The high byte (sign, exponent, two mantissa bits) follows the distribution, the low byte is random."""
    pool = bytearray(raw)
    width = WEIGHT_DEVIATION * math.sqrt(6)
    pool[1::2] = pool[1::2].translate(bytes(_half(width * value)[1] for value in _bell(256)))
    return pool


def _deviation(values: Any) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))


def _set_scales(pool: bytearray, block: int, offset: int, scale: float) -> None:
    low, high = _half(scale)
    count = len(pool) // block
    pool[offset::block] = bytes([low]) * count
    pool[offset + 1 :: block] = bytes([high]) * count


_FILL: Dict[str, Callable[[bytes, str], bytearray]] = {
    "F16": _f16,
    "Q8_0": _q8_0,
    "Q6_K": _q6_k,
    "Q4_0": _q4_0,
    "Q4_0_4_4": _q4_0,
    "Q4_0_4_8": _q4_0,
    "Q4_0_8_8": _q4_0,
}
