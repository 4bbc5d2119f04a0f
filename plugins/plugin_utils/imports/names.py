# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a row of results is of: its quantization, model, processor and settings, in names of ours.

Source: llama_ftype_name() of src/llama-model-loader.cpp, get_cpu_info() and get_backend() of llama-bench.cpp.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

PREFIX = "imported-"
UNKNOWN = "unknown"
# Of a directory of the store.
_LONGEST_NAME = 100

# What llama.cpp calls its file types, those that it has removed since included.
FILE_TYPES = {
    "all F32": "F32",
    "F16": "F16",
    "BF16": "BF16",
    "Q1_0": "Q1_0",
    "Q2_0": "Q2_0",
    "Q4_0": "Q4_0",
    "Q4_1": "Q4_1",
    "Q4_1, some F16": "Q4_1",
    "Q5_0": "Q5_0",
    "Q5_1": "Q5_1",
    "Q8_0": "Q8_0",
    "MXFP4 MoE": "MXFP4_MOE",
    "NVFP4": "NVFP4",
    "Q2_K": "Q2_K",
    "Q2_K - Medium": "Q2_K",
    "Q2_K - Small": "Q2_K_S",
    "Q3_K - Small": "Q3_K_S",
    "Q3_K - Medium": "Q3_K_M",
    "Q3_K - Large": "Q3_K_L",
    "Q4_K - Small": "Q4_K_S",
    "Q4_K - Medium": "Q4_K_M",
    "Q5_K - Small": "Q5_K_S",
    "Q5_K - Medium": "Q5_K_M",
    "Q6_K": "Q6_K",
    "TQ1_0 - 1.69 bpw ternary": "TQ1_0",
    "TQ2_0 - 2.06 bpw ternary": "TQ2_0",
    "IQ2_XXS - 2.0625 bpw": "IQ2_XXS",
    "IQ2_XS - 2.3125 bpw": "IQ2_XS",
    "IQ2_S - 2.5 bpw": "IQ2_S",
    "IQ2_M - 2.7 bpw": "IQ2_M",
    "IQ3_XS - 3.3 bpw": "IQ3_XS",
    "IQ3_XXS - 3.0625 bpw": "IQ3_XXS",
    "IQ1_S - 1.5625 bpw": "IQ1_S",
    "IQ1_M - 1.75 bpw": "IQ1_M",
    "IQ4_NL - 4.5 bpw": "IQ4_NL",
    "IQ4_XS - 4.25 bpw": "IQ4_XS",
    "IQ3_S - 3.4375 bpw": "IQ3_S",
    "IQ3_S mix - 3.66 bpw": "IQ3_M",
    "Q4_0_4_4": "Q4_0_4_4",
    "Q4_0_4_8": "Q4_0_4_8",
    "Q4_0_8_8": "Q4_0_8_8",
}
# A fork's, or one that is newer: a name that looks like a type, with its bits per weight.
_LIKE_A_TYPE = re.compile(r"((?:I?Q|TQ|MXFP|NVFP|BF|F)\d\w*)(?: - [\d.]+ bpw.*)?", re.ASCII)
_LONGEST_TYPE = 400
_NO_TYPE = "unknown, may not work"
_IN_NAME = re.compile(r"[-._]((?:I?Q\d|BF16|F16|F32|MXFP4|NVFP4|TQ\d)[A-Za-z0-9_]*)$", re.IGNORECASE)
_SPLIT = re.compile(r"-\d{5}-of-\d{5}$")
# File names that say nothing of the model: the converter's own, and a blob by its digest.
_SAYS_NOTHING = re.compile(
    r"(?:ggml-)?model|gguf|weights|consolidated(?:\.\d+)?|(?:sha256-)?[0-9a-f]{32,64}", re.IGNORECASE
)


def _file_type(words: str) -> str | None:
    plain = words.replace("(guessed)", "").strip().removeprefix("mostly ")
    match = _LIKE_A_TYPE.fullmatch(plain)
    return FILE_TYPES.get(plain) or (match.group(1) if match else None)


