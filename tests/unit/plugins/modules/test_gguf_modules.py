# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as Ansible runs them: a process of its own, arguments as JSON on standard input, a result on output."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import modules
from support.models import gguf_files as files

from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import verify
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import lookup
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantize import expected_bytes
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import PRESETS
from ansible_collections.cloudbench.llama.plugins.module_utils.models.synthetic import RECIPES, generate, plan

ROOT = Path(__file__).resolve().parents[4]
HELP = ROOT / "tests" / "fixtures" / "llama-quantize" / "help-0c1e57098.txt"
MODULES = "ansible_collections.cloudbench.llama.plugins.modules."


def call(module: str, /, check: bool = False, **arguments: Any) -> dict[str, Any]:
    process = modules.run(module, arguments, check)
    assert process.stdout, process.stderr
    result = json.loads(process.stdout)
    assert process.returncode == (1 if result.get("failed") else 0)
    return result


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.gguf"
    path.write_bytes(files.vocabulary())
    return str(path)


@pytest.fixture
def f16(tmp_path: Path, vocabulary: str) -> str:
    path = str(tmp_path / "given" / "mini.gguf")
    generate(plan(files.MINI, "F16", 1, vocabulary), path)
    return path


def fake_quantize(tmp_path: Path, body: str) -> str:
    """A program that answers --help like the real one and otherwise runs `body` ($1 source, $2 target, $3 type)."""
    path = tmp_path / "llama-quantize"
    path.write_text(f'#!/bin/sh\nif [ "$1" = --help ]; then cat "{HELP}"; exit 1; fi\n{body}\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def quantize_binary(tmp_path: Path, vocabulary: str) -> str:
    """Makes Q8_0 files, whatever it is asked for."""
    made = str(tmp_path / "made.gguf")
    generate(plan(files.MINI, "Q8_0", 1, vocabulary), made)
    return fake_quantize(tmp_path, f'cat "{made}" > "$2"')


# tiny-synthetic is as small as a preset gets, and needs a vocabulary of its size.
@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("real") / "vocabulary.gguf"
    path.write_bytes(files.vocabulary(PRESETS["tiny-synthetic"].vocabulary))
    return str(path)


class TestSynthetic:
    def test_life(self, real: str, tmp_path: Path) -> None:
        arguments = {"model": "tiny-synthetic", "quantization": "q4_0", "directory": str(tmp_path / "models")}
        path = tmp_path / "models" / "tiny-synthetic-q4.gguf"

        predicted = call("gguf_synthetic", check=True, vocabulary=real, **arguments)
        assert (predicted["changed"], predicted["model"], path.exists()) == (True, None, False)

        written = call("gguf_synthetic", vocabulary=real, **arguments)
        assert written["changed"] is True
        assert written["model"]["path"] == str(path)
        assert written["model"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (written["model"]["name"], written["model"]["synthetic"]) == ("tiny-synthetic", True)

        # Neither the vocabulary nor llama-quantize is needed any more.
        again = call("gguf_synthetic", **arguments)
        assert (again["changed"], again["model"]) == (False, written["model"])

        # The sidecar is lost: found again by content, and in check mode nothing is written.
        sidecar = Path(f"{path}.json")
        sidecar.unlink()
        for check in (True, False):
            adopted = call("gguf_synthetic", check=check, vocabulary=real, **arguments)
            assert (adopted["changed"], adopted["model"]) == (False, written["model"])
            assert sidecar.exists() is not check

        # Damaged: noticed, predicted, repaired to the same bytes.
        with path.open("r+b") as file:
            file.truncate(1000)
        predicted = call("gguf_synthetic", check=True, vocabulary=real, **arguments)
        assert (predicted["changed"], path.stat().st_size) == (True, 1000)
        repaired = call("gguf_synthetic", vocabulary=real, **arguments)
        assert (repaired["changed"], repaired["model"]) == (True, written["model"])

    def test_a_type_that_llama_quantize_makes(self, real: str, tmp_path: Path) -> None:
        arguments = {"model": "tiny-synthetic", "quantization": "Q4_K_M", "directory": str(tmp_path)}
        failed = call("gguf_synthetic", vocabulary=real, **arguments)
        assert "Q4_K_M is made by llama-quantize, whose path is missing" in failed["msg"]

        # The fake gives back what it got, under the number of another type.
        binary = fake_quantize(tmp_path, 'cat "$1" > "$2"')
        failed = call("gguf_synthetic", vocabulary=real, quantize_binary=binary, **arguments)
        assert "llama-quantize was asked for Q4_K_M and wrote F16" in failed["msg"]
        assert sorted(path.name for path in tmp_path.glob("*.gguf")) == ["tiny-synthetic-f16.gguf"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"quantization": "Q4_KM"}, "'Q4_KM' is no quantization of llama-quantize; they are Q1_0, "),
            ({"model": "llama-4"}, "value of model must be one of: tiny-synthetic, "),
            ({"seed": -1}, "the seed -1 is not from 0"),
            ({"vocabulary": None}, "set vocabulary to the path of models/ggml-vocab-llama-bpe.gguf"),
            ({"vocabulary": "/nowhere/v.gguf"}, "/nowhere/v.gguf cannot be read"),
        ],
    )
    def test_what_is_refused(self, arguments: dict[str, Any], message: str, vocabulary: str, tmp_path: Path) -> None:
        given = {
            "model": "tiny-synthetic",
            "directory": str(tmp_path / "models"),
            "vocabulary": vocabulary,
            **arguments,
        }
        result = call("gguf_synthetic", **given)
        assert message in result["msg"]
        assert not (tmp_path / "models").exists()


