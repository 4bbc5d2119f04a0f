# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that models are asked about: those that are known by name, those of a person."""

from __future__ import annotations

import re
from typing import Any, Dict, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.models.package import Packaged
from ansible_collections.cloudbench.llama.plugins.module_utils.models.web import holds_secret, public
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean

_KEYS = ("name", "path", "url", "sha256")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,59}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_BROTLI = ("brotli", "1.2.1", "02b2f7b5a83485efe448a44ddf7983def05c3bb1dcf917d4f7154070260e13de")


def _of_brotli(file: str, sha256: str, size: int, title: str) -> Packaged:
    return Packaged(*_BROTLI, "brotli-1.2.1/tests/testdata/" + file, sha256, size, title, "public domain")


# What quality is measured on, and what an importance matrix is made of where nobody says otherwise: another text, for a
# quantization that was made for a text has an advantage on it.
QUALITY, IMPORTANCE = "alice29", "lcet10"
PACKAGED: Dict[str, Packaged] = {
    QUALITY: _of_brotli(
        "alice29.txt",
        "7467306ee0feed4971260f3c87421154a05be571d944e9cb021a5713700c38f0",
        152089,
        "Alice's Adventures in Wonderland by Lewis Carroll, 1865",
    ),
    IMPORTANCE: _of_brotli(
        "lcet10.txt",
        "5314ba1dbb03f471df88bec6cd120a938ef60d0fd3511c5c1dce61bf7463245f",
        426754,
        "proceedings of the Library of Congress's Workshop on Electronic Texts, 1992",
    ),
    "plrabn12": _of_brotli(
        "plrabn12.txt",
        "07e2e0b461af78c7c647cb53dab39de560198e16f799b4516eccf0fbd69f764c",
        481861,
        "Paradise Lost by John Milton, 1667",
    ),
}


class TextSourceError(ValueError):
    """A text that cannot be meant; the message names it, the rule and the remedy."""


class TextSource(NamedTuple):
    """A text. `name`: that of cells, of records and of its file; a person's own has the head of its digest in it.

    `packaged`, or `path` on the host, or `url`; `sha256`: the digest of the text.
    """

    name: str
    sha256: str
    packaged: Any = None
    path: str = ""
    url: str = ""


def parse(entry: Any) -> TextSource:
    """Return the text that an entry asks for: a name of PACKAGED, or a mapping with a name, a digest and a place.

    Raises TextSourceError.
    """
    if isinstance(entry, str):
        if entry in PACKAGED:
            return TextSource(entry, PACKAGED[entry].sha256, PACKAGED[entry])
        raise TextSourceError(
            "%.80r is no text that is known: they are %s%s; one of your own is a mapping with name, sha256 and path or "
            "url" % (public(entry), ", ".join(PACKAGED), did_you_mean(entry, PACKAGED))
        )
    if not isinstance(entry, dict):
        raise TextSourceError("a text is a name or a mapping with name, sha256 and path or url, not %.40r" % (entry,))
    for key in entry:
        if key not in _KEYS:
            raise TextSourceError("a text has %s, not %.40r%s" % (", ".join(_KEYS), key, did_you_mean(str(key), _KEYS)))
    name, sha256 = entry.get("name"), entry.get("sha256")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TextSourceError(
            "the name of a text, %.80r, becomes a file: use up to 60 lower-case letters, digits, dots and hyphens"
            % name
        )
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise TextSourceError(
            "the text %s needs the sha256 of its file, 64 hexadecimal digits, not %.80r" % (name, sha256)
        )
    places = {key: entry[key] for key in ("path", "url") if entry.get(key)}
    if len(places) != 1 or not isinstance(next(iter(places.values())), str):
        raise TextSourceError("the text %s needs either a path on the host or a url" % name)
    if "url" in places and not re.match(r"https?://[^/?#]", places["url"]):
        raise TextSourceError("the text %s: its url must begin with http:// or https:// and a host" % name)
    if "url" in places and holds_secret(places["url"]):
        raise TextSourceError(
            "the text %s: its url holds a user, a password or a query, which would be shown; download it and give its "
            "path" % name
        )
    return TextSource("%s-%s" % (name, sha256[:8].lower()), sha256.lower(), **places)


def title(name: str) -> str:
    """Return what a text is, in words: the name itself of one that is not known."""
    return "%s (%s)" % (PACKAGED[name].title, PACKAGED[name].licence) if name in PACKAGED else name
