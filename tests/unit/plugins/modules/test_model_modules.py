# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that obtain models as Ansible runs them, against a hub on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from support import modules
from support.models import gguf_files as files
from support.models.hub_server import HubServer

from ansible_collections.cloudbench.llama.plugins.module_utils.models.digests import of_file

TOKEN = "hf_known_to_the_hub"


def call(module: str, /, check: bool = False, **arguments: Any) -> dict[str, Any]:
    process = modules.run(module, arguments, check)
    assert process.stdout, process.stderr
    assert TOKEN not in process.stdout + process.stderr
    return json.loads(process.stdout)


MODEL = files.model()
BF16 = files.model(file_type=32)


@pytest.fixture
def hub(tmp_path: Path):
    repositories = tmp_path / "repositories"
    for name, file, content in (
        ("org/open", "M-Q4_0.gguf", MODEL),
        ("org/copy", "other.gguf", MODEL),
        ("org/gated", "M-Q4_0.gguf", MODEL),
        ("org/bert", "bert.gguf", files.model(architecture="bert")),
        ("org/page", "page.gguf", b"<html>sign in</html>"),
        ("meta/Llama", "model-00001-of-00002.safetensors", b"weights, one"),
        ("meta/Llama", "model-00002-of-00002.safetensors", b"weights, two"),
        ("meta/Llama", "config.json", b"{}"),
        ("meta/Llama", "tokenizer.json", b"{}"),
        ("meta/Llama", "README.md", b"# Llama"),
        ("meta/Llama", "original/consolidated.00.pth", b"not wanted"),
    ):
        path = repositories / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with HubServer(repositories, token=TOKEN, gated=["org/gated", "meta/Llama"]) as server:
        yield server