class TestInfo:
    def test_describe_and_move(self, tmp_path: Path) -> None:
        path, target = tmp_path / ".download", tmp_path / "models" / "mine.gguf"
        path.write_bytes(files.model(kind=33, file_type=35))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        arguments = {"path": str(path), "move_to": str(target), "sha256": digest, "source": "https://example.com/m"}

        predicted = call("gguf_info", check=True, **arguments)
        assert (predicted["changed"], path.exists(), target.exists()) == (True, True, False)

        result = call("gguf_info", **arguments)
        assert (result["changed"], result["removed_types"]) == (True, ["Q4_0_8_8"])
        assert result["model"] == predicted["model"]
        assert (path.exists(), target.exists()) == (False, True)
        model = result["model"]
        assert (model["name"], model["quantization"], model["file"]) == ("mine", "Q4_0_8_8", "mine.gguf")
        assert (model["path"], model["source"], model["sha256"]) == (str(target), "https://example.com/m", digest)
        assert json.loads(Path(f"{target}.json").read_text())["sha256"] == digest

        again = call("gguf_info", path=str(target), sha256=digest)
        assert again["changed"] is False

    def test_a_refused_file_is_not_moved(self, tmp_path: Path) -> None:
        path, target = tmp_path / ".download", tmp_path / "mine.gguf"
        path.write_bytes(b"<html>sign in</html>")
        target.write_bytes(files.model())
        result = call("gguf_info", path=str(path), move_to=str(target))
        assert "an HTML or XML page, not a model" in result["msg"]
        assert target.read_bytes() == files.model()

        path.write_bytes(files.model(architecture="bert"))
        assert "architecture 'bert'" in call("gguf_info", path=str(path), move_to=str(target))["msg"]
        path.write_bytes(files.model(kind=31))
        result = call("gguf_info", path=str(path), move_to=str(target), allow_removed=False)
        assert "Q4_0_4_4 was removed" in result["msg"]
        assert target.read_bytes() == files.model()

    def test_what_the_caller_knows_better(self, tmp_path: Path) -> None:
        path = tmp_path / "m.gguf"
        path.write_bytes(files.model(file_type=777))
        result = call("gguf_info", path=str(path), name="n", quantization="q4_0", synthetic=True)
        assert [result["model"][key] for key in ("name", "quantization", "synthetic")] == ["n", "Q4_0", True]


