# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry of llama_model_models asks for, and whether it can be meant."""

from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.models.hub import DEFAULT_REVISION, HubError, check_names
from ansible_collections.cloudbench.llama.plugins.module_utils.models.presets import PACKAGED, PLACEHOLDER, PUBLISHED
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import (
    IMATRIX,
    Quantization,
    plain,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import PRESETS as SYNTHETIC
from ansible_collections.cloudbench.llama.plugins.module_utils.models.web import public
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_S3 = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\x00-\x1f]+")
_ORIGINS = ("path", "url", "s3", "repository")
_KEYS = ("name", *_ORIGINS, "file", "revision", "sha256", "convert", "requantize")

# The ways to a model file, as the role names its tasks.
GENERATE, PACKAGE, USE, DOWNLOAD, CONVERT = "generate", "package", "use", "download", "convert"


class ModelSourceError(ValueError):
    """An entry that cannot be used; the message names it, the rule and the remedy, and no secret."""


class ModelSource(NamedTuple):
    """An entry in full. `way` is one of the five above; of `path`, `url`, `s3` and `repository` one is set at most.

    `sha256`: the digest that is promised, by quantization where there is one file for each ("" where for all).
    `requantize`: whether a file that is quantized may be made wider and quantized again, which costs quality twice.
    """

    name: str
    way: str
    path: str = ""
    url: str = ""
    s3: str = ""
    repository: str = ""
    file: str = ""
    revision: str = DEFAULT_REVISION
    sha256: Optional[Dict[str, str]] = None
    requantize: bool = False

    def digest(self, quantization: str) -> Optional[str]:
        """The promised SHA-256 of the file for a quantization, in lower case. Raises ModelSourceError."""
        if self.sha256 is None:
            return None
        digest = self.sha256.get("") or self.sha256.get(quantization)
        if digest is None:
            raise ModelSourceError(
                f"the model {self.name} names no sha256 for {quantization}, only for {', '.join(self.sha256)}; add it"
            )
        return digest.lower()


def public_entry(entry: Any) -> Any:
    """Return the entry as it may be shown.

    Addresses are short of user, password, query and fragment, and a key that means nothing here has no value, for a
    token may have been put there.
    """
    if isinstance(entry, dict):
        return {key: _public_value(value) if key in _KEYS else "***" for key, value in entry.items()}
    return _public_value(entry)


def _public_value(value: Any, levels: int = 5) -> Any:
    """Return a value as it may be shown. No entry has lists within lists, and what is nested without end is cut."""
    if isinstance(value, list):
        return [_public_value(item, levels - 1) for item in value] if levels else "..."
    return public(value) if isinstance(value, str) and "://" in value else value


def for_quantization(text: str, quantization: str) -> str:
    """`text`, an address or the name of a file, with the quantization in the place of {quantization}."""
    return text.replace(PLACEHOLDER, quantization)


def check_quantization(source: ModelSource, quantization: Quantization) -> None:
    """Raise ModelSourceError where what is known beforehand says that the model cannot be had so.

    That is: nobody measured an importance matrix for it that is needed or asked for. Of a file that is somebody's, and
    may be of the type already, quantize.check_imatrix() says so as soon as it is there.
    """
    where = f"the model {source.name}: {quantization.name}"
    if source.way == GENERATE and (quantization.imatrix or quantization.needs_imatrix):
        raise ModelSourceError(
            f"{where} is made with an importance matrix, and random weights have no importance to measure; ask for "
            "another quantization, or for a model with real weights"
        )
    if quantization.imatrix and PLACEHOLDER in source.file + source.url + source.s3:
        raise ModelSourceError(
            f"{where} is made here, and its {PLACEHOLDER} stands for files that are quantized already; ask for "
            f"{quantization.plain}, or name the file in F16"
        )
    if quantization.needs_imatrix and not quantization.imatrix and _is_quantized_here(source):
        raise ModelSourceError(f"{where} is made with an importance matrix only; write {quantization.name}{IMATRIX}")


def _is_quantized_here(source: ModelSource) -> bool:
    """Whether no file of the type can come: from a conversion, a package, or a preset's own file in F16 or BF16."""
    preset = PUBLISHED.get(source.name)
    usual = preset is not None and (source.repository, source.file) == (preset.repository, preset.file)
    return source.way in (CONVERT, PACKAGE) or (usual and PLACEHOLDER not in source.file)


def parse(entry: Any) -> ModelSource:
    """The entry in full: a preset's name, or a mapping. Raises ModelSourceError."""
    if isinstance(entry, str):
        return _preset(entry)
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ModelSourceError(
            f"the model {public_entry(entry)!r:.100} is neither the name of a preset nor a mapping with a name"
        )
    name = entry["name"]
    if not _NAME.fullmatch(name):
        raise ModelSourceError(
            f"the model name {name!r:.100} becomes a directory: use up to 100 lower-case letters, digits, dots and "
            "hyphens, beginning with a letter or digit"
        )
    for key in entry:
        if key not in _KEYS:
            raise ModelSourceError(
                "the model {} has {!r:.100}, which means nothing; the keys are {}{}".format(
                    name, key, ", ".join(_KEYS), did_you_mean(str(key), _KEYS)
                )
            )
    return _mapping(name, {key: value for key, value in entry.items() if value not in (None, "")})


