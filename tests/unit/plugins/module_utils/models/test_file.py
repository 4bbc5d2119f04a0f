# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

import pytest
from support.models import gguf_files as files

from ansible_collections.cloudbench.llama.plugins.module_utils.models import file as model_file
from ansible_collections.cloudbench.llama.plugins.module_utils.models.digests import Digests, of_file
from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import (
    ModelFileError,
    describe,
    draft,
    file_name,
    move,
    read_sidecar,
    recall,
    remember,
    removed_types,
    removed_types_message,
    sha256_of,
    verify,
    write_pieces,
    write_sidecar,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import GgufError
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import SpaceError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "own-model.gguf"
    path.write_bytes(files.model())
    return path


def test_file_name() -> None:
    assert file_name("llama-3.2-1b-synthetic", "Q4_0_8_8") == "llama-3.2-1b-synthetic-q4-088.gguf"
    for name in ("../evil", "", "a/b", ".hidden", "Upper", "a\n", "x" * 101):
        with pytest.raises(ModelFileError, match="becomes a file name"):
            file_name(name, "Q4_0")


def test_describe(model: Path) -> None:
    payload = describe(verify(str(model)))
    assert payload == {
        "id": payload["id"],
        "name": "own-model",
        "quantization": "Q4_0",
        "file": "own-model.gguf",
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "bytes": 392,
        "parameters": 160,
        "synthetic": False,
        "source": str(model),
        "architecture": "llama",
        "tensor_types": {"F32": {"tensors": 1, "bytes": 128}, "Q4_0": {"tensors": 1, "bytes": 72}},
        "bits_per_weight": 10.0,
        "tensors_sha256": of_file(str(model)).tensors_sha256,
    }
    other = describe(verify(str(model)), "mine", "q8_0", "a shop", True)
    assert [other[key] for key in ("name", "quantization", "source", "synthetic")] == ["mine", "Q8_0", "a shop", True]
    assert len(other["id"]) == 12
    assert other["id"] != payload["id"]


def test_a_file_that_does_not_name_its_quantization(tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    path.write_bytes(files.model(file_type=777))
    with pytest.raises(
        ModelFileError, match=r"odd\.gguf does not name a known quantization .* 777.*; name it yourself"
    ):
        describe(verify(str(path)))
    assert describe(verify(str(path)), quantization="Q4_0")["quantization"] == "Q4_0"


@pytest.mark.parametrize(
    ("content", "options", "error", "message"),
    [
        (files.vocabulary(8), {}, GgufError, "holds no tensors, only a vocabulary"),
        (
            files.model(records=[files.record("split.count", files.UINT32, 4)]),
            {},
            GgufError,
            "one of 4 parts of a model; join them with `llama-gguf-split --merge`",
        ),
        (files.model(), {"sha256": "AB" * 32}, ModelFileError, f"has the SHA-256 .*, not {'ab' * 32}; get the file"),
        (files.model(), {"architectures": ["qwen2"]}, GgufError, "architecture 'llama'; only qwen2"),
        (
            files.model(kind=33),
            {"allow_removed": False},
            ModelFileError,
            r"Q4_0_8_8 was removed from llama\.cpp in b4282 .*; use Q4_0: .*, or measure it with a build before that",
        ),
    ],
)
def test_what_verify_refuses(
    content: bytes, options: dict, error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(error, match=message):
        verify(str(path), **options)


def test_verify_accepts(model: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert verify(str(model), ["llama"], digest.upper(), False).bytes == 392
    legacy = tmp_path / "legacy.gguf"
    legacy.write_bytes(files.model(kind=31))
    assert removed_types(verify(str(legacy))) == ["Q4_0_4_4"]
    assert removed_types_message(verify(str(model))) is None


class TestSidecar:
    def test_a_file_is_hashed_once(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        digest = sha256_of(str(model))
        remember(str(model), describe(verify(str(model))))
        monkeypatch.setattr(model_file, "_hash", lambda *_of: pytest.fail("read again"))
        assert sha256_of(str(model)) == digest

    def test_a_changed_file_is_hashed_again(self, model: Path) -> None:
        remember(str(model), describe(verify(str(model))))
        content = bytearray(model.read_bytes())
        content[-1] ^= 1
        model.write_bytes(content)
        os.utime(model, ns=(1, 1))
        assert read_sidecar(str(model)) == {}
        assert sha256_of(str(model)) == hashlib.sha256(content).hexdigest()

    def test_recall(self, model: Path) -> None:
        payload = describe(verify(str(model)))
        write_sidecar(str(model), dict(payload, seed=5))
        assert recall(str(model), {"seed": 5}) == payload
        assert recall(str(model), {"seed": 6}) is None
        assert recall(str(model), {"shape": "x"}) is None

    def test_a_sidecar_of_the_first_version_is_completed_by_one_reading(
        self, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payload = describe(verify(str(model)))
        added = ("tensor_types", "bits_per_weight", "tensors_sha256")
        first = {key: value for key, value in payload.items() if key not in added}
        write_sidecar(str(model), dict(first, seed=5))
        assert recall(str(model), {"seed": 5}) == payload
        assert {key: read_sidecar(str(model))[key] for key in added} == {key: payload[key] for key in added}
        monkeypatch.setattr(model_file, "_hash", lambda *_of: pytest.fail("read again"))
        assert recall(str(model), {"seed": 5}) == payload

    def test_a_sidecar_of_the_first_version_that_is_of_another_file_says_nothing(self, model: Path) -> None:
        payload = describe(verify(str(model)))
        first = {key: value for key, value in payload.items() if key not in ("bits_per_weight", "tensors_sha256")}
        write_sidecar(str(model), dict(first, sha256="0" * 64))
        assert recall(str(model), {}) is None
        assert "tensors_sha256" not in read_sidecar(str(model))
        assert describe(verify(str(model)))["sha256"] == payload["sha256"]

    def test_the_digest_of_the_tensors_is_kept_where_the_file_is_described(self, model: Path) -> None:
        write_sidecar(str(model), {"sha256": sha256_of(str(model)), "source": "the hub"})
        payload = describe(verify(str(model)))
        assert read_sidecar(str(model))["tensors_sha256"] == payload["tensors_sha256"]
        assert read_sidecar(str(model))["source"] == "the hub"

    def test_who_made_the_file_knows_more_than_who_looks_at_it(self, model: Path) -> None:
        write_sidecar(str(model), dict(describe(verify(str(model))), seed=5))
        remember(str(model), describe(verify(str(model)), name="other"))
        assert read_sidecar(str(model))["seed"] == 5

    @pytest.mark.parametrize("content", ["", "{", "[]", '"x"', "null", '{"sha256": 5}', '{"sha256": "x"}', "[" * 10**5])
    def test_a_damaged_sidecar_is_no_sidecar(self, content: str, model: Path) -> None:
        Path(f"{model}.json").write_text(content)
        assert read_sidecar(str(model)) == {}
        assert len(sha256_of(str(model))) == 64

    def test_a_directory_that_cannot_be_written(self, model: Path) -> None:
        # Not a matter of permissions, so that it also holds for root.
        (model.parent / (model.name + ".json.part")).mkdir()
        remember(str(model), {"sha256": "0" * 64})
        assert read_sidecar(str(model)) == {}


class TestDraft:
    def test_it_becomes_the_file(self, tmp_path: Path) -> None:
        target = tmp_path / "deep" / "x.gguf"
        with draft(str(target), 5) as temporary:
            assert not target.exists()
            digest = write_pieces(temporary, [b"he", memoryview(b"llo")])
        assert target.read_bytes() == b"hello"
        assert digest == Digests(hashlib.sha256(b"hello").hexdigest(), None)
        assert os.listdir(target.parent) == ["x.gguf"]

    @pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()])
    def test_a_failure_keeps_what_was_there(self, error: BaseException, tmp_path: Path) -> None:
        target = tmp_path / "x.gguf"
        target.write_bytes(b"good")

        def fail() -> None:
            with draft(str(target), 5) as temporary:
                Path(temporary).write_bytes(b"bad")
                raise error

        with pytest.raises(type(error)):
            fail()
        assert target.read_bytes() == b"good"
        assert os.listdir(tmp_path) == ["x.gguf"]

    def test_no_room(self, tmp_path: Path) -> None:
        with (
            pytest.raises(SpaceError, match=r"x\.gguf.* 1,152,921,504,606,846,976 bytes .* free"),
            draft(str(tmp_path / "x.gguf"), 2**60),
        ):
            pytest.fail("nothing may be written")
        assert os.listdir(tmp_path) == []

    def test_what_a_killed_run_left_is_used_again(self, tmp_path: Path) -> None:
        (tmp_path / ".x.gguf.part").write_bytes(b"left behind, and longer")
        with draft(str(tmp_path / "x.gguf"), 3) as temporary:
            write_pieces(temporary, [b"new"])
        assert (tmp_path / "x.gguf").read_bytes() == b"new"

    def test_two_never_write_one_file(self, tmp_path: Path) -> None:
        (tmp_path / ".x.gguf.part").write_bytes(b"of another")
        with (tmp_path / ".x.gguf.part").open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with (
                pytest.raises(ModelFileError, match="is being written by another process"),
                draft(str(tmp_path / "x.gguf"), 3),
            ):
                pytest.fail("the other one has it")
        assert (tmp_path / ".x.gguf.part").read_bytes() == b"of another"

    def test_an_impossible_directory(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with (
            pytest.raises(ModelFileError, match=r"could not be written: .*; check the directory"),
            draft(str(tmp_path / "file" / "x.gguf"), 1),
        ):
            pytest.fail("there is no such directory")


def test_move(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "x.gguf"
    move(str(model), str(target))
    assert (model.exists(), target.stat().st_size) == (False, 392)
    with pytest.raises(ModelFileError, match="could not be written: No such file"):
        move(str(model), str(target))
