# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module gguf_quantize where the source is quantized already, and where an importance matrix is asked for."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from support import modules
from support.models import gguf_files as files

from ansible_collections.cloudbench.llama.plugins.module_utils.models import imatrix
from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import ModelFileError, describe, verify
from ansible_collections.cloudbench.llama.plugins.module_utils.models.synthetic import generate, plan

ROOT = Path(__file__).resolve().parents[4]
HELP = ROOT / "tests" / "fixtures" / "llama-quantize" / "help-0c1e57098.txt"
TOO_SHORT = "E compute_imatrix: the data file you provided tokenizes to only 70 tokens"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a Q8_0, and stand-ins of llama-quantize and llama-imatrix that keep what they were asked."""
    vocabulary = tmp_path / "vocabulary.gguf"
    vocabulary.write_bytes(files.vocabulary())
    for name in ("Q8_0", "F16", "Q4_0"):
        generate(plan(files.MINI, name, 1, str(vocabulary)), str(tmp_path / f"{name}.gguf"))
    quantize = tmp_path / "llama-quantize"
    quantize.write_text(
        f'#!/bin/sh\nif [ $1 = --help ]; then cat {HELP}; exit 1; fi\necho "$@" >> {tmp_path}/asked\n'
        "while :; do case $1 in --imatrix) shift 2 ;; --*) shift ;; *) break ;; esac; done\n"
        f"cat {tmp_path}/$3.gguf > $2\n"
    )
    quantize.chmod(0o755)
    matrix(tmp_path)
    (tmp_path / "book.txt").write_text("a book\n")
    return tmp_path


def matrix(place: Path, chunks: int = 4, said: str = "") -> None:
    """Put a llama-imatrix in its place that makes a matrix of so many chunks, none where it says something."""
    made = files.gguf([files.record("imatrix.chunk_count", files.UINT32, chunks)])
    (place / "made.imatrix").write_bytes(made)
    path = place / "llama-imatrix"
    path.write_text(
        f"#!{sys.executable} -I\nimport pathlib, sys\n"
        f"pathlib.Path({str(place / 'matrices')!r}).open('a').write(' '.join(sys.argv[1:]) + chr(10))\n"
        f"sys.stderr.write({said!r})\n"
        f"data = pathlib.Path({str(place / 'made.imatrix')!r}).read_bytes()\n"
        + ("" if said else "pathlib.Path(sys.argv[sys.argv.index('-o') + 1]).write_bytes(data)\n")
    )
    path.chmod(0o755)


def call(place: Path, quantization: str, check: bool = False, **more: Any) -> dict[str, Any]:
    arguments = {
        "src": str(place / "Q8_0.gguf"), "directory": str(place / "out"), "quantization": quantization, "name": "mini",
        "source": "a package", "binary": str(place / "llama-quantize"), **more,
    }  # fmt: skip
    process = modules.run("gguf_quantize", arguments, check)
    assert process.stdout, process.stderr
    return dict(json.loads(process.stdout))


def made(place: Path, **more: Any) -> dict[str, Any]:
    model = verify(str(place / "F16.gguf"))
    given = {
        "synthetic": False, "text": str(place / "book.txt"), "text_name": "book", "chunks": 4,
        "binary": str(place / "llama-imatrix"), "threads": 2, "path": str(place / "mini.imatrix"), **more,
    }  # fmt: skip
    return imatrix.make(model, **given)


def test_a_quantized_file_is_refused_with_the_option_that_takes_it(place: Path) -> None:
    told = call(place, "Q4_0")["msg"]
    assert "Q8_0.gguf is Q8_0; only F32, F16, BF16 can be quantized to Q4_0" in told
    assert "set requantize to true" in told


def test_it_is_made_wider_once_and_everything_is_made_of_that(place: Path) -> None:
    model = call(place, "Q4_0", requantize=True)["model"]
    assert os.path.basename(model["path"]) == "mini-q4.gguf"
    assert model["widened_from"] == "Q8_0"
    assert model["source"] == "a package, made wider from Q8_0, quantized from F16"
    wide = call(place, "F16", requantize=True)
    assert not wide["changed"]
    assert (wide["model"]["quantization"], wide["model"]["widened_from"]) == ("F16", "Q8_0")
    assert wide["model"]["source"] == "a package, made wider from Q8_0"
    assert [line.split()[0] == "--allow-requantize" for line in (place / "asked").read_text().splitlines()] == [
        True,
        False,
    ]
    again = call(place, "Q4_0", requantize=True)
    assert (again["changed"], again["model"]) == (False, model)


def test_its_own_type_is_taken_as_it_is(place: Path) -> None:
    model = call(place, "Q8_0", requantize=True)["model"]
    assert model["path"] == str(place / "Q8_0.gguf")
    assert "widened_from" not in model
    assert not (place / "out").exists()


def test_check_mode_says_that_it_would_and_writes_nothing(place: Path) -> None:
    assert call(place, "Q4_0", check=True, requantize=True) | {"invocation": 0} == {
        "changed": True, "model": None, "invocation": 0,
    }  # fmt: skip
    assert not (place / "out").exists()


@pytest.mark.parametrize("name", ["IQ2_M", "Q2_K_S", "IQ3_XS"])
def test_a_type_that_needs_a_matrix_is_refused_before_anything_is_written(place: Path, name: str) -> None:
    told = call(place, name, src=str(place / "F16.gguf"))["msg"]
    assert told == f"{name} is made with an importance matrix only; write {name}+imatrix"
    assert not (place / "out").exists()


def test_a_matrix_without_its_means_is_refused(place: Path) -> None:
    told = call(place, "Q4_0+imatrix", src=str(place / "F16.gguf"))["msg"]
    assert told == (
        "Q4_0+imatrix is made with an importance matrix; set imatrix_binary and imatrix_text, of which it is made"
    )


def test_random_weights_have_no_importance(place: Path) -> None:
    means = {"imatrix_binary": str(place / "llama-imatrix"), "imatrix_text": str(place / "book.txt")}
    told = call(place, "Q4_0+imatrix", src=str(place / "F16.gguf"), **means)["msg"]
    assert "random weights, which have no importance to measure" in told
    assert not (place / "matrices").exists()


def test_a_matrix_is_made_once_for_a_text_and_a_number_of_chunks(place: Path) -> None:
    first = made(place)
    assert (first["text"], first["chunks"]) == ("book", 4)
    assert made(place) == first
    (place / "book.txt").write_text("another book\n")
    assert made(place)["text_sha256"] != first["text_sha256"]
    asked = (place / "matrices").read_text().splitlines()
    assert len(asked) == 2
    assert "-c 512 -b 512 --chunks 4 -t 2 --no-ppl" in asked[0]
    # What is written into the matrix names no directory.
    assert "-f book.txt " in asked[0]


def test_a_text_too_short_is_told_by_its_tokens_though_the_program_ends_well(place: Path) -> None:
    matrix(place, said=TOO_SHORT)
    with pytest.raises(ModelFileError, match=r"has 70 tokens, and an importance matrix takes 1024 at least"):
        made(place)
    assert not (place / "mini.imatrix").exists()


def test_fewer_chunks_than_asked_make_no_matrix(place: Path) -> None:
    matrix(place, chunks=3)
    with pytest.raises(ModelFileError, match=r"gave 3 of 4 chunks"):
        made(place)
    assert not (place / "mini.imatrix").exists()


def test_a_program_that_makes_nothing_or_is_not_there(place: Path) -> None:
    matrix(place, said="nothing to do")
    with pytest.raises(ModelFileError, match=r"llama-imatrix made no importance matrix"):
        made(place)
    with pytest.raises(ModelFileError, match="cannot be run"):
        made(place, binary=str(place / "none"))
    with pytest.raises(ModelFileError, match=r"the text of the importance matrix, .* is not there"):
        made(place, text=str(place / "none.txt"))


def test_a_file_of_somebody_else_says_what_it_was_made_with_and_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "theirs.gguf"
    path.write_bytes(
        files.model(
            records=[
                files.record("quantize.imatrix.file", files.STRING, "/srv/them/x.imatrix"),
                files.record("quantize.imatrix.dataset", files.STRING, "/srv/them/calibration.txt"),
                files.record("quantize.imatrix.chunks_count", files.INT32, 125),
            ]
        )
    )
    payload = describe(verify(str(path)), quantization="Q4_0")
    assert payload["quantization"] == "Q4_0"
    assert payload["imatrix"] == {"text": "calibration.txt", "chunks": 125}
