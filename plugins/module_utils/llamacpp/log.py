# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what `llama-bench -v` logs on standard error: the buffers, the types of the tensors and what was repacked.

That log is the proof of the kernel path: no field of a result row says which layout the weights had.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Set

# "load_tensors:   CPU_Mapped model buffer size =   670.51 MiB", "CPU KV buffer size = ...", "CPU compute buffer
# size = ..."; before 2025 "llm_load_tensors:        CPU buffer size = ..." for the model's.
_BUFFER = re.compile(
    r"(?<!\S)(\S{1,100})\s{1,40}(?:(model|KV|compute|output|RS)\s{1,40})?buffer size\s{0,40}=\s{0,40}"
    r"([0-9]{1,8}(?:\.[0-9]{1,12})?)\s{0,40}MiB"
)
# Where a model is opened, and where a context is made: what stands behind is of another one.
_OPENED = r"loaded meta data with|load_tensors: loading model tensors"
_MADE = r"constructing llama_context|llama_new_context_with_model: n_ctx"
_EVENT = re.compile("(%s)|(%s)|(?:%s)" % (_OPENED, _MADE, _BUFFER.pattern))
# Buffers with weights in the layout of a kernel, by the names that they have had.
_KLEIDIAI_BUFFER = "CPU_KLEIDIAI"
REPACKED = ("CPU_REPACK", "CPU_AARCH64", _KLEIDIAI_BUFFER, "AMX")
# What is more is nonsense, and in no record.
_MOST_BYTES = 10**15
_REPACK = re.compile(r"repack tensor (\S+) with (\S+)")
_TILES = re.compile(r"amx repack tensor (\S+) of type (\S+)")
# The name of the layout that weights have in the buffer of that name, whatever their type.
AMX = "amx"
# What stands for the layouts in KleidiAI's buffer, of which the log names neither these nor the tensors; and what it
# takes: get_tensor_traits in ggml/src/ggml-cpu/kleidiai/kleidiai.cpp of b11434.
KLEIDIAI = "kleidiai"
KLEIDIAI_TYPES = ("Q4_0", "Q8_0")
# What ik_llama.cpp says of repacking: how many tensors, not which. "============ Repacked 112 tensors".
_TOLD = re.compile(r"^=+ Repacked ([0-9]{1,9}) tensors$", re.MULTILINE)
# What stands in the place of a layout where a log counts tensors and names no layout.
RUN_TIME = "at run time"
# "llama_model_loader: - type q4_0:  113 tensors"
_TYPE = re.compile(r"llama_model_loader: - type\s+(\w+):\s+([0-9]{1,9}) tensors")
# "q4_0_8x8", "q4_K_8x4", "iq4_nl_4x4": the type of the tensor, then rows and columns of a block.
_LAYOUT = re.compile(r"(\w+)_\d+x\d+$")


def layout_type(layout: str) -> str:
    """Return the tensor type of a layout by its name in ggml_types: Q4_0 of q4_0_8x8, Q4_K of q4_K_8x4."""
    match = _LAYOUT.match(layout)
    return (match.group(1) if match else layout).upper()


def parse_log(text: str) -> Dict[str, Any]:
    """Return the buffers, the repacked tensors and the tensors of the file that a log names.

    {"buffers": [{"name", "use", "bytes"}], "repack": {layout: number of tensors}, "types": {type: {layout: number of
    tensors}}, "tensors": {type: number of tensors in the file}}.

    `use` is model, kv, compute, output or rs. The log gives MiB with two digits, so bytes are right to 5 KiB.
    A log that names nothing gives an empty list and empty dicts. One that only counts what it repacks has that number
    under RUN_TIME for a layout, and nothing in `types`.
    """
    buffers = _buffers(text)
    layouts: Dict[str, Set[str]] = {}
    for tensor, layout in _REPACK.findall(text):
        layouts.setdefault(layout, set()).add(tensor)
    rows: List[Dict[str, Any]] = [
        {"name": name, "use": use, "bytes": size} for (name, use), size in sorted(buffers.items())
    ]
    repack = {layout: len(tensors) for layout, tensors in sorted(layouts.items())}
    types: Dict[str, Dict[str, int]] = {}
    for layout, count in repack.items():
        types.setdefault(layout_type(layout), {})[layout] = count
    told = _TOLD.findall(text)
    if told:
        repack[RUN_TIME] = int(told[-1])
    tiles = {tensor: kind.upper() for tensor, kind in _TILES.findall(text)}
    if tiles:
        repack[AMX] = len(tiles)
    for kind in tiles.values():
        seen = types.setdefault(kind, {})
        seen[AMX] = seen.get(AMX, 0) + 1
    tensors = {kind.upper(): int(count) for kind, count in _TYPE.findall(text)}
    return {"buffers": rows, "repack": repack, "types": types, "tensors": tensors}


def _buffers(text: str) -> Dict[Any, int]:
    """Return the bytes of the buffers by name and use, of the last model that was opened and the last context.

    The weights have a buffer for each range of a file that is mapped and for each part of a file, a context one for
    each kind of layer: these are summed. What is named again without another model or context replaces the earlier.
    """
    buffers: Dict[Any, int] = {}
    contexts = re.search(_MADE, text) is not None
    # Of what the buffers named so far are over, since another model or context was begun.
    over = {"model": False, "kv": False}
    for opened, made, name, use, size in _EVENT.findall(text):
        if opened or made:
            over.update({"model": True, "kv": True} if opened else {"kv": True})
            continue
        use = (use or "model").lower()
        if over.get(use):
            for key in [key for key in buffers if key[1] == use]:
                del buffers[key]
            over[use] = False
        summed = use == "model" or (use == "kv" and contexts)
        named = int(float(size) * 1024 * 1024) + (buffers.get((name, use), 0) if summed else 0)
        buffers[name, use] = min(named, _MOST_BYTES)
    return buffers


def is_repacked(buffer: Dict[str, Any]) -> bool:
    """Say whether a buffer of a parsed log holds weights in the layout of a kernel."""
    return bool(buffer["use"] == "model" and buffer["name"] in REPACKED)


def in_kleidiai(kernel: Dict[str, Any]) -> Dict[str, int]:
    """Return {tensor type: number of tensors} of what KleidiAI has taken by a parsed log: it has a buffer of its own.

    That is what nothing else has repacked of the types it has kernels for. llama.cpp's own layouts stay for a file's
    experts, and for Q8_0 where llama.cpp is from before KleidiAI's kernels for that.
    """
    buffers = kernel.get("buffers") or []
    if not any(is_repacked(row) and row["name"] == _KLEIDIAI_BUFFER and row["bytes"] for row in buffers):
        return {}
    tensors, types = kernel.get("tensors") or {}, kernel.get("types") or {}
    left = {kind: tensors.get(kind, 0) - sum((types.get(kind) or {}).values()) for kind in KLEIDIAI_TYPES}
    return {kind: count for kind, count in left.items() if count > 0}


def buffer_bytes(kernel: Dict[str, Any]) -> Dict[str, int]:
    """Return the sums of a parsed log's buffers by metric name; repacked weights are counted apart from mapped ones."""
    sums = {"model_buffer_bytes": 0, "repack_buffer_bytes": 0, "kv_buffer_bytes": 0, "compute_buffer_bytes": 0}
    for buffer in kernel["buffers"]:
        use = buffer["use"]
        if use == "model":
            sums["repack_buffer_bytes" if is_repacked(buffer) else "model_buffer_bytes"] += buffer["bytes"]
        elif use in ("kv", "compute"):
            sums[use + "_buffer_bytes"] += buffer["bytes"]
    return sums
