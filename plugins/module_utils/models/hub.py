# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Hugging Face hub knows of a file before it is downloaded: commit, digest and size; and why it says no.

The protocol is that of huggingface_hub 2.4.0 (get_hf_file_metadata in file_download.py, hf_raise_for_status in
utils/_http.py). A large file is answered by a redirect to a content host, with what is needed in X-Linked-Etag and
X-Linked-Size; the token stays with the hub.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import time
from typing import Any, Callable, Dict, List, NamedTuple, NoReturn, Optional, TypeVar
from urllib.parse import quote

from ansible_collections.cloudbench.llama.plugins.module_utils.models import web
from ansible_collections.cloudbench.llama.plugins.module_utils.models.download import Wanted
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.record.digits import whole
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import alike, printable, without_user

DEFAULT_ENDPOINT = "https://huggingface.co"
DEFAULT_REVISION = "main"
TOKEN_ADVICE = "`export HF_TOKEN=...` on the controller, or the variable llama_model_hub_token, from a vault"  # noqa: S105 - advice

_NAME = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_REPOSITORY = re.compile(f"{_NAME}/{_NAME}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
# A listing of a repository is some kilobytes.
_LISTING_BYTES = 16 * 1024 * 1024
_SHOWN = 8
# More than any file has.
_MOST_BYTES = 1 << 60

_T = TypeVar("_T")


class HubError(ValueError):
    """What the hub does not give; the message says why and what to do."""


class Unreachable(HubError):
    """The hub itself could not be asked, so that nothing is known of the file."""


class HubFile(NamedTuple):
    """A file at a commit. `sha256` where the hub keeps it outside of git, `git_blob` (SHA-1) where not."""

    endpoint: str
    repository: str
    commit: str
    file: str
    sha256: Optional[str]
    git_blob: Optional[str]
    bytes: Optional[int]

    @property
    def source(self) -> str:
        """What records call it: huggingface.co/unsloth/Llama-3.2-1B-Instruct-GGUF@<commit>/<file>."""
        return f"{_host(self.endpoint)}/{self.repository}@{self.commit}/{self.file}"

    def wanted(self, token: Optional[str]) -> Wanted:
        """What to download. The address names the commit: a branch that moves meanwhile changes nothing."""
        url = _url(self.endpoint, self.repository, self.commit, self.file)
        return Wanted(url, self.source, self.sha256, self.git_blob, self.bytes, _secrets(token))


class Hub:
    """A hub at `endpoint`, asked with `token` where there is one.

    `timeout`, `retries` and `wait` are those of download.fetch.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        token: Optional[str] = None,
        timeout: float = 60.0,
        retries: int = 5,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.token = (token or "").strip() or None
        self._timeout = timeout
        self._retries = retries
        self._wait = wait

    def file(self, repository: str, file: str, revision: str = DEFAULT_REVISION) -> HubFile:
        """The file at the present commit of `revision` (branch, tag or commit). Raises HubError."""
        check_names(repository, file, revision)
        headers = self._patiently(
            lambda: self._head(_url(self.endpoint, repository, revision, file)), repository, revision, file
        )
        commit = headers.get("X-Repo-Commit") or ""
        etag = re.sub(r'^W/|"', "", headers.get("X-Linked-Etag") or headers.get("ETag") or "").lower()
        if not _COMMIT.fullmatch(commit) or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", etag):
            raise HubError(
                f"{_host(self.endpoint)} does not answer like a Hugging Face hub (X-Repo-Commit or ETag is missing); "
                "correct llama_model_hub_endpoint, or the proxy in between"
            )
        size = headers.get("X-Linked-Size") or (headers.get("Content-Length") if not headers.get("Location") else None)
        return HubFile(
            self.endpoint,
            repository,
            commit,
            file,
            etag if len(etag) == 64 else None,
            etag if len(etag) == 40 else None,
            whole(size),
        )

    def files(self, repository: str, revision: str = DEFAULT_REVISION) -> List[HubFile]:
        """Every file of the repository at the present commit of `revision`, by name. Raises HubError."""
        check_names(repository, "", revision)
        listing = self._patiently(lambda: self._listing(repository, revision), repository, revision, "")
        try:
            commit = listing["sha"]
            entries = []
            for entry in listing["siblings"]:
                large = entry.get("lfs") or {}
                name = entry["rfilename"]
                check_names(repository, name, commit)
                sha256, blob, size = large.get("sha256"), entry.get("blobId"), large.get("size", entry.get("size"))
                _check_types(sha256, blob, size)
                entries.append(
                    HubFile(
                        self.endpoint,
                        repository,
                        commit,
                        name,
                        sha256,
                        None if large else blob,
                        size,
                    )
                )
        except (KeyError, TypeError, AttributeError) as error:
            raise HubError(
                f"{_host(self.endpoint)} lists {repository} in a way that is not understood ({error!r:.100}); correct "
                "llama_model_hub_endpoint"
            ) from error
        return sorted(entries, key=lambda entry: entry.file)

    def _head(self, url: str) -> Any:
        answer = web.request(url, "HEAD", secrets=_secrets(self.token), timeout=self._timeout, stay=True)
        answer.body.close()
        return answer.headers

    def _listing(self, repository: str, revision: str) -> Any:
        url = "{}/api/models/{}/revision/{}?blobs=true".format(self.endpoint, repository, quote(revision, safe=""))
        answer = web.request(url, secrets=_secrets(self.token), timeout=self._timeout)
        with contextlib.closing(answer.body):
            try:
                return json_text.loads(answer.body.read(_LISTING_BYTES))
            except (OSError, http.client.HTTPException) as error:
                raise web.unreachable(_host(self.endpoint), error) from error
            except ValueError as error:
                raise HubError(
                    f"{_host(self.endpoint)} does not answer like a Hugging Face hub (no JSON); correct "
                    "llama_model_hub_endpoint, or the proxy in between"
                ) from error

    def _patiently(self, ask: Callable[[], _T], repository: str, revision: str, file: str) -> _T:
        failures = 0
        while True:
            try:
                return ask()
            except web.WebError as error:
                failures += 1
                if not error.retry or failures > self._retries:
                    self._explain(error, repository, revision, file)
                self._wait(web.pause(failures, error))

    def _explain(self, error: web.WebError, repository: str, revision: str, file: str) -> NoReturn:
        """Raise the HubError that says in words what the hub says by status and headers."""
        host, page = _host(self.endpoint), f"{self.endpoint}/{repository}"
        status, code = error.status, error.headers.get("X-Error-Code") or ""
        words = printable(error.headers.get("X-Error-Message") or "", 300)
        if status == 0:
            raise Unreachable(str(error)) from error
        if code == "GatedRepo":
            raise HubError(self._gated(repository, page, status)) from error
        if words == "Access to this resource is disabled.":
            raise HubError(f"{host} has disabled {repository}; see {page}, and take another repository") from error
        if code == "RevisionNotFound":
            raise HubError(f"{repository} on {host} has no revision {revision}; correct it, or leave it out") from error
        # Asked for all files, a hub that says so would be asked again and again which there are instead.
        if code == "EntryNotFound" and file:
            raise HubError(
                f"{repository} on {host} has no file {file} at {revision}; {self._near(repository, revision, file)}"
            ) from error
        if words == "Invalid credentials in Authorization header":
            raise HubError(f"{host} does not know the token; give a valid one: {TOKEN_ADVICE}") from error
        if code == "RepoNotFound" or status == 401:
            # The hub gives 401 for what does not exist as well as for what is not shown to strangers.
            given = "whether the token may read it" if self.token else f"give a token that may read it: {TOKEN_ADVICE}"
            raise HubError(
                f"{host} has no repository {repository}, or shows it to its members only ({status}); check the name, "
                f"or, if it is private, {given}"
            ) from error
        if status == 403:
            raise HubError(
                f"{host} refuses {repository} (403{': ' + words if words else ''}); give a token that may read it: "
                f"{TOKEN_ADVICE}"
            ) from error
        if status == 429:
            advice = "" if self.token else f", or give a token, which has a higher limit: {TOKEN_ADVICE}"
            patience = f" {error.after:.0f} s" if error.after else ""
            raise HubError(
                f"{host} has had too many requests from here (429); wait{patience} and run again{advice}"
            ) from error
        if status >= 500:
            raise Unreachable(f"{host} fails ({status}) and did not come round; run again later") from error
        if status == 404:
            raise HubError(
                f"{host} has nothing at {repository} (404) and does not answer like a Hugging Face hub; correct the "
                "repository or llama_model_hub_endpoint"
            ) from error
        raise HubError(str(error)) from error

    def _gated(self, repository: str, page: str, status: int) -> str:
        if not self.token:
            return (
                f"{repository} is gated, and no token was given; accept its licence at {page} and give a token of that "
                f"account: {TOKEN_ADVICE}"
            )
        if status == 403:
            return (
                f"{repository} is gated, and the account of the token has no access; ask for it at {page} and wait "
                "until it is granted; a fine-grained token also needs the permission to read gated repositories"
            )
        # The hub answers an unknown token as it answers none.
        return (
            f"{repository} is gated, and the hub does not accept the token; accept the licence at {page} and give a "
            f"valid token of that account: {TOKEN_ADVICE}"
        )

    def _near(self, repository: str, revision: str, file: str) -> str:
        """What there is instead, as far as the hub tells."""
        kind = file[file.rfind(".") :] if "." in file else ""
        try:
            there = [entry.file for entry in self.files(repository, revision) if entry.file.endswith(kind)]
        except (HubError, web.WebError):
            there = []
        if not there:
            return "correct the name"
        near = alike(file, there, most=_SHOWN, cutoff=0.0)
        more = f" and {len(there) - len(near)} more" if len(there) > len(near) else ""
        return f"there are {', '.join(near)}{more}"


def _check_types(sha256: Any, blob: Any, size: Any) -> None:
    """Raise TypeError for what a listing says of a file in another form than a hub does."""
    if not (sha256 is None or isinstance(sha256, str)) or not (blob is None or isinstance(blob, str)):
        raise TypeError("a digest is no text")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < _MOST_BYTES):
        raise TypeError("a size is no number of bytes")


def check_names(repository: str, file: str, revision: str) -> None:
    """Raise HubError for names that are none; they become parts of addresses and of paths."""
    if not _REPOSITORY.fullmatch(repository):
        told = without_user(repository)
        raise HubError(f"{told!r:.100} is no repository; write OWNER/NAME, such as unsloth/Llama-3.2-1B-Instruct-GGUF")
    parts = file.split("/") if file else []
    if any(part in ("", ".", "..") for part in parts) or re.search(r"[\x00-\x1f\\?#]", file):
        raise HubError(f"{file!r:.100} is no file of a repository; write its path there, such as model-F16.gguf")
    if not revision or re.search(r"[\x00-\x20\\?#]|\.\.", revision):
        raise HubError(f"{revision!r:.100} is no revision; write a branch, a tag or a commit of 40 digits")


def is_commit(revision: str) -> bool:
    """Whether the revision is a whole commit, which always means the same content."""
    return bool(_COMMIT.fullmatch(revision))


def source_prefix(endpoint: str, repository: str) -> str:
    """What the source of each file of the repository begins with, before the commit."""
    return f"{_host(endpoint)}/{repository}@"


def _host(endpoint: str) -> str:
    return re.sub(r"^https?://", "", web.public(endpoint)).rstrip("/")


def _url(endpoint: str, repository: str, revision: str, file: str) -> str:
    return "{}/{}/resolve/{}/{}".format(endpoint.rstrip("/"), repository, quote(revision, safe=""), quote(file))


def _secrets(token: Optional[str]) -> Dict[str, str]:
    return {"Authorization": "Bearer " + token.strip()} if token else {}