class TestDownload:
    @pytest.fixture
    def arguments(self, hub: HubServer, tmp_path: Path) -> dict[str, Any]:
        return {
            "endpoint": hub.endpoint,
            "repository": "org/open",
            "file": "M-{quantization}.gguf",
            "quantization": "Q4_0",
            "directory": str(tmp_path / "downloads"),
            "retries": 0,
        }

    def test_life(self, hub: HubServer, arguments: dict[str, Any], tmp_path: Path) -> None:
        digest = hashlib.sha256(MODEL).hexdigest()
        predicted = call("model_download", check=True, **arguments)
        assert (predicted["changed"], predicted["path"], predicted["sha256"]) == (True, None, digest)
        assert not (tmp_path / "downloads").exists()

        made = call("model_download", **arguments)
        path = tmp_path / "downloads" / digest / "M-Q4_0.gguf"
        commit = hub.repositories["org/open"].commit
        source = f"{hub.endpoint[7:]}/org/open@{commit}/M-Q4_0.gguf"
        assert (made["changed"], made["path"], made["source"]) == (True, str(path), source)
        assert path.read_bytes() == MODEL
        assert sorted(os.listdir(path.parent)) == ["M-Q4_0.gguf", "M-Q4_0.gguf.json"]
        noted = json.loads(path.with_name("M-Q4_0.gguf.json").read_text("utf-8"))
        assert (noted["sha256"], noted["tensors_sha256"]) == of_file(str(path))

        hub.requests.clear()
        again = call("model_download", **arguments)
        assert (again["changed"], again["path"], again["source"]) == (False, str(path), source)
        assert [seen.method for seen in hub.requests] == ["HEAD"]

        # Of a commit, and of a promised digest, everything is known.
        hub.requests.clear()
        for more in ({"revision": commit}, {"sha256": digest.upper()}):
            assert call("model_download", **{**arguments, **more})["path"] == str(path)
        assert hub.requests == []

        # The same content by another name, and from elsewhere, is not fetched again.
        other = call("model_download", **{**arguments, "repository": "org/copy", "file": "other.gguf"})
        assert (other["changed"], other["path"]) == (False, str(path))
        plain = {"url": f"{hub.endpoint}/plain/org/copy/other.gguf", "sha256": digest}
        hub.requests.clear()
        found = call("model_download", directory=arguments["directory"], **plain)
        assert (found["changed"], found["path"], hub.requests) == (False, str(path), [])

        # Damaged: noticed and fetched again.
        path.write_bytes(MODEL[:-1])
        assert call("model_download", **arguments)["changed"] is True
        assert path.read_bytes() == MODEL

    def test_a_hub_that_is_away_is_no_reason_to_fail(self, hub: HubServer, arguments: dict[str, Any]) -> None:
        made = call("model_download", **arguments)
        for break_it in (lambda: hub.set_faults("500"), hub.__exit__):
            break_it()
            again = call("model_download", **arguments)
            assert (again["changed"], again["path"]) == (False, made["path"])
            (warning,) = again["warnings"]
            assert f"; {made['source']} is used, which was downloaded before" in str(warning)
        assert "cannot be reached" in call("model_download", **{**arguments, "revision": "other"})["msg"]

    def test_a_part_is_kept_for_the_next_run(self, hub: HubServer, arguments: dict[str, Any]) -> None:
        hub.set_faults("cut")
        assert "the next run goes on from there" in call("model_download", **arguments)["msg"]
        hub.set_faults()
        assert call("model_download", **arguments)["resumed_from"] == len(MODEL) * 99 // 100

    def test_what_is_refused(self, hub: HubServer, arguments: dict[str, Any], tmp_path: Path) -> None:
        def refused(**changes: Any) -> str:
            return call("model_download", **{**arguments, **changes})["msg"]

        assert "is gated, and no token was given" in refused(repository="org/gated")
        assert "org/open@" in refused(sha256="0" * 64)
        assert f"has the SHA-256 {hashlib.sha256(MODEL).hexdigest()}, not {'0' * 64}" in refused(sha256="0" * 64)
        assert "architecture 'bert'" in refused(repository="org/bert", file="bert.gguf")
        assert "an HTML or XML page, not a model" in refused(repository="org/page", file="page.gguf")
        assert "a sha256 is 64 hexadecimal digits, not 'x'" in refused(sha256="x")
        assert not list(tmp_path.glob("downloads/*/*"))
        assert call("model_download", **{**arguments, "repository": "org/gated", "token": TOKEN})["changed"]

    def test_a_secret_address_and_header_are_shown_nowhere(self, hub: HubServer, tmp_path: Path) -> None:
        arguments = {"directory": str(tmp_path / "downloads"), "sha256": hashlib.sha256(MODEL).hexdigest()}
        address = f"{hub.endpoint}/plain/org/open/M-Q4_0.gguf"
        told = json.dumps(
            call(
                "model_download",
                secret_url=address + "?Signature=hunter2",
                source=address,
                headers={"X-Key": "hunter3"},
                **arguments,
            )
        )
        assert address in told
        assert "hunter" not in told
        assert hub.requests[0].headers["x-key"] == "hunter3"
        for path in tmp_path.rglob("*.json"):
            assert "hunter" not in path.read_text()


# Writes what it was asked for: the model that stands beside it.
CONVERTER = """
import os, shutil, sys
place, option, target, kind, name = sys.argv[1:]
assert (option, kind, name) == ("--outfile", "--outtype", "bf16"), sys.argv
assert sorted(n for n in os.listdir(place) if n.endswith("safetensors") and n[0] != ".") == [
    "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
]
assert os.environ["HF_HUB_OFFLINE"] == "1"
sys.path.insert(1, os.path.join(os.path.dirname(__file__), "gguf-py"))
import gguf.writer, conversion.llama
shutil.copyfile(os.path.join(os.path.dirname(__file__), "gguf-py", "gguf", "result.py"), target)
"""


def source_archive(path: Path, result: bytes, prefix: str = "llama_cpp/vendor", script: str = CONVERTER) -> Path:
    tree = path.parent / "tree"
    for name, content in {
        "convert_hf_to_gguf.py": script.encode(),
        "conversion/__init__.py": b"",
        "conversion/llama.py": b"",
        "gguf-py/gguf/writer.py": b"",
        "gguf-py/gguf/result.py": result,
        "gguf-py/tests/test_x.py": b"",
        "src/llama.cpp": b"int x;",
    }.items():
        file = tree / prefix / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tree, ".")
    with tarfile.open(path, "w:gz") as tar:
        for file in sorted(tree.rglob("*")):
            tar.add(file, file.relative_to(tree).as_posix(), recursive=False)
    return path


