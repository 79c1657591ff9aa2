import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

import small
from commands.conftest import Command, Refused
from gpucnn.serving.server import LOCAL, open_socket

MODEL = "model.safetensors"


@pytest.fixture(autouse=True)
def model(command: Command) -> None:
    """A model, in the command's working folder."""
    small.model(device="cpu", threads=1).save(MODEL)


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """`gpucnn serve`, its first line, and its port."""
    line = [sys.executable, "-m", "gpucnn", "serve", *arguments, "--port", "0", "--device", "cpu"]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", first)
            assert found, (first, process.stderr and process.stderr.read())
            yield process, first, int(found[1])
        finally:
            process.kill()


def ask(port: int, method: str, path: str, body: str | None = None) -> dict[str, object]:
    connection = HTTPConnection(LOCAL, port, timeout=30)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_it_answers_until_it_is_stopped() -> None:
    Path("run-1").mkdir()
    small.model(device="cpu", threads=1, seed=1).save("run-1/checkpoint.safetensors")
    body = json.dumps({"pixels": small.images(1)[0].tolist()})
    with serving(MODEL, "run-1/checkpoint.safetensors") as (process, first, port):
        assert first == f"model, run-1 on cpu: http://127.0.0.1:{port}/ (Ctrl-C stops)\n"
        answers = [ask(port, "POST", f"/predict?model={name}", body) for name in ("model", "run-1")]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert [each.keys() for each in answers] == [{"class", "probabilities"}] * 2
    assert answers[0] != answers[1]
    assert (process.returncode, out, err) == (130, "", "gpucnn: stopped\n")


def test_it_ends_by_sigterm_as_programs_do() -> None:
    with serving(MODEL) as (process, _, port):
        assert ask(port, "GET", "/health") == {"status": "ok", "models": ["model"]}
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (-signal.SIGTERM, "", "")


def test_a_port_in_use_is_one_line(refused: Refused) -> None:
    with open_socket(LOCAL, 0) as taken:
        port = taken.getsockname()[1]
        line = refused("serve", MODEL, "--port", port)
    assert f"port {port} of 127.0.0.1 cannot be used (Address already in use): give another" in line


def test_files_that_cannot_be_served(refused: Refused) -> None:
    port = ["--port", 0, "--device", "cpu"]
    assert "there is no file nothing" in refused("serve", "nothing", *port)
    Path("other").mkdir()
    small.model(device="cpu", threads=1).save(f"other/{MODEL}")
    line = refused("serve", MODEL, f"other/{MODEL}", *port)
    assert f"{MODEL} and other/{MODEL} would both be served as model: rename one" in line
    assert "Missing argument 'models'" in refused("serve")


def test_a_run_is_named_by_its_folder_wherever_one_is(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("run-1").mkdir()
    small.model(device="cpu", threads=1).save("run-1/checkpoint.safetensors")
    monkeypatch.chdir("run-1")
    path = "checkpoint.safetensors"
    line = refused("serve", path, os.path.abspath(path), "--port", 0, "--device", "cpu")  # noqa: PTH100
    assert "would both be served as run-1" in line


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "prometheus_client", "PIL"])
def test_without_the_extra_one_line_says_which(package: str, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None; "
        "from gpucnn.commands.main import main; main()"
    )
    command = [sys.executable, "-c", program, "serve", MODEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"gpucnn: error: gpucnn.serving needs {package}, which is not installed: "
        "pip install 'gpucnn[serve]'\n"
    )