def _preset(name: str) -> ModelSource:
    if name in SYNTHETIC:
        return ModelSource(name, GENERATE)
    if name in PACKAGED:
        return ModelSource(name, PACKAGE, requantize=True)
    if name in PUBLISHED:
        return _mapping(name, {"name": name})
    known = [*SYNTHETIC, *PACKAGED, *PUBLISHED]
    raise ModelSourceError(
        f"{public_entry(name)!r:.100} is no preset model; the presets are {', '.join(known)}{did_you_mean(name, known)}"
    )


def _mapping(name: str, entry: Dict[str, Any]) -> ModelSource:
    convert, requantize = entry.get("convert", False), entry.get("requantize", False)
    for key, value in (("convert", convert), ("requantize", requantize)):
        if not isinstance(value, bool):
            raise ModelSourceError(f"the model {name}: {key} is true or false, not {value!r:.100}")
    origins = [key for key in _ORIGINS if key in entry]
    if not origins and name in PUBLISHED:
        preset = PUBLISHED[name]
        usual = {"repository": preset.original} if convert else {"repository": preset.repository, "file": preset.file}
        entry, origins = dict(usual, **entry), ["repository"]
    if len(origins) != 1:
        raise ModelSourceError(
            "the model {} has {}; give one of path, url (with sha256), s3 (with sha256) or repository (with file), or "
            "take the name of a preset: {}".format(name, " and ".join(origins) or "no origin", ", ".join(PUBLISHED))
        )
    for key in _KEYS:
        if key not in ("convert", "sha256", "requantize") and not isinstance(entry.get(key, ""), str):
            raise ModelSourceError(f"the model {name}: {key} is a text, not {_public_value(entry[key])!r:.100}")
    only = {"file": "repository", "revision": "repository", "convert": "repository"}
    for key, origin in only.items():
        if entry.get(key) and origin not in entry:
            raise ModelSourceError(f"the model {name}: {key} goes with {origin}, not with {origins[0]}; leave one out")
    source = ModelSource(
        name=name,
        way=CONVERT if convert else USE if "path" in entry else DOWNLOAD,
        path=entry.get("path", ""),
        url=entry.get("url", ""),
        s3=entry.get("s3", ""),
        repository=entry.get("repository", ""),
        file=entry.get("file", ""),
        revision=entry.get("revision", DEFAULT_REVISION),
        sha256=_digests(name, entry),
        requantize=requantize,
    )
    _check(source)
    return source


def _check(source: ModelSource) -> None:
    name = source.name
    if source.url and not re.match(r"https?://[^/?#]", source.url):
        raise ModelSourceError(f"the model {name}: its url must begin with http:// or https:// and a host")
    if source.s3 and not _S3.fullmatch(source.s3):
        told = public_entry(source.s3)
        raise ModelSourceError(f"the model {name}: its s3 must be s3://BUCKET/KEY, not {told!r:.100}")
    if (source.url or source.s3) and source.sha256 is None:
        raise ModelSourceError(f"the model {name} needs the sha256 of its file: 64 hexadecimal digits")
    if source.way == CONVERT and (source.file or source.sha256):
        raise ModelSourceError(
            f"the model {name} is converted from all files of its repository; leave file and sha256 out"
        )
    if source.repository:
        if source.way == DOWNLOAD and not source.file.endswith(".gguf"):
            raise ModelSourceError(
                f"the model {name} needs the file of its repository, NAME.gguf, not {source.file!r:.100}; safetensors "
                "are converted where convert is true"
            )
        try:
            check_names(source.repository, source.file, source.revision)
        except HubError as error:
            raise ModelSourceError(f"the model {name}: {error}") from error


def _digests(name: str, entry: Dict[str, Any]) -> Optional[Dict[str, str]]:
    """The promised digests by quantization; "" where one is for all."""
    given = entry.get("sha256")
    if given is None:
        return None
    several = PLACEHOLDER in "".join(str(entry.get(key, "")) for key in ("url", "s3", "file"))
    if several != isinstance(given, dict):
        raise ModelSourceError(
            f"the model {name}: with {PLACEHOLDER} sha256 is a mapping from each quantization to a digest"
            if several
            else f"the model {name}: sha256 is one digest, as there is one file"
        )
    digests = {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {"": str(given)}
    for digest in digests.values():
        if not _SHA256.fullmatch(digest):
            raise ModelSourceError(f"the model {name}: its sha256 must be 64 hexadecimal digits, not {digest!r:.100}")
    return digests


def quantize_binary(builds: List[Dict[str, Any]], quantization: str) -> str:
    """Path of llama-quantize of the first build that knows the type, else of the first build; "" without builds.

    `builds`: payloads of build records, with `bin`, the directory of the programs, and `file_types`, a list of names.
    """
    able = [build for build in builds if plain(quantization) in (build.get("file_types") or ())]
    for build in able + list(builds):
        if build.get("bin"):
            return str(build["bin"]) + "/llama-quantize"
    return ""


def imatrix_binary(builds: List[Dict[str, Any]]) -> str:
    """Path of llama-imatrix of the first build, "" without builds; see quantize_binary()."""
    return next((str(build["bin"]) + "/llama-imatrix" for build in builds if build.get("bin")), "")


def vocabulary(builds: List[Dict[str, Any]]) -> str:
    """Path of the Llama 3 vocabulary of the first build whose tree has one (`vocab`), else ""."""
    return next((build["vocab"] for build in builds if build.get("vocab")), "")


def check_digest(text: str) -> str:
    """The SHA-256 in lower case. Raises ModelSourceError."""
    if not _SHA256.fullmatch(text):
        raise ModelSourceError(f"a sha256 is 64 hexadecimal digits, not {text!r:.100}; correct it")
    return text.lower()