class TestConvert:
    @pytest.fixture
    def arguments(self, hub: HubServer, tmp_path: Path) -> dict[str, Any]:
        return {
            "endpoint": hub.endpoint,
            "repository": "meta/Llama",
            "token": TOKEN,
            "directory": str(tmp_path / "downloads"),
            "converter": str(tmp_path / "converter"),
            "environment": str(tmp_path / "environment"),
            "python": sys.executable,
            "retries": 0,
        }

    @pytest.fixture
    def made_before(self, tmp_path: Path) -> None:
        """An environment that is there already: to make one takes seconds."""
        (tmp_path / "environment" / "bin").mkdir(parents=True)
        (tmp_path / "environment" / "bin" / "python").symlink_to(sys.executable)
        note = {"python": sys.executable, "requirements": []}
        (tmp_path / "environment" / "requirements.json").write_text(json.dumps(note))

    def unpack(self, tmp_path: Path, result: bytes, **options: Any) -> None:
        archive = source_archive(tmp_path / "llama_cpp-1.0.tar.gz", result, **options)
        packed = call("llama_converter", builds=[{"archive": str(archive), "subdirectory": "llama_cpp/vendor"}])
        assert packed["path"] == str(tmp_path / "llama_cpp-1.0-converter.tar")
        with tarfile.open(packed["path"]) as tar:
            assert sorted(tar.getnames()) == [
                "conversion/__init__.py", "conversion/llama.py", "convert_hf_to_gguf.py", "gguf-py/gguf/result.py",
                "gguf-py/gguf/writer.py",
            ]  # fmt: skip
            tar.extractall(tmp_path / "converter", filter="data")

    @pytest.mark.usefixtures("made_before")
    def test_life(self, hub: HubServer, arguments: dict[str, Any], tmp_path: Path) -> None:
        commit = hub.repositories["meta/Llama"].commit
        looked = call("model_convert", state="found", **arguments)
        assert (looked["changed"], looked["path"], looked["commit"]) == (False, None, commit)
        predicted = call("model_convert", check=True, **arguments)
        assert (predicted["changed"], predicted["path"]) == (True, None)
        assert not (tmp_path / "downloads").exists()

        self.unpack(tmp_path, BF16)
        made = call("model_convert", **arguments)
        assert made["changed"] is True, made
        assert made["source"] == f"{hub.endpoint[7:]}/meta/Llama@{commit}, converted to BF16"
        place = tmp_path / "downloads" / commit
        assert made["path"] == str(place / "Llama-BF16.gguf")
        assert (place / "Llama-BF16.gguf").read_bytes() == BF16
        assert sorted(os.listdir(place)) == [
            ".verified.json", "Llama-BF16.gguf", "Llama-BF16.gguf.json", "config.json",
            "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "tokenizer.json",
        ]  # fmt: skip
        # The token went to the hub alone.
        assert all("authorization" not in seen.headers for seen in hub.requests if seen.server == "cdn")

        # The safetensors are needed no more, and of the commit everything is known.
        for path in place.glob("*.safetensors"):
            path.unlink()
        again = call("model_convert", **arguments)
        assert (again["changed"], again["path"]) == (False, made["path"])
        hub.__exit__()
        assert call("model_convert", **{**arguments, "revision": commit})["path"] == made["path"]
        away = call("model_convert", **arguments)
        assert away["path"] == made["path"]
        assert "is used, which was converted before" in str(away["warnings"])

    @pytest.mark.usefixtures("made_before")
    def test_what_failed_is_not_downloaded_again(
        self, hub: HubServer, arguments: dict[str, Any], tmp_path: Path
    ) -> None:
        self.unpack(tmp_path, b"", script="raise KeyError('tokenizer')")
        failed = call("model_convert", **arguments)
        assert failed["msg"] == "meta/Llama could not be converted: KeyError: 'tokenizer'"
        self.unpack(tmp_path, MODEL)
        assert "was asked for BF16 and wrote Q4_0" in call("model_convert", **arguments)["msg"]
        hub.requests.clear()
        self.unpack(tmp_path, BF16)
        assert call("model_convert", **arguments)["changed"] is True
        assert [seen.method + seen.path[:12] for seen in hub.requests] == ["HEAD/meta/Llama/", "GET/api/models/"]

    def test_what_is_refused(self, hub: HubServer, arguments: dict[str, Any], tmp_path: Path) -> None:
        def refused(**changes: Any) -> str:
            return call("model_convert", **{**arguments, **changes})["msg"]

        # Before anything is installed.
        assert "is gated, and no token was given" in refused(token="", state="found")
        assert "is gated, and no token was given" in refused(token="")
        assert "has no file config.json" in refused(repository="org/open")
        assert not (tmp_path / "environment").exists()
        assert "python9 does not run: python9 cannot be run: No such file" in refused(python="python9")
        message = refused(requirements=["./no-such-package"], pip_options=["--no-index"])
        assert message.startswith("pip could not install what the converter needs: ERROR: ")
        # The next try begins again.
        assert "environment" in os.listdir(tmp_path)
        assert not (tmp_path / "environment" / "requirements.json").exists()

    def test_an_old_python(self, arguments: dict[str, Any], tmp_path: Path) -> None:
        old = tmp_path / "python3.9"
        old.write_text("#!/bin/sh\necho 3 9\n")
        old.chmod(0o755)
        message = call("model_convert", **{**arguments, "python": str(old)})["msg"]
        assert "is Python 3.9; the converter needs 3.10 or newer" in message

    def test_a_converter_has_no_path_that_climbs(self, tmp_path: Path) -> None:
        archive = source_archive(tmp_path / "plain.tar.gz", b"", prefix="llama_cpp")
        climbing = tmp_path / "climbing.tar"
        with tarfile.open(archive) as source, tarfile.open(climbing, "w") as target:
            for member in source:
                target.addfile(member, source.extractfile(member))
            for name in ("conversion/../../evil.py", "conversion/../evil.py", "gguf-py/gguf/../../../evil.py"):
                target.addfile(tarfile.TarInfo(f"llama_cpp/{name}"))
            link = tarfile.TarInfo("llama_cpp/conversion/link.py")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            target.addfile(link)
        builds = [{"archive": str(climbing), "subdirectory": "llama_cpp"}]
        packed = call("llama_converter", builds=builds)["path"]
        with tarfile.open(packed) as tar:
            names = tar.getnames()
            assert all(member.isfile() for member in tar)
        assert "conversion/llama.py" in names
        assert not [name for name in names if "evil" in name or "link" in name or ".." in name]

    def test_a_tree_without_a_converter(self, tmp_path: Path) -> None:
        old = tmp_path / "old.tar.gz"
        with tarfile.open(old, "w:gz") as tar:
            tar.add(__file__, "llama_cpp/vendor/convert_hf_to_gguf.py")
        new = source_archive(tmp_path / "new.tar.gz", b"", prefix="llama_cpp")
        builds = [
            {"name": "legacy", "archive": str(old), "subdirectory": "llama_cpp/vendor"},
            {"name": "shipped"},
            {"name": "current", "archive": str(new), "subdirectory": "llama_cpp"},
        ]
        assert call("llama_converter", builds=builds)["path"] == str(tmp_path / "new-converter.tar")
        assert (
            "no source of llama.cpp here has convert_hf_to_gguf.py" in call("llama_converter", builds=builds[:2])["msg"]
        )
        assert sorted(path.name for path in tmp_path.glob("old*")) == ["old.tar.gz"]
        old.write_bytes(b"no archive")
        assert "cannot be read as a tar archive" in call("llama_converter", builds=builds)["msg"]
