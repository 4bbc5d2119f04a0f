# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the pages: a specification, what it says in words, and where its drawings lie."""

from __future__ import annotations

import html
import posixpath
from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Spec

FOLDER = "figures"


class Drawing(NamedTuple):
    """What a subject draws.

    In words for those who do not see it, and as a specification without colours of paper and ink.
    """

    alt: str
    spec: Spec


class Figure(NamedTuple):
    """One figure: its path relative to the results directory, without theme and extension, and its Drawing."""

    path: str
    alt: str
    spec: Spec


def of_page(page: str, drawings: Iterable[tuple[str, Drawing | None]]) -> dict[str, Figure]:
    """Return by name the figures of the page of the path `page`, as far as the records held what they need."""
    return {name: Figure(_path(page, name), *drawing) for name, drawing in drawings if drawing}


def _path(page: str, name: str) -> str:
    folder, file = posixpath.split(page)
    stem = "" if file == summary.INDEX else f"{file.removesuffix('.md')}-"
    return posixpath.join(folder, FOLDER, stem + name)


def file_name(path: str, theme: str) -> str:
    """Return the path of the drawing of a figure in a theme, light or dark."""
    return f"{path}-{theme}.svg"


def picture(figure: Figure, page: str) -> Markdown:
    """Return what shows `figure` on the page of the path `page`, dark where the reader has it dark."""
    path = posixpath.relpath(figure.path, posixpath.dirname(page))
    light, dark = (html.escape(str(file_name(path, theme))) for theme in ("light", "dark"))
    alt = html.escape(markdown.visible(figure.alt))
    return Markdown(
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}"><img src="{light}" alt="{alt}">'
        "</picture>"
    )
