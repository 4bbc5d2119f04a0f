# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a GGUF file of the safetensors in a hub's repository, with the converter of llama.cpp's own source tree.

Everything stands in DIRECTORY/<commit>: the files of the repository, .verified.json which says of which size and time
they were when their digests were right, and the converted file. The safetensors may be removed after that.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.models.download import fetch
from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import (
    describe,
    draft,
    own_quantization,
    read_sidecar,
    verify,
    write_sidecar,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.hub import (
    Hub,
    HubFile,
    Unreachable,
    is_commit,
    source_prefix,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import require_space

SCRIPT = "convert_hf_to_gguf.py"
_MODELS = "conversion/llama.py"
# What the converter is: itself, its models, and the library that writes GGUF.
_PARTS = re.compile(r"convert_hf_to_gguf\.py|conversion/.+\.py|gguf-py/gguf/.+\.py|gguf-py/LICENSE|LICENSE")
# Configuration, tokenizer and weights; not Meta's own checkpoints in original/.
_WANTED = re.compile(r"[^/]+\.(?:json|model|txt)|(?!consolidated)[^/]+\.safetensors")
_CONFIGURATION = "config.json"
# The weights are published in BF16, so that nothing is lost.
_OUTPUT = "BF16"

_ENVIRONMENT_BYTES = 3_000_000_000  # torch and the rest of it, unpacked, and the wheels
_INSTALL_SECONDS = 3600.0
_CONVERT_SECONDS = 6 * 3600.0


class ConvertError(ValueError):
    """A model that cannot be converted; the message says why and what to do."""


class Converted(NamedTuple):
    """The converted file of a commit. `path` is None while there is none."""

    commit: str
    source: str
    path: Optional[str]
    warning: str = ""


def find(hub: Hub, repository: str, revision: str, directory: str) -> Converted:
    """The converted file of a repository at a revision, if it is there.

    The hub is asked what the revision is, and whether the files may be had, unless the revision is a commit that is
    there. Where it cannot be asked, what was converted of the revision before is taken, with a warning.
    Raises HubError.
    """
    prefix = source_prefix(hub.endpoint, repository)
    before = _of_revision(directory, prefix, repository, revision)
    if before and is_commit(revision):
        return before
    try:
        commit = hub.file(repository, _CONFIGURATION, revision).commit
    except Unreachable as error:
        if not before:
            raise
        return before._replace(warning=f"{error}; {before.source} is used, which was converted before")
    path = _target(directory, repository, commit)
    return Converted(commit, _source(prefix, commit), path if read_sidecar(path) else None)


def _of_revision(directory: str, prefix: str, repository: str, revision: str) -> Optional[Converted]:
    try:
        commits = sorted(name for name in os.listdir(directory) if is_commit(name))
    except OSError:
        return None
    converters = []
    for commit in commits:
        path = _target(directory, repository, commit)
        known = read_sidecar(path)
        if known.get("source") == _source(prefix, commit) and revision in (commit, known.get("revision")):
            converters.append(Converted(commit, _source(prefix, commit), path))
    return max(converters, key=lambda converter: os.path.getmtime(converter.path or "")) if converters else None


def _target(directory: str, repository: str, commit: str) -> str:
    return os.path.join(directory, commit, f"{repository.split('/')[1]}-{_OUTPUT}.gguf")


def _source(prefix: str, commit: str) -> str:
    return f"{prefix}{commit}, converted to {_OUTPUT}"


def convert(
    hub: Hub,
    repository: str,
    commit: str,
    revision: str,
    directory: str,
    python: str,
    converter: str,
    timeout: float,
    retries: int,
) -> Converted:
    """Download what is missing of the repository at `commit`, and convert it.

    `python`: one with what the converter imports; `converter`: the directory that `pack` was unpacked to; `revision`:
    the word for the commit that was asked for. Raises ConvertError, HubError and what download.fetch raises.
    """
    files = [entry for entry in hub.files(repository, commit) if _WANTED.fullmatch(entry.file)]
    names = [entry.file for entry in files]
    weights = [entry for entry in files if entry.file.endswith(".safetensors")]
    if _CONFIGURATION not in names or not weights:
        raise ConvertError(
            f"{repository} at {commit} has no {_CONFIGURATION if weights else 'safetensors'}; it is no model that can "
            "be converted: name the repository of the safetensors"
        )
    place = os.path.join(directory, commit)
    size = sum(entry.bytes or 0 for entry in weights)
    _download(files, place, hub, size, timeout, retries)
    target = _target(directory, repository, commit)
    with draft(target, size) as temporary:
        script = os.path.join(converter, SCRIPT)
        argv = [python, script, place, "--outfile", temporary, "--outtype", _OUTPUT.lower()]
        # What it needs is there; it is not to ask a hub.
        _run(
            argv,
            _CONVERT_SECONDS,
            f"{repository} could not be converted",
            {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        made = own_quantization(verify(temporary, ["llama"]))
        if made != _OUTPUT:
            raise ConvertError(
                f"the converter was asked for {_OUTPUT} and wrote {made}; use another version of llama.cpp"
            )
    source = _source(source_prefix(hub.endpoint, repository), commit)
    write_sidecar(target, dict(describe(verify(target), source=source), revision=revision))
    return Converted(commit, source, target)


def _download(files: List[HubFile], place: str, hub: Hub, weights: int, timeout: float, retries: int) -> None:
    """Download the files that are not known to be there and right."""
    manifest = os.path.join(place, ".verified.json")
    known = _read(manifest)
    missing = [entry for entry in files if not _is_known(known, place, entry.file)]
    if not missing:
        return
    here = sum(
        os.path.getsize(path) for path in (_part(place, entry.file) for entry in missing) if os.path.exists(path)
    )
    needed = sum(entry.bytes or 0 for entry in missing) - here + weights
    require_space(place, needed, f"Downloading {missing[0].repository} and converting it")
    for entry in missing:
        path = os.path.join(place, entry.file)
        fetch(entry.wanted(hub.token), path, timeout, retries)
        known[entry.file] = _state(path)
        with open(manifest + ".part", "w", encoding="utf-8") as file:
            json.dump(known, file, indent=2, sort_keys=True)
        os.replace(manifest + ".part", manifest)


def _is_known(known: Dict[str, Any], place: str, file: str) -> bool:
    state = _state(os.path.join(place, file))
    return state is not None and known.get(file) == state


def _part(place: str, file: str) -> str:
    return os.path.join(place, f".{file}.part")


def _read(manifest: str) -> Dict[str, Any]:
    try:
        with open(manifest, encoding="utf-8") as file:
            known = json_text.loads(file.read())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _state(path: str) -> Optional[List[int]]:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return [state.st_size, state.st_mtime_ns]


def environment(python: str, directory: str, requirements: List[str], options: List[str]) -> str:
    """Path of a Python in the virtual environment `directory` that has `requirements`; made where it is missing.

    `python`: the program it is made with. `options`: of pip install. Raises ConvertError and SpaceError.
    """
    interpreter = os.path.join(directory, "bin", "python")
    note = os.path.join(directory, "requirements.json")
    wanted = {"python": python, "requirements": list(requirements)}
    if _read(note) == wanted and os.path.exists(interpreter):
        return interpreter
    require_space(directory, _ENVIRONMENT_BYTES, "The environment of the converter")
    version = _run([python, "-c", "import sys; print(*sys.version_info[:2])"], 60.0, f"{python} does not run").split()
    if [int(part) for part in version] < [3, 10]:
        raise ConvertError(
            f"{python} on the host is Python {'.'.join(version)}; the converter needs 3.10 or newer: install one and "
            "name it in llama_model_convert_python"
        )
    _run(
        [python, "-m", "venv", "--clear", directory],
        _INSTALL_SECONDS,
        f"{python} -m venv failed on the host (the package python3-venv of Debian and Ubuntu has it)",
    )
    pip = [interpreter, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", *options]
    if requirements:
        _run([*pip, *requirements], _INSTALL_SECONDS, "pip could not install what the converter needs")
    with open(note, "w", encoding="utf-8") as file:
        json.dump(wanted, file)
    return interpreter


def _run(argv: List[str], seconds: float, what: str, environ: Optional[Dict[str, str]] = None) -> str:
    """What a program prints. Raises ConvertError, which begins with `what`."""
    try:
        done = process.run(argv, seconds, environ)
    except OSError as error:
        raise ConvertError(f"{what}: {argv[0]} cannot be run: {error.strerror}; install it") from error
    if done.exit_code == 0:
        return done.stdout
    if done.timed_out:
        reason = f"no end after {seconds:.0f} s"
    elif done.out_of_memory:
        reason = "the kernel killed it because memory ran out"
    elif done.signal:
        reason = f"signal {done.signal} ended it"
    else:
        lines = [line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
        # The reason is pip's last error, or the last line of a traceback.
        told = [line for line in lines if line.startswith("ERROR:")] or lines or [f"exit code {done.exit_code}"]
        reason = told[-1][-600:]
    raise ConvertError(f"{what}: {reason}")


def pack(sources: List[Dict[str, Any]]) -> str:
    """Path of a small tar archive of the converter, beside the archive it is of. On the controller.

    `sources`: mappings with `archive`, a tar archive of a source tree, and `subdirectory`, where llama.cpp is in it;
    the first of them that has a converter of the present form is taken. Raises ConvertError.
    """
    for source in sources:
        archive, folder = source.get("archive"), (source.get("subdirectory") or "").strip("/")
        if not archive:
            continue
        path = re.sub(r"(\.tar)?(\.\w+)?$", "", archive) + "-converter.tar"
        if os.path.exists(path) and os.path.getmtime(path) >= os.path.getmtime(archive):
            return path
        if _repack(archive, folder + "/" if folder else "", path):
            return path
    raise ConvertError(
        f"no source of llama.cpp here has {SCRIPT} with {_MODELS}, which make GGUF of safetensors; add a build of a "
        "current version, such as llama_cpp_version 11434.0.0, to the builds"
    )


def _repack(archive: str, prefix: str, path: str) -> bool:
    """Write the converter of a source archive to `path`; False where it has none."""
    kept = []
    try:
        with tarfile.open(archive) as source:
            for member in source:
                name = member.name[len(prefix) :]
                inside = member.name.startswith(prefix) and ".." not in name.split("/")
                if member.isfile() and inside and _PARTS.fullmatch(name):
                    content = source.extractfile(member)
                    kept.append((name, member.mtime, content.read() if content else b""))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ConvertError(f"{archive} cannot be read as a tar archive: {error}; build llama.cpp again") from error
    if not {SCRIPT, _MODELS} <= {name for name, _mtime, _content in kept}:
        return False
    needed = 2 * sum(len(data) for _name, _mtime, data in kept)
    with draft(path, needed) as temporary, tarfile.open(temporary, "w") as target:
        for name, mtime, data in kept:
            packed = tarfile.TarInfo(name)
            packed.size, packed.mode, packed.mtime = len(data), 0o644, mtime
            target.addfile(packed, io.BytesIO(data))
    return True
