# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantize a model file with llama-quantize: checked before, verified after, written whole or not at all."""

from __future__ import annotations

import os
import signal
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import (
    ModelFileError,
    describe,
    draft,
    own_quantization,
    recall,
    verify,
    write_sidecar,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import Gguf, parameters
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import (
    IMATRIX,
    UNQUANTIZED,
    Quantization,
    bits,
    listed,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import libraries
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Finished, run

HELP_SECONDS = 60.0
RUN_SECONDS = 24 * 3600.0

# llama-quantize keeps the embedding and output matrices at up to Q8_0, however small the rest gets.
_WIDE = ("token_embd.weight", "output.weight")
_WIDE_BITS = 8.5
_MARGIN = 1.1  # mixtures give some tensors the next larger type


def expected_bytes(model: Gguf, target: Quantization) -> int:
    """An upper estimate of the size of `model` quantized to `target`, for the check of free space."""
    wide = sum(tensor.bytes for tensor in model.tensors if tensor.name in _WIDE)
    width = UNQUANTIZED.get(own_quantization(model))
    if width is None:
        # It is made wider, and all of it gets this type.
        return model.data_offset + int(parameters(model) * max(16, bits(target)) / 8)
    wide_elements = wide * 8 // width
    narrow_elements = parameters(model) - wide_elements
    wide_bits = max(_WIDE_BITS, bits(target))
    return model.data_offset + int((wide_elements * wide_bits + narrow_elements * bits(target) * _MARGIN) / 8)


def existing(source_sha256: str, target: Quantization, name: str, path: str) -> Optional[Dict[str, Any]]:
    """The payload of the file at `path` if its sidecar says that it was quantized from the source, else None."""
    return recall(path, {"quantized_from": source_sha256, "quantization": target.name, "name": name})


def check_source(model: Gguf, target: Quantization, requantize: bool = False) -> None:
    """Raise ModelFileError unless the file is one that llama-quantize takes as a source.

    `requantize`: whether one that is quantized is taken too, and made wider before.
    """
    stored = own_quantization(model)
    if stored not in UNQUANTIZED and not requantize:
        raise ModelFileError(
            "{0} is {1}; only {2} can be quantized to {3}; give such a file, ask for {1}, or set requantize to true on "
            "its entry: what it has lost stays lost".format(model.path, stored, ", ".join(UNQUANTIZED), target.name)
        )


def check_imatrix(target: Quantization) -> None:
    """Raise ModelFileError where a type that is to be made needs an importance matrix and is asked for without."""
    if target.needs_imatrix and not target.imatrix:
        raise ModelFileError(f"{target.name} is made with an importance matrix only; write {target.name}{IMATRIX}")


def check_binary(binary: str, target: Quantization) -> None:
    """Raise ModelFileError unless llama-quantize at `binary` runs here and knows the type."""
    # --help leaves with 1, so the list of types is the only sign that it ran.
    ended = _run([binary, "--help"], HELP_SECONDS)
    known = listed(ended.stdout + ended.stderr)
    if not known:
        raise ModelFileError(f"{binary} --help lists no types: {_how_it_ended(ended)}; build llama.cpp here again")
    if target.plain not in known:
        remedy = "use a build before b4282" if target.legacy else "use a newer build of llama.cpp"
        raise ModelFileError(f"{binary} does not know {target.name}; {remedy}")


def quantize(
    model: Gguf,
    payload: Dict[str, Any],
    target: Quantization,
    binary: str,
    threads: int,
    path: str,
    origin: Optional[Dict[str, Any]] = None,
    imatrix: Optional[Tuple[str, Dict[str, Any]]] = None,
) -> Dict[str, Any]:
    """Quantize the verified `model`, described by `payload`, to `path`; return the payload of the new file.

    `origin`: what the sidecar of the new file is to say beyond the payload and the digest of the source. `imatrix`: the
    path of an importance matrix and what a record says of it.
    Raises ModelFileError when llama-quantize fails or there is no room, GgufError when its file does not read back.
    """
    with draft(path, expected_bytes(model, target)) as temporary:
        # The path as it is given here becomes part of the file, which is to be the same wherever it is made.
        place, name = os.path.split(imatrix[0]) if imatrix else ("", "")
        options = ["--imatrix", name] if imatrix else []
        options += ["--allow-requantize"] if own_quantization(model) not in UNQUANTIZED else []
        ended = _run([binary, *options, model.path, temporary, target.plain, str(threads)], RUN_SECONDS, place or None)
        if ended.exit_code != 0:
            raise ModelFileError(f"llama-quantize could not make {target.name} of {model.path}: {_how_it_ended(ended)}")
        made = own_quantization(verify(temporary))
        if made != target.plain:
            raise ModelFileError(
                f"llama-quantize was asked for {target.plain} and wrote {made}; check the binary {binary}"
            )
    wider = payload["quantization"] not in UNQUANTIZED
    more = {"widened_from": payload["quantization"]} if wider else {}
    more.update({key: payload[key] for key in ("widened_from",) if key in payload})
    result = describe(
        verify(path),
        name=payload["name"],
        quantization=target.name,
        source=("{}, made wider from {}" if wider else "{}, quantized from {}").format(
            payload["source"], payload["quantization"]
        ),
        synthetic=payload["synthetic"],
        more=dict(more, imatrix=imatrix[1]) if imatrix else more,
    )
    write_sidecar(path, dict(origin or {}, **dict(result, quantized_from=payload["sha256"])))
    return result


def _run(argv: List[str], seconds: float, directory: Optional[str] = None) -> Finished:
    try:
        return run(argv, seconds, libraries(), directory=directory, clean=True)
    except OSError as error:
        raise ModelFileError(
            f"{argv[0]} cannot be run: {error.strerror}; build llama.cpp or name its llama-quantize"
        ) from error


def _how_it_ended(ended: Finished) -> str:
    """One sentence: the signal and what it means, or the exit code and the last lines of the output."""
    if ended.timed_out:
        return f"it did not end within {ended.usage.wall_s:.0f} s"
    if ended.out_of_memory:
        return "the kernel killed it because memory ran out"
    if ended.signal == signal.SIGILL:
        return "it was built for another processor (illegal instruction)"
    if ended.signal is not None:
        return f"signal {ended.signal} ended it"
    lines = [line.strip() for line in (ended.stdout + "\n" + ended.stderr).splitlines() if line.strip(" =-")]
    return "exit code {}, {}".format(ended.exit_code, " | ".join(lines[-3:]) or "no output")
