import json
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import NDArray

from backends.cuda.fake_cupy import FakeCupy, headers_missing
from commands.conftest import Command, Refused
from datasets.sample_cifar import NAMES, python_files, write_archive
from gpucnn import Sequential
from gpucnn.backends import devices
from gpucnn.backends.devices import _automatic as choose_by_trying
from gpucnn.callbacks import Logs
from gpucnn.commands.runs import Run
from gpucnn.errors import DeviceError, DeviceMemoryError
from gpucnn.serving.course import Course
from gpucnn.serving.server import LOCAL, open_socket
from small_mnist import small_mnist, write_small_mnist

CHECKPOINT = "checkpoint.safetensors"


def test_it_trains_and_says_how(command: Command, data: str) -> None:
    outcome = command("train", "--data", data, "--epochs", 2, "--output", "run")
    assert outcome.status == 0
    assert "13,610 parameters of float32 on cpu" in outcome.out
    assert "256 images to train on, 100 to test on" in outcome.out
    assert "epoch 2/2" in outcome.out
    assert "test accuracy" in outcome.out
    assert "images/s in training steps" in outcome.out
    assert Path("run", CHECKPOINT).is_file()
    assert len(json.loads(Path("run/history.json").read_text())["epochs"]) == 2


def test_it_trains_on_other_forms_of_the_same_images(command: Command, data: str) -> None:
    train, test = small_mnist(256, 100)
    np.savez("keras.npz", x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    Path("tables").mkdir()
    for name, (images, labels) in (("train", train), ("test", test)):
        rows = np.column_stack([labels, images.reshape(len(images), -1)])
        np.savetxt(f"tables/mnist_{name}.csv", rows, fmt="%d", delimiter=",")
    hashes = set()
    for each in (data, "keras.npz", "tables"):
        output = f"run-{Path(each).stem}"
        assert command("train", "--data", each, "--epochs", 1, "--output", output).status == 0
        hashes.add(json.loads(Path(output, "history.json").read_text())["data_sha256"])
    assert len(hashes) == 1


def test_it_trains_on_an_archive_in_colour_whose_classes_have_names(command: Command) -> None:
    write_archive(Path("cifar-10-python.tar.gz"), python_files())
    train = "train", "--data", "cifar-10-python.tar.gz", "--output", "run"
    outcome = command(*train, "--epochs", 1)
    assert "15 images to train on, 3 to test on" in outcome.out
    model = Sequential.load(Path("run", CHECKPOINT), device="cpu", threads=1)
    assert (model.input_shape, model.class_names) == ((32, 32, 3), NAMES)
    assert "airplane" in command("predict", f"run/{CHECKPOINT}", 0).out


def test_a_run_of_a_file_that_has_changed_is_not_resumed(
    command: Command, refused: Refused
) -> None:
    train, test = small_mnist(32, 32)
    arrays: dict[str, Any] = {
        "x_train": train[0],
        "y_train": train[1],
        "x_test": test[0],
        "y_test": test[1],
    }
    np.savez("set.npz", **arrays)
    command("train", "--data", "set.npz", "--epochs", 1, "--output", "run")
    np.savez("set.npz", **arrays | {"y_train": train[1][::-1]})
    line = refused("train", "--resume", "--output", "run", "--epochs", 2)
    assert "set.npz does not have the images that the run in run began with" in line


def save_set(images: NDArray[Any], labels: NDArray[Any]) -> None:
    np.savez("set.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)


def test_a_model_has_the_classes_of_the_data(command: Command) -> None:
    (images, labels), _ = small_mnist(32, 1)
    save_set(images, labels + 16)
    assert command("train", "--data", "set.npz", "--epochs", 1, "--output", "run").status == 0
    assert Sequential.load("run/checkpoint.safetensors").classes == labels.max() + 17
    assert command("train", "--resume", "--output", "run").status == 0
    assert command("evaluate", "run/checkpoint.safetensors").status == 0


def test_a_model_has_the_size_of_the_images(command: Command, refused: Refused) -> None:
    (images, labels), _ = small_mnist(32, 1)
    save_set(images[:, 2:-2, 3:-3], labels)
    assert command("train", "--data", "set.npz", "--epochs", 1, "--output", "run").status == 0
    assert Sequential.load("run/checkpoint.safetensors").input_shape == (24, 22, 1)
    save_set(images[:, 8:16, 8:16], labels)
    line = refused("train", "--data", "set.npz", "--model", "lenet")
    assert "lenet cannot take images of the shape (8, 8, 1) (maxpool2d_1 slides a window" in line
    assert line.endswith(": give larger ones\n")


def test_labels_that_do_not_number_classes(refused: Refused) -> None:
    (images, labels), _ = small_mnist(32, 1)
    save_set(images, labels + 100)
    line = refused("train", "--data", "set.npz")
    assert f"has labels up to {labels.max() + 100}, but 32 images to train on: give" in line
    save_set(images, 0 * labels)
    assert "has images of a single class: give images" in refused("train", "--data", "set.npz")


def test_it_trains_on_the_simulator(command: Command, data: str) -> None:
    options = ["--data", data, "--epochs", 1, "--output", "run"]
    outcome = command("train", *options, "--device", "simulator")
    assert outcome.status == 0
    assert "on simulator (the CUDA kernels on the CPU" in outcome.out
    line = "the simulator executes each CUDA thread on the CPU, at tens to hundreds of images/s: "
    assert line in outcome.out.splitlines()[1]
    assert json.loads(Path("run/history.json").read_text())["device"] == "simulator"


def test_auto_says_why_it_takes_the_cpu(
    command: Command, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    line = "auto took the CPU, since cuda cannot be used: CuPy is not installed"
    options = ["--data", data, "--epochs", 1]
    assert line in command("train", *options).out
    assert line not in command("train", *options, "--device", "cpu").out


def test_the_reason_that_a_gpu_is_broken_is_told_once(
    command: Command, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cupy = FakeCupy()
    cupy.compile = Mock(side_effect=headers_missing())
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(devices, "_automatic", choose_by_trying)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        outcome = command("train", "--data", data, "--epochs", 1)
    told = outcome.out + outcome.err
    assert outcome.status == 0
    assert told.count("CUDA's headers were not found") == 1
    assert "warning: cuda cannot be used: CUDA's headers were not found" in outcome.err


def test_gpu_that_cannot_be_used(
    refused: Refused, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    line = refused("train", "--data", data, "--device", "cuda")
    assert "CuPy is not installed: pip install 'cupy-cuda12x[ctk]'" in line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DeviceError("a process has ended"), "a process has ended; gpucnn train --resume "),
        (DeviceMemoryError("not enough memory"), "error: not enough memory\n"),
    ],
)
def test_device_that_fails(
    refused: Refused, data: str, monkeypatch: pytest.MonkeyPatch, error: DeviceError, line: str
) -> None:
    def fail(_: Run) -> None:
        raise error

    monkeypatch.setattr(Run, "train", fail)
    assert line in refused("train", "--data", data) + "\n"


def test_every_option_reaches_the_config(command: Command, data: str) -> None:
    options = {
        "model": "lenet",
        "data": data,
        "device": "cpu",
        "threads": 3,
        "epochs": 1,
        "batch_size": 100,
        "optimizer": "sgd",
        "learning_rate": 0.25,
        "schedule": "cosine",
        "seed": 9,
        "dtype": "float64",
    }
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    assert command("train", *arguments, "--output", "run").status == 0
    config = json.loads(Path("run/history.json").read_text())["recipe"]
    assert config == options | {"schedule_epochs": None, "image_size": None}


def test_only_photographs_are_brought_to_a_size(refused: Refused, data: str) -> None:
    for source in (("--data", data), ()):
        line = refused("train", *source, "--image-size", 28)
        assert "is no folder of photographs, which alone are brought to a size: leave it" in line


def test_each_run_gets_a_folder_of_its_own(command: Command, data: str) -> None:
    for _ in range(2):
        command("train", "--data", data, "--epochs", 1)
    assert sorted(each.name for each in Path("runs").iterdir()) == ["notebook-1", "notebook-2"]


def test_a_finished_run_resumed_says_so(command: Command, data: str) -> None:
    command("train", "--data", data, "--epochs", 1, "--output", "run")
    outcome = command("train", "--resume", "--output", "run", "--epochs", 1)
    assert outcome.status == 0
    assert "1 of 1 epochs are done" in outcome.out
    assert "nothing is left to do" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--epochs", "-1"], "epochs is -1"),
        (["--epochs", "0"], "epochs is 0"),
        (["--model", "vgg"], "model is 'vgg': choose one of notebook, lenet"),
        (["--device", "abacus"], "unknown device 'abacus': choose one of auto, cpu"),
        (["--data", "nowhere"], "nowhere: give a folder of photographs"),
        (["--resume"], "--resume needs to know which run"),
        (["--resume", "--output", "nowhere"], "there is no run in nowhere"),
        (["--learning-rate", "nan"], "learning_rate is nan"),
        (["--batch-size", "0"], "batch_size is 0"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_a_bad_option_gets_one_line_and_leaves_nothing(
    refused: Refused, tmp_path: Path, arguments: list[str], line: str
) -> None:
    assert line in refused("train", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_run_cannot_be_resumed_with_another_config(
    command: Command, refused: Refused, data: str
) -> None:
    command("train", "--data", data, "--epochs", 2, "--output", "run")
    line = refused("train", "--resume", "--output", "run", "--epochs", 1)
    assert "was begun with epochs 2, not 1" in line
    line = refused("train", "--resume", "--output", "run", "--seed", 1)
    assert "was begun with seed 0, not 1" in line


def test_a_folder_in_use_is_refused(command: Command, refused: Refused, data: str) -> None:
    command("train", "--data", data, "--epochs", 1, "--output", "run")
    assert "already holds a run" in refused("train", "--data", data, "--output", "run")


def test_a_run_that_diverges_is_told_in_one_line(refused: Refused, data: str) -> None:
    line = refused("train", "--data", data, "--optimizer", "sgd", "--learning-rate", "1e30")
    assert "in epoch 1: train with a lower learning rate" in line


def test_a_run_goes_on_for_more_epochs(command: Command, data: str) -> None:
    command("train", "--data", data, "--epochs", 1, "--output", "run")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        outcome = command("train", "--resume", "--output", "run", "--epochs", 2)
    assert outcome.status == 0
    assert "resumed: 1 of 2 epochs are done" in outcome.out
    assert outcome.err == (
        "gpucnn: warning: the learning rate's schedule ends after 8 steps, and this goes on to "
        "step 16: past its end the rate stays at 4e-08\n"
    )
    assert "nothing is left to do" in command("train", "--resume", "--output", "run").out


def test_a_name_is_never_printed_raw(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "\x1b[31mred"
    folder.mkdir()
    write_small_mnist(folder, train=32, test=10)
    outcome = command("train", "--data", folder, "--epochs", 1, "--output", "run")
    assert outcome.status == 0
    assert r"\x1b[31mred" in outcome.out
    assert "\x1b" not in outcome.out


# In a process of its own


def test_a_run_in_progress_is_left_alone(
    tmp_path: Path, larger_data: str, refused: Refused
) -> None:
    output = tmp_path / "run"
    process = start_training(output, "--model", "lenet", "--data", larger_data, "--epochs", "99")
    while process.poll() is None and epochs_done(output) == 0:
        time.sleep(0.01)
    leftover = output / ".history.json.x1y2.gpucnn-tmp"  # as if it were being written
    leftover.touch()
    for options in (["--resume"], ["--data", larger_data]):
        line = refused("train", "--output", output, *options)
        assert f"the run in {output} is in progress: wait for its end" in line
    assert leftover.exists()
    assert process.poll() is None
    process.kill()
    process.communicate()
    with Run.resume(output) as run:  # the kernel has released the lock
        assert run.epochs_left > 0
    assert not leftover.exists()


@pytest.fixture(scope="module")
def larger_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Enough images for an epoch of lenet to take a large fraction of a second."""
    return str(write_small_mnist(tmp_path_factory.mktemp("data"), train=2000, test=100))


def start_training(output: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "gpucnn", "train", "--output", str(output), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def epochs_done(output: Path) -> int:
    history = output / "history.json"
    return len(json.loads(history.read_text())["epochs"]) if history.exists() else 0


def interrupt_in_second_epoch(output: Path, data: str, how: signal.Signals) -> tuple[int, str]:
    """Start a run of three epochs, signal it after the first; return its status and stderr."""
    process = start_training(output, "--model", "lenet", "--data", data, "--epochs", "3")
    while process.poll() is None and epochs_done(output) == 0:
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(how)
    _, err = process.communicate()
    assert epochs_done(output) in (1, 2), "the run was not stopped on its way"
    return process.returncode, err


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, larger_data: str) -> bytes:
    """The final checkpoint of an uninterrupted run."""
    output = tmp_path_factory.mktemp("uninterrupted")
    finish(start_training(output, "--model", "lenet", "--data", larger_data, "--epochs", "3"))
    return (output / CHECKPOINT).read_bytes()


def finish(process: "subprocess.Popen[str]") -> None:
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")


def resume(output: Path) -> None:
    finish(start_training(output, "--resume"))
    assert epochs_done(output) == 3


def test_a_killed_run_is_resumed_to_the_same_bytes(
    tmp_path: Path, larger_data: str, uninterrupted: bytes
) -> None:
    status, _ = interrupt_in_second_epoch(tmp_path, larger_data, signal.SIGKILL)
    assert status == -signal.SIGKILL
    resume(tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == uninterrupted


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(
    tmp_path: Path, larger_data: str, uninterrupted: bytes
) -> None:
    status, err = interrupt_in_second_epoch(tmp_path, larger_data, signal.SIGINT)
    assert status == 130
    assert err.strip() == f"gpucnn: stopped: gpucnn train --resume --output {tmp_path} goes on"
    resume(tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == uninterrupted


def test_a_full_disk_gets_one_line_and_leaves_nothing_half_written(
    tmp_path: Path, data: str
) -> None:
    # A limit on the size of files stands for the disk: enough for the history, not for the model.
    program = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "sys.argv[0] = 'gpucnn'; runpy.run_module('gpucnn', run_name='__main__')"
    )
    arguments = ["train", "--data", data, "--output", str(tmp_path)]
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr == f"gpucnn: error: {tmp_path / CHECKPOINT}: File too large\n"
    assert sorted(each.name for each in tmp_path.iterdir()) == [".lock", "history.json"]


# Looked at


def test_it_is_shown_in_a_browser_and_ends_the_same(command: Command, data: str) -> None:
    options = ["--data", data, "--epochs", 2]
    shown = command("train", *options, "--output", "shown", "--serve")
    alone = command("train", *options, "--output", "alone")
    assert shown.status == alone.status == 0
    line = "curves and filters, until the training ends: http://127.0.0.1:"
    assert [line in each.out for each in (shown, alone)] == [True, False]
    assert Path("shown", CHECKPOINT).read_bytes() == Path("alone", CHECKPOINT).read_bytes()


def test_a_resumed_run_shows_what_was_before(
    command: Command, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()

    def note(course: Course, record: Logs) -> None:
        add(course, record)
        told.append(course.encode())

    add = Course.add
    monkeypatch.setattr(Course, "add", note)
    options = ["train", "--output", "run", "--serve", "--epochs"]
    command(*options, 1, "--data", data, "--schedule", "constant")
    command(*options, 3, "--resume")
    losses = [json.loads(each)["history"]["loss"] for each in told]
    assert [len(each) for each in losses] == [1, 2, 3]
    assert losses[2][:2] == losses[1]


def test_a_port_of_the_page_in_use_is_told_before_the_run_begins(refused: Refused) -> None:
    with open_socket(LOCAL, 0) as taken:
        port = taken.getsockname()[1]
        line = refused("train", "--serve", "--port", port, "--output", "run")
    assert f"port {port} of 127.0.0.1 cannot be used (Address already in use)" in line
    assert not Path("run").exists()


def test_a_port_without_a_page_is_refused(refused: Refused) -> None:
    line = refused("train", "--port", 8000)
    assert "--port is that of --serve, which is not given: give both" in line
