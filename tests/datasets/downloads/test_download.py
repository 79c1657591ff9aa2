import errno
import io
import signal
import socket
from functools import partial
from pathlib import Path
from threading import get_ident

import pytest

from datasets.local_server import RUDE, Behaviour, Server
from datasets.sample_files import NAMES
from gpucnn.datasets.downloads import download as module
from gpucnn.datasets.downloads.download import download
from gpucnn.errors import InvalidFileError

IMAGES = f"{NAMES[0]}.gz"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The file to write, in an empty folder."""
    folder = tmp_path / "arriving"
    folder.mkdir()
    return folder / IMAGES


def error_of(address: str, target: Path) -> str:
    with pytest.raises(InvalidFileError) as caught:
        download(address + IMAGES, target)
    text = str(caught.value)
    assert text.startswith(f"{address}{IMAGES} cannot be downloaded (")
    assert text.endswith("): check the address and the connection")
    assert text.isprintable()
    return text


def test_download(server: Server, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    download(server.address + IMAGES, target)
    assert capsys.readouterr() == ("", f"downloading {server.address}{IMAGES}\n")
    assert target.read_bytes() == (server.folder / IMAGES).read_bytes()
    assert list(target.parent.iterdir()) == [target]


def test_missing(server: Server, target: Path) -> None:
    server.behaviour = "missing"
    assert "(HTTP Error 404: " in error_of(server.address, target)


def test_cut_short(server: Server, target: Path) -> None:
    server.behaviour = "cut short"
    size = (server.folder / IMAGES).stat().st_size
    expected = f"(got only {size // 2} of {size} bytes)"
    assert expected in error_of(server.address, target)


def test_connection_refused(target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and never listens
        port = unused.getsockname()[1]
        assert "refused" in error_of(f"http://127.0.0.1:{port}/", target)


def test_missing_file_folder(tmp_path: Path, target: Path) -> None:
    assert "No such file or directory" in error_of(f"{tmp_path.as_uri()}/nowhere/", target)


def test_of_an_address_that_is_none(target: Path) -> None:
    assert "(Invalid IPv6 URL)" in error_of("http://[::1/", target)


def test_what_a_server_says_is_not_printed_raw(server: Server, target: Path) -> None:
    server.behaviour = "rude"
    text = error_of(server.address, target)
    assert r"(HTTP Error 410: gone\x1b[31m\x07!!!" in text
    assert len(text) < len(RUDE)


def test_stalled(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behaviour = "stalled"
    monkeypatch.setattr(module, "STALL_LIMIT", 0.3)
    assert "(nothing more for 0.3 s after " in error_of(server.address, target)


@pytest.mark.parametrize("behaviour", ["stalled", "headers for ever", "body for ever"])
def test_never_done(
    server: Server, target: Path, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviour = behaviour
    monkeypatch.setattr(module, "TIME_LIMIT", 0.2)
    assert "(not done in 0.2 s, with " in error_of(server.address, target)


@pytest.mark.parametrize("behaviour", ["huge", "body for ever"])
def test_too_large(
    server: Server, target: Path, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviour = behaviour
    monkeypatch.setattr(module, "SIZE_LIMIT", 40)
    monkeypatch.setattr(module, "CHUNK", 4)
    assert "(it has more than 40 bytes, the most that are taken)" in error_of(
        server.address, target
    )
    assert target.stat().st_size <= 44


def test_interrupted(server: Server, target: Path) -> None:
    server.behaviour = "stalled"
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # which may be ignored
    server.when_stalled = partial(signal.pthread_kill, get_ident(), signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            download(server.address + IMAGES, target)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert not server.hung_up.is_set(), "it was not interrupted, but waited for the server"


def test_of_what_is_given_up_nothing_more_is_written(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviour = "body for ever"
    with monkeypatch.context() as patch:
        patch.setattr(module, "TIME_LIMIT", 0.1)
        error_of(server.address, target)
    size = target.stat().st_size
    assert server.hung_up.wait(60)
    assert target.stat().st_size == size


def test_disk_that_is_full(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.FileIO):
        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda path, mode: Full(path, mode))
    with pytest.raises(OSError, match="No space left on device"):
        download(server.address + IMAGES, target)


def test_a_bar_on_a_terminal(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    download(server.address + IMAGES, target)
    assert f"downloading {IMAGES}" in terminal.getvalue()
    assert "bytes" in terminal.getvalue()
