import io
import socket
from _thread import interrupt_main
from pathlib import Path

import pytest

from data.local_server import Server
from data.sample_files import NAMES
from gpucnn.data.download import download
from gpucnn.errors import InvalidFileError

IMAGES = f"{NAMES[0]}.gz"
WAIT = 60.0  # seconds until a test that waits for something gives up


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The file to write, in a folder of its own."""
    folder = tmp_path / "arriving"
    folder.mkdir()
    return folder / IMAGES


def error_of(address: str, target: Path) -> str:
    with pytest.raises(InvalidFileError) as caught:
        download(address, target)
    text = str(caught.value)
    assert text.startswith(f"{address}{IMAGES} cannot be downloaded (")
    assert text.endswith("): check the address and the connection")
    assert "\n" not in text
    return text


def test_download(server: Server, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    download(server.address, target)
    assert capsys.readouterr() == ("", f"downloading {server.address}{IMAGES}\n")
    assert target.read_bytes() == (server.folder / IMAGES).read_bytes()
    assert list(target.parent.iterdir()) == [target]


def test_works_beside_modules_of_the_same_names(
    server: Server, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mnist.py", "numpy.py", "gzip.py"):
        (tmp_path / name).write_text("raise RuntimeError('the wrong module')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # as in an interactive session
    download(server.address, target)
    assert target.exists()


def test_finds_modules_as_the_caller_does_and_ignores_their_warnings(
    server: Server, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mnist.py").write_text(
        "import warnings; warnings.warn('old'); download_file = lambda name, folder: None"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    download(server.address, target)
    assert server.requests == []


def test_missing(server: Server, target: Path) -> None:
    server.behaviour = "missing"
    assert "(HTTP Error 404: " in error_of(server.address, target)


def test_cut_short(server: Server, target: Path) -> None:
    server.behaviour = "cut short"
    size = (server.folder / IMAGES).stat().st_size
    expected = f"(retrieval incomplete: got only {size // 2} out of {size} bytes)"
    assert expected in error_of(server.address, target)


def test_connection_refused(target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and never listens
        port = unused.getsockname()[1]
        assert "refused" in error_of(f"http://127.0.0.1:{port}/", target)


def test_missing_file_folder(tmp_path: Path, target: Path) -> None:
    assert "No such file or directory" in error_of(f"{tmp_path.as_uri()}/nowhere/", target)


def test_stalled(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behaviour = "stalled"
    monkeypatch.setattr("gpucnn.data.download.STALL_LIMIT", 0.5)
    assert "(nothing more came for 0.5 s after " in error_of(server.address, target)


def test_never_done(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behaviour = "stalled"
    monkeypatch.setattr("gpucnn.data.download.TIME_LIMIT", 0.2)
    assert "(not done in 0.2 s, with " in error_of(server.address, target)


def test_interrupted(server: Server, target: Path) -> None:
    server.behaviour = "stalled"
    server.when_stalled = interrupt_main
    with pytest.raises(KeyboardInterrupt):
        download(server.address, target)
    assert server.hung_up.wait(WAIT), "the process that downloads lives on"


def test_a_bar_on_a_terminal(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    download(server.address, target)
    assert f"downloading {IMAGES}" in terminal.getvalue()
    assert "bytes" in terminal.getvalue()
