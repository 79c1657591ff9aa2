import pytest

from commands.conftest import Command, Refused
from gpucnn.backends import Array, Backend, CpuBackend
from gpucnn.commands.devices import verify


class Faulty(CpuBackend):
    def relu(self, x: Array, out: Array) -> None:
        super().relu(x, out)
        out.flat[0] = 1


def test_devices_that_agree(command: Command, data: str) -> None:
    outcome = command("verify", "cpu", "cpu", "--data", data, "--steps", 11)
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert lines[0] == (
        "notebook in float32, steps 1 to 11 of adam, batches of 32, seed 0, "
        f"first 256 training images of {data}"
    )
    assert lines[1].startswith("A is cpu (")
    assert lines[-1] == "A and B agree in steps 1 to 11"
    assert [line.split()[0] for line in lines[-5:-2]] == ["1", "10", "11"]


def test_simulator_agrees_with_the_cpu(command: Command) -> None:
    """The promise of the README: 50 steps of the notebook's network, on 2,000 images of MNIST."""
    outcome = command("verify", "cpu", "simulator")
    assert outcome.status == 0
    assert "first 2,000 training images of the built-in MNIST" in outcome.out
    assert outcome.out.splitlines()[-1] == "A and B agree in steps 1 to 50"


def test_simulator_agrees_in_every_layer(command: Command, data: str) -> None:
    options = ["--data", data, "--model", "lenet", "--batch-size", 8, "--steps", 3]
    assert command("verify", "simulator", "cpu", *options).status == 0


def test_devices_that_do_not_agree_end_with_1(
    command: Command, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backends: dict[str, Backend] = {"cpu": CpuBackend(), "other": Faulty()}
    monkeypatch.setattr(verify, "get_backend", backends.__getitem__)
    outcome = command("verify", "cpu", "other", "--data", data, "--steps", 3)
    assert outcome.status == 1
    last = outcome.out.splitlines()[-1]
    assert last.startswith("A and B do not agree: step 1, relu: out of relu on B (cpu) is ")
    assert "unequal" in outcome.out


def test_every_option_reaches_the_config(command: Command, data: str) -> None:
    options = {"model": "lenet", "steps": 1, "batch_size": 8, "seed": 7, "dtype": "float64"}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    outcome = command("verify", "cpu", "cpu", "--data", data, *arguments)
    assert outcome.status == 0
    assert "lenet in float64, steps 1 to 1 of adam, batches of 8, seed 7" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["abacus", "cpu"], "unknown device 'abacus'"),
        (["cpu", "abacus"], "unknown device 'abacus'"),
        (["cpu"], "Missing argument"),
        (["cpu", "cpu", "--steps", "0"], "steps is 0"),
        (["cpu", "cpu", "--model", "vgg"], "model is 'vgg': choose one of notebook, lenet"),
        (["cpu", "cpu", "--dtype", "float16"], "dtype is 'float16'"),
        (["cpu", "cpu", "--batch-size", "0"], "batch_size is 0"),
        (["cpu", "cpu", "--seed", "-1"], "seed is -1"),
        (["cpu", "cpu", "--data", "nowhere"], "no file or folder nowhere: give a folder"),
    ],
)
def test_a_bad_option_gets_one_line(refused: Refused, arguments: list[str], line: str) -> None:
    assert line in refused("verify", *arguments)
