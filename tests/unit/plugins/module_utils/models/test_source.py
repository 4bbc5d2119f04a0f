# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.models import source as model_source
from ansible_collections.cloudbench.llama.plugins.module_utils.models.hub import check_names
from ansible_collections.cloudbench.llama.plugins.module_utils.models.presets import PLACEHOLDER, PUBLISHED
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import PRESETS
from ansible_collections.cloudbench.llama.plugins.module_utils.models.source import ModelSource, ModelSourceError, parse

DIGEST = "AB" * 32


def test_presets() -> None:
    assert not set(PRESETS) & set(PUBLISHED)
    for name, preset in PUBLISHED.items():
        assert preset.name == name
        for repository, file in ((preset.repository, preset.file), (preset.original, "config.json")):
            check_names(repository, file, "main")
        assert preset.original.startswith("meta-llama/")
        # One file of two bytes a weight is 140 GB of a 70B: that is not what anybody downloads to make 40 of it.
        assert (PLACEHOLDER in preset.file) == ("70b" in name)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("tiny-synthetic", ModelSource("tiny-synthetic", "generate")),
        (
            "llama-3.2-1b",
            ModelSource(
                "llama-3.2-1b", "download", repository="unsloth/Llama-3.2-1B-Instruct-GGUF",
                file="Llama-3.2-1B-Instruct-F16.gguf",
            ),
        ),
        (
            {"name": "llama-3.2-1b", "convert": True},
            ModelSource("llama-3.2-1b", "convert", repository="meta-llama/Llama-3.2-1B-Instruct"),
        ),
        ({"name": "mine", "path": "/srv/m.gguf"}, ModelSource("mine", "use", path="/srv/m.gguf")),
        (
            {"name": "mine", "url": "https://h/m.gguf?x=1", "sha256": DIGEST},
            ModelSource("mine", "download", url="https://h/m.gguf?x=1", sha256={"": DIGEST}),
        ),
        (
            {"name": "mine", "s3": "s3://my-bucket/a/m.gguf", "sha256": DIGEST},
            ModelSource("mine", "download", s3="s3://my-bucket/a/m.gguf", sha256={"": DIGEST}),
        ),
        (
            {"name": "mine", "repository": "org/name", "file": "m.gguf", "revision": "v1", "path": None},
            ModelSource("mine", "download", repository="org/name", file="m.gguf", revision="v1"),
        ),
        (
            {"name": "mine", "repository": "org/name", "convert": True},
            ModelSource("mine", "convert", repository="org/name"),
        ),
    ],
)  # fmt: skip
def test_entries(entry: Any, expected: ModelSource) -> None:
    assert parse(entry) == expected


def test_a_preset_of_another_revision() -> None:
    assert parse({"name": "llama-3.1-8b", "revision": "v1"}) == parse("llama-3.1-8b")._replace(revision="v1")


def test_one_file_for_each_quantization() -> None:
    digests = {"Q4_0": DIGEST, "Q8_0": "cd" * 32}
    source = parse({"name": "mine", "url": "http://h/m-{quantization}.gguf", "sha256": digests})
    assert source.digest("Q8_0") == "cd" * 32
    assert source.digest("Q4_0") == DIGEST.lower()
    assert model_source.for_quantization(source.url, "Q8_0") == "http://h/m-Q8_0.gguf"
    with pytest.raises(ModelSourceError, match="names no sha256 for Q4_K_M, only for Q4_0, Q8_0; add it"):
        source.digest("Q4_K_M")
    assert parse({"name": "mine", "repository": "o/n", "file": "m-{quantization}.gguf"}).digest("Q8_0") is None