class TestQuantize:
    def test_life(self, f16: str, quantize_binary: str, tmp_path: Path) -> None:
        arguments = {
            "src": f16,
            "name": "mine",
            "quantization": "Q8_0",
            "directory": str(tmp_path / "models"),
            "binary": quantize_binary,
        }
        path = tmp_path / "models" / "mine-q8.gguf"
        predicted = call("gguf_quantize", check=True, **arguments)
        assert (predicted["changed"], predicted["model"], path.exists()) == (True, None, False)

        result = call("gguf_quantize", **arguments)
        model = result["model"]
        assert (result["changed"], model["path"], model["name"]) == (True, str(path), "mine")
        assert (model["source"], model["synthetic"]) == (f"{f16}, quantized from F16", True)
        assert model["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()

        again = call("gguf_quantize", **arguments)
        assert (again["changed"], again["model"]) == (False, model)

    def test_a_file_of_the_wanted_type_is_used_as_it_is(self, f16: str, tmp_path: Path) -> None:
        result = call("gguf_quantize", src=f16, name="mine", quantization="F16", directory=str(tmp_path / "models"))
        assert (result["changed"], result["model"]["path"], result["model"]["name"]) == (False, f16, "mine")
        assert not (tmp_path / "models").exists()

    def test_it_never_overwrites_its_source(self, f16: str, quantize_binary: str, tmp_path: Path) -> None:
        path = tmp_path / "mine-q8.gguf"
        os.rename(f16, path)
        before = path.read_bytes()
        result = call(
            "gguf_quantize",
            src=str(path),
            name="mine",
            quantization="Q8_0",
            directory=str(tmp_path),
            binary=quantize_binary,
        )
        assert "would be overwritten by its own quantization" in result["msg"]
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        ("body", "quantization", "message"),
        [
            (
                "echo 'main: failed to quantize: no reason' >&2; exit 1",
                "Q5_K_M",
                "exit code 1, main: failed to quantize",
            ),
            ("kill -ILL $$", "Q4_0", "it was built for another processor (illegal instruction)"),
            ("kill -SEGV $$", "Q4_0", "signal 11 ended it"),
            ("exit 0", "Q4_0", "is empty"),
            ('cat "$1" > "$2"', "Q4_0", "was asked for Q4_0 and wrote F16"),
            ('head -c 100000 "$1" > "$2"', "Q4_0", "truncated"),
            ("exit 0", "Q4_0_8_8", "does not know Q4_0_8_8; use a build before b4282"),
        ],
    )
    def test_a_good_file_survives_a_failure(
        self, body: str, quantization: str, message: str, f16: str, tmp_path: Path
    ) -> None:
        directory = tmp_path / "models"
        directory.mkdir()
        kept = directory / "mine-q4.gguf"
        kept.write_bytes(files.model())
        binary = fake_quantize(tmp_path, body)
        result = call(
            "gguf_quantize", src=f16, name="mine", quantization=quantization, directory=str(directory), binary=binary
        )
        assert message in result["msg"]
        assert kept.read_bytes() == files.model()
        assert os.listdir(directory) == ["mine-q4.gguf"]

    def test_what_is_refused(self, f16: str, tmp_path: Path) -> None:
        def refused(**arguments: Any) -> str:
            given = {"src": f16, "name": "mine", "quantization": "Q8_0", "directory": str(tmp_path / "m"), **arguments}
            return call("gguf_quantize", **given)["msg"]

        q4 = tmp_path / "q4.gguf"
        q4.write_bytes(files.model())
        assert "is Q4_0; only F32, F16, BF16 can be quantized to Q8_0" in refused(src=str(q4))
        assert "set binary" in refused()
        assert "cannot be run: No such file" in refused(binary=str(tmp_path / "none"))
        assert "--help lists no types: exit code 0, " in refused(binary="/bin/true")
        assert "becomes a file name" in refused(name="../x")
        assert not (tmp_path / "m").exists()


# Real sizes: what llama.cpp 0c1e57098 made of the generated F16 file of tiny-synthetic.
@pytest.mark.parametrize(
    ("quantization", "size"),
    [
        ("Q2_K", 36_200_608),
        ("Q4_0", 36_975_776),
        ("Q4_K_M", 37_127_840),
        ("Q5_K_M", 37_545_632),
        ("Q8_0", 46_893_728),
        ("BF16", 81_361_568),
    ],
)
def test_the_room_asked_for_is_enough_and_not_absurd(quantization: str, size: int, tmp_path: Path) -> None:
    vocabulary = tmp_path / "v.gguf"
    vocabulary.write_bytes(files.vocabulary(128_256, 0))
    planned = plan(PRESETS["tiny-synthetic"], "F16", 1, str(vocabulary))
    path = tmp_path / "f16.gguf"
    with path.open("wb") as file:
        file.write(planned.header)
        file.truncate(planned.bytes)
    header = 7_820_832 - len(planned.header)  # the real tokenizer is larger
    expected = expected_bytes(verify(str(path)), lookup(quantization)) + header
    assert size <= expected <= size * 1.3


def test_disk_space(tmp_path: Path) -> None:
    arguments = {"path": str(tmp_path / "not" / "there"), "purpose": "Downloading x"}
    assert call("disk_space", bytes=1, **arguments)["changed"] is False
    message = call("disk_space", bytes=2**60, **arguments)["msg"]
    assert message.startswith("Downloading x")
    assert "1,152,921,504,606,846,976 bytes" in message


def test_the_documentation_names_what_there_is() -> None:
    documentation = yaml.safe_load(importlib.import_module(MODULES + "gguf_synthetic").DOCUMENTATION)
    assert documentation["options"]["model"]["choices"] == list(PRESETS)
    text = " ".join(documentation["options"]["quantization"]["description"])
    assert all(f"V({name})" in text for name in RECIPES)