def _split_type(row: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the words of a row's model_type before those of its file type, and the type."""
    # No name of a type is longer, and each end of the words is tried.
    words = str(row.get("model_type") or "")[:_LONGEST_TYPE].split()
    for at in range(len(words)):
        kind = _file_type(" ".join(words[at:]))
        if kind:
            head = " ".join(words[:at])
            return head.removesuffix("(guessed)").strip().removesuffix("mostly").strip(), kind
    return " ".join(words).removesuffix(_NO_TYPE).strip(), None


def quantization(row: Mapping[str, Any]) -> str:
    """Return the file type of a row by its model_type (llama 8B Q4_K - Medium) or file name; "unknown" without one."""
    kind = _split_type(row)[1]
    if kind:
        return kind
    match = _IN_NAME.search(stem(row))
    return match.group(1).upper() if match else UNKNOWN


def stem(row: Mapping[str, Any]) -> str:
    """Return the name of a row's model file without folder, .gguf and the number of a part."""
    name = re.split(r"[\\/]", str(row.get("model_filename") or ""))[-1]
    return _SPLIT.sub("", re.sub(r"\.gguf$", "", name, flags=re.IGNORECASE))


def model_name(row: Mapping[str, Any]) -> str:
    """Return the name of a row's model: of the file without its type, else the first words of model_type.

    A file name that says nothing, such as ggml-model, is none.
    """
    named = _IN_NAME.sub("", stem(row))
    said = shortened(re.sub(r"\s+", "-", _split_type(row)[0].lower()), 80)
    if named and not (said and _SAYS_NOTHING.fullmatch(named)):
        return shortened(named.lower(), 80)
    return said or UNKNOWN


def shortened(words: str, most: int) -> str:
    """Return words of at most `most` characters; of longer ones the beginning and a digest of the whole.

    So two things that begin alike stay two.
    """
    if len(words) <= most:
        return words
    return f"{words[: most - 13]}-{hashlib.sha256(words.encode('utf-8', 'backslashreplace')).hexdigest()[:12]}"


# ---- Machines ----

# Words of cpu_info that name no processor: on Arm llama.cpp says CPU, and libraries stand beside it.
_NO_PROCESSOR = {"", "cpu", "unknown", "generic", "blas", "openblas", "blis", "mkl", "accelerate", "amx", "none"}
# Backends that compute on the processor. Source: ggml/src, the registries of its backends.
_ON_CPU = {"", "cpu", "blas", "zendnn", "openblas", "amx", "kleidiai"}
# How llama-bench named its backends before it had `backends`.
_OLD_GPU = ("cuda", "vulkan", "kompute", "metal", "sycl", "gpu_blas")


def _pieces(value: Any) -> list[str]:
    return [piece.strip() for piece in re.split(r"[,|]", str(value or ""))]


def processor(row: Mapping[str, Any]) -> str:
    """Return the processor that a row names, "" where its words name none."""
    words = str(row.get("cpu_info") or "").strip()
    return words if any(piece.lower() not in _NO_PROCESSOR for piece in _pieces(words)) else ""


def accelerator(row: Mapping[str, Any]) -> str:
    """Return the GPU that a row's program computes on, or its backend; "" for one that has the processor alone."""
    backends = [piece for piece in _pieces(row.get("backends")) if piece.lower() not in _ON_CPU]
    backends += [name for name in _OLD_GPU if str(row.get(name) or "0").lower() in ("1", "true")]
    gpu = str(row.get("gpu_info") or "").strip()
    return gpu or ", ".join(backends)


def machine_name(given: str, cpu: str, gpu: str = "", seal: str = "") -> str:
    """Return the name under which results are kept: as given, else by the processor, with the GPU if there is one.

    Without either it ends in `seal`, so that two files which say nothing are not taken for one machine.
    """
    words = given or cpu or " ".join(filter(None, ("machine", seal)))
    slug = _slug(words) or "machine"
    named = slug if slug.startswith(PREFIX) else PREFIX + slug
    name = f"{named}-with-{_slug(gpu)}" if gpu else named
    return shortened(name, _LONGEST_NAME)


def _slug(words: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    # Letters that a path of ours does not have: without them two names would be one.
    lost = re.search(r"[^\W_]", re.sub(r"[a-zA-Z0-9]", "", words))
    if not lost and len(slug) <= 60:
        return slug
    digest = hashlib.sha256(words.encode("utf-8", "backslashreplace")).hexdigest()[:6]
    return "-".join(filter(None, (slug[:50].strip("-"), digest)))


# ---- Settings ----

# What a row says that is no setting of it: what was measured, when, on what, and what a cell has fields for.
_NO_SETTING = {
    "build_commit", "build_number", "build_word", "compiler_target", "cpu_info", "model_filename", "model_type",
    "n_threads", "n_prompt", "n_gen", "n_depth", "test", "test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts",
    "samples_ns", "samples_ts", "load_s", "system_info", "unknown_length",
}  # fmt: skip


def settings(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what a row says of how it was measured, by llama-bench's names, as text; what is empty is left out.

    Whatever it says that is no result and no field of a cell is a setting, so that a later version's are as well.
    """
    held = {name: text(value) for name, value in row.items() if name and name not in _NO_SETTING}
    if row.get("system_info"):
        held["system_info"] = hashlib.sha256(str(row["system_info"]).encode("utf-8", "backslashreplace")).hexdigest()[
            :8
        ]
    return {shortened(name, 60): shortened(value, 200) for name, value in sorted(held.items()) if value}


def text(value: Any) -> str:
    """Return a value of a row as text, the same in every form: yes is 1, and a whole number has no decimals."""
    if isinstance(value, bool) or str(value).lower() in ("true", "false"):
        return "1" if str(value).lower() == "true" else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (list, dict)):
        return json.dumps(value, sort_keys=True)
    return "" if value is None else str(value).strip()