URL = {"name": "mine", "url": "http://h/m.gguf"}
HUB = {"name": "mine", "repository": "org/name", "file": "m.gguf"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("llama-3.2-2b", r"'llama-3.2-2b' is no preset model; .*tiny-synthetic, .*llama-3.3-70b; did you mean llama-3"),
        ("https://me:pass@h/m.gguf?token=secret", "'https://h/m.gguf' is no preset model"),
        ({"path": "/x"}, "{'path': '/x'} is neither the name of a preset nor a mapping with a name"),
        (["x"], "is neither the name of a preset nor a mapping"),
        ({"name": "../x", "path": "/x"}, "'../x' becomes a directory"),
        ({"name": "mine"}, r"mine has no origin; give one of path, url .*, or take the name of a preset: llama-3-8b"),
        ({**URL, "path": "/x"}, "mine has path and url; give one of path"),
        ({**HUB, "revison": "v1"}, "mine has 'revison', which means nothing; .*; did you mean revision?"),
        ({**HUB, "token": "hf_secret"}, "mine has 'token', which means nothing"),
        ({**HUB, "revision": 1.5}, "revision is a text, not 1.5"),
        ({**HUB, "convert": "yes"}, "convert is true or false, not 'yes'"),
        (URL, "mine needs the sha256 of its file: 64"),
        ({**URL, "sha256": "abc"}, "must be 64 hexadecimal digits, not 'abc'"),
        ({**URL, "sha256": {"Q4_0": DIGEST}}, "sha256 is one digest, as there is one file"),
        ({"name": "m", "url": "http://h/{quantization}.gguf", "sha256": DIGEST}, "sha256 is a mapping from each"),
        ({"name": "mine", "url": "ftp://h/m", "sha256": DIGEST}, "its url must begin with http:// or https://"),
        ({**URL, "sha256": DIGEST, "file": "x.gguf"}, "file goes with repository, not with url; leave one out"),
        ({"name": "mine", "path": "/x", "convert": True}, "convert goes with repository, not with path"),
        ({"name": "mine", "s3": "s3://bucket", "sha256": DIGEST}, "must be s3://BUCKET/KEY, not 's3://bucket'"),
        ({"name": "mine", "s3": "s3://bucket/m.gguf"}, "needs the sha256"),
        ({"name": "mine", "repository": "org/name"}, "needs the file of its repository, NAME.gguf, not ''"),
        ({**HUB, "file": "model.safetensors"}, "safetensors are converted where convert is true"),
        ({**HUB, "repository": "name"}, "the model mine: 'name' is no repository; write OWNER/NAME"),
        ({**HUB, "file": "../m.gguf"}, "the model mine: '../m.gguf' is no file of a repository"),
        ({**HUB, "convert": True}, "leave file and sha256 out"),
    ],
)  # fmt: skip
def test_entries_that_cannot_be_meant(entry: Any, message: str) -> None:
    with pytest.raises(ModelSourceError, match=message) as told:
        parse(entry)
    assert not [word for word in ("pass@", "secret") if word in str(told.value)]


def test_what_may_be_shown_of_an_entry() -> None:
    shown = model_source.public_entry(
        {"name": "m", "url": "https://me:pass@h/m?token=abc#x", "sha256": {"Q4_0": DIGEST}, "token": "hf_secret"}
    )
    assert shown == {"name": "m", "url": "https://h/m", "sha256": {"Q4_0": DIGEST}, "token": "***"}
    assert model_source.public_entry("https://me:pass@h/m") == "https://h/m"
    assert model_source.public_entry("tiny-synthetic") == "tiny-synthetic"


def test_the_build_that_can() -> None:
    builds = [
        {"name": "legacy", "bin": "/l", "vocab": "", "file_types": ["Q4_0", "Q4_0_8_8"]},
        {"name": "current", "bin": "/c", "vocab": "/c/v", "file_types": ["Q4_0", "MXFP4_MOE"]},
    ]
    chosen = [model_source.quantize_binary(builds, name) for name in ("Q4_0", "Q4_0_8_8", "MXFP4_MOE", "Q2_0")]
    # None knows the last: the first one says so.
    assert chosen == [f"/{name}/llama-quantize" for name in "llcl"]
    assert model_source.vocabulary(builds) == "/c/v"
    assert (model_source.quantize_binary([], "Q4_0"), model_source.vocabulary([])) == ("", "")


def test_an_entry_that_is_nested_without_end_is_refused_in_a_sentence() -> None:
    entry: list[Any] = []
    for _level in range(5000):
        entry = [entry]
    with pytest.raises(ModelSourceError, match="is neither the name of a preset nor a mapping with a name") as told:
        parse(entry)
    assert len(str(told.value)) < 300
    with pytest.raises(ModelSourceError, match="the model m: file is a text, not"):
        parse({"name": "m", "repository": "a/b", "file": entry})
