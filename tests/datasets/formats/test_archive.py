import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from gpucnn.datasets.formats import archive as module
from gpucnn.datasets.formats.archive import archived, blaming, is_archive
from gpucnn.errors import InvalidFileError

WHOLE = {"a": b"first", "b": bytes(3000), "c": b"last"}


def tar(members: dict[str, bytes], **of_each: object) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, each in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(each)
            for attribute, value in of_each.items():
                setattr(member, attribute, value)
            archive.addfile(member, io.BytesIO(each))
    return content.getvalue()


def read(path: Path, names: str = "abc") -> dict[str, bytes]:
    with blaming("<set>"):
        entries = archived(path, "<set>", lambda name: name in names)
        return {entry.name: entry.file.read() for entry in entries}


def refused(folder: Path, content: bytes) -> str:
    path = folder / "set.tar.gz"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidFileError) as caught:
            read(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * 2**20
    text = str(caught.value)
    assert text.startswith("<set> is not an archive that can be read (")
    assert text.isprintable()
    return text


@pytest.mark.parametrize("compress", [gzip.compress, bytes])
def test_members_that_are_wanted(tmp_path: Path, compress: object) -> None:
    assert callable(compress)
    path = tmp_path / "set"
    path.write_bytes(compress(tar({f"folder/{name}": each for name, each in WHOLE.items()})))
    assert read(path) == WHOLE
    assert read(path, "c") == {"c": WHOLE["c"]}


def test_sizes_and_names_in_errors(tmp_path: Path) -> None:
    (tmp_path / "set").write_bytes(tar(WHOLE))
    entries = [
        (each.name, each.origin, each.size) for each in archived(tmp_path / "set", "o", bool)
    ]
    assert entries == [("a", "o: a", 5), ("b", "o: b", 3000), ("c", "o: c", 4)]


@pytest.mark.parametrize("name", ["../../a", "/etc/a", "./a"])
def test_names_of_other_folders_lead_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "set").write_bytes(tar({name: b"content"}))
    assert read(tmp_path / "set") == {"a": b"content"}
    assert [each.name for each in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_what_is_no_file_is_passed_over(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "set").write_bytes(tar({"a": b""}, type=kind, linkname="/etc/passwd"))
    assert read(tmp_path / "set") == {}


def test_damaged_archives(tmp_path: Path) -> None:
    content = gzip.compress(tar(WHOLE), mtime=0)
    for damaged in (b"", b"<html>", content[:-20], content[:40], tar(WHOLE)[:1000]):
        refused(tmp_path, damaged)


def test_members_that_are_larger_than_the_file_can_hold(tmp_path: Path) -> None:
    content = bytearray(tar({"a": b"content"}))
    content[124:136] = b"77777777777\0"
    content[148:156] = b"%06o\0 " % sum(content[:148] + b" " * 8 + content[156:512])
    assert "a says that it holds 8589934591 bytes" in refused(tmp_path, gzip.compress(content))


def test_headers_that_are_large_or_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = io.BytesIO()
    with tarfile.open(fileobj=huge, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a")
        member.pax_headers = {"comment": "x" * 5 * 2**20}
        archive.addfile(member)
    assert "its header has" in refused(tmp_path, gzip.compress(huge.getvalue()))
    monkeypatch.setattr(module, "MOST_MEMBERS", 2)
    assert "it holds more than 2 files" in refused(tmp_path, tar(WHOLE))


def test_suffixes() -> None:
    assert [is_archive(name) for name in ("a.tar.gz", "A.TGZ", "a.zip", "a.gz")] == [1, 1, 0, 0]
