# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloaded models on disk, DIRECTORY/<digest>/<file>: what one name or build has fetched no other fetches again."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.models.download import Wanted, fetch
from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import (
    describe,
    read_sidecar,
    sha256_of,
    verify,
    write_sidecar,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.hub import (
    Hub,
    HubError,
    Unreachable,
    is_commit,
    source_prefix,
)


class Stored(NamedTuple):
    """A model in the store. `path` is None where only check mode kept it from being downloaded."""

    changed: bool
    path: Optional[str]
    sha256: Optional[str]
    bytes: Optional[int]
    source: str
    resumed_from: int = 0
    warning: str = ""


class Store:
    """The store in `directory`. `check`: say what would be downloaded, and write nothing.

    `timeout` and `retries` are those of download.fetch.
    """

    def __init__(self, directory: str, check: bool = False, timeout: float = 60.0, retries: int = 5) -> None:
        self._directory = os.path.abspath(directory)
        self._check = check
        self._timeout = timeout
        self._retries = retries

    def find(self, digest: str) -> Optional[str]:
        """Path of the model of that digest. A file that has changed since is none."""
        for path in self._models(digest):
            if len(digest) != 64 or sha256_of(path) == digest:
                return path
        return None

    def from_web(self, wanted: Wanted, architectures: List[str]) -> Stored:
        """The model of `wanted`, whose sha256 must be known, downloaded unless it is there."""
        return self._obtain(wanted, wanted.source.rsplit("/", 1)[-1], architectures, {})

    def from_hub(
        self, hub: Hub, repository: str, file: str, revision: str, sha256: Optional[str], architectures: List[str]
    ) -> Stored:
        """The file of a repository at a revision. `sha256`: the digest it must have, where one is promised.

        The hub is not asked where the revision is a commit, or the digest is promised, and the file is there. Where it
        cannot be asked, the file that it gave for this revision before is taken, with a warning. Raises HubError and
        what download.fetch raises.
        """
        known = self.find(sha256) if sha256 else None
        before = self._of_revision(source_prefix(hub.endpoint, repository), file, revision)
        if known is None and before and is_commit(revision):
            known = before
        if known:
            return self._found(known, source_prefix(hub.endpoint, repository) + f"{revision}/{file}")
        try:
            there = hub.file(repository, file, revision)
        except Unreachable as error:
            if not before:
                raise
            model = self._found(before, "")
            return model._replace(warning=f"{error}; {model.source} is used, which was downloaded before")
        if sha256 and there.sha256 and there.sha256 != sha256:
            raise HubError(
                f"{there.source} has the SHA-256 {there.sha256}, not {sha256}; correct sha256, or name the revision "
                "that was meant"
            )
        wanted = there.wanted(hub.token)
        if sha256:
            wanted = wanted._replace(sha256=sha256)
        return self._obtain(wanted, file.rsplit("/", 1)[-1], architectures, {"revision": revision})

    def _obtain(self, wanted: Wanted, name: str, architectures: List[str], origin: Dict[str, Any]) -> Stored:
        digest = (wanted.sha256 or wanted.git_blob or "").lower()
        kept = self.find(digest)
        if kept:
            return self._found(kept, wanted.source)
        if self._check:
            return Stored(True, None, wanted.sha256, wanted.bytes, wanted.source)
        path = os.path.join(self._directory, digest, _file_name(name))

        def refuse_what_is_no_model(part: str) -> None:
            verify(part, architectures)

        fetched = fetch(wanted, path, self._timeout, self._retries, refuse_what_is_no_model)
        facts = describe(verify(path), source=wanted.source, digests=fetched.digests)
        write_sidecar(path, dict(facts, **origin))
        return Stored(True, path, fetched.digests.sha256, fetched.bytes, wanted.source, fetched.resumed_from)

    def _found(self, path: str, source: str) -> Stored:
        return Stored(False, path, sha256_of(path), os.path.getsize(path), read_sidecar(path).get("source") or source)

    def _of_revision(self, prefix: str, file: str, revision: str) -> Optional[str]:
        """The model that was last downloaded for this revision; for a commit, of that commit."""
        paths = []
        for digest in self._digests():
            for path in self._models(digest):
                known = read_sidecar(path)
                source = str(known.get("source") or "")
                commit, _slash, name = source[len(prefix) :].partition("/")
                if source.startswith(prefix) and name == file and revision in (commit, known.get("revision")):
                    paths.append(path)
        return max(paths, key=os.path.getmtime) if paths else None

    def _digests(self) -> List[str]:
        try:
            return sorted(os.listdir(self._directory))
        except OSError:
            return []

    def _models(self, digest: str) -> List[str]:
        directory = os.path.join(self._directory, digest)
        try:
            names = sorted(name for name in os.listdir(directory) if name.endswith(".gguf") and name[0] != ".")
        except OSError:
            return []
        return [os.path.join(directory, name) for name in names]


def _file_name(name: str) -> str:
    """A safe file name that ends in .gguf."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[-100:] or "model"
    return name if name.endswith(".gguf") else name + ".gguf"
