import json
from pathlib import Path

import pytest

from commands.conftest import Command, Refused
from gpucnn import Sequential
from gpucnn.benchmark import Plan
from gpucnn.commands.devices import bench
from gpucnn.models import notebook

both_names = pytest.mark.parametrize("option", ["--workers", "--threads"])


class TestWorkers:
    @both_names
    def test_train(self, command: Command, data: str, option: str) -> None:
        command("train", "--data", data, "--epochs", 1, "--output", "run", option, 3)
        assert json.loads(Path("run/history.json").read_text())["recipe"]["threads"] == 3

    @both_names
    def test_evaluate(
        self, command: Command, data: str, option: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        notebook().save("model.safetensors")
        models: list[Sequential] = []
        evaluate = Sequential.evaluate

        def evaluate_noted(self: Sequential, *arguments: object) -> object:
            models.append(self)
            return evaluate(self, *arguments)  # type: ignore[call-overload]

        monkeypatch.setattr(Sequential, "evaluate", evaluate_noted)
        assert command("evaluate", "model.safetensors", "--data", data, option, 3).status == 0
        assert [each.backend.threads for each in models] == [3]

    @both_names
    def test_bench(self, command: Command, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
        plans: list[Plan] = []

        def measure(plan: Plan) -> None:
            plans.append(plan)
            raise KeyboardInterrupt

        monkeypatch.setattr(bench, "_measure", measure)
        command("bench", option, 1)
        assert [each.threads for each in plans] == [1]

    @pytest.mark.parametrize("name", ["train", "evaluate", "bench"])
    def test_help_says_what_they_are(self, command: Command, name: str) -> None:
        out = command(name, "--help").out
        assert "--workers,--threads" in out
        assert "worker processes" in " ".join(out.replace("│", " ").split())

    def test_a_wrong_number_gets_one_line(self, refused: Refused) -> None:
        assert "--workers" in refused("train", "--workers", "many")
        assert "threads is 0" in refused("train", "--workers", "0")

    @both_names
    @pytest.mark.parametrize("number", ["0", "100000"])
    def test_a_wrong_number_is_told_with_the_option(
        self, refused: Refused, option: str, number: str
    ) -> None:
        line = refused("train", option, number)
        assert option in line
        assert f"is {number}: it must be a whole number from 1 to " in line

    @pytest.mark.parametrize("name", ["train", "evaluate", "bench"])
    def test_they_are_refused_on_another_device(
        self, command: Command, refused: Refused, name: str
    ) -> None:
        notebook().save("model.safetensors")
        file = ["model.safetensors"] if name == "evaluate" else []
        line = refused(name, *file, "--device", "simulator", "--workers", 2)
        assert (
            "--workers/--threads is 2, but only the CPU has workers, and this runs on simulator: "
            "leave the option out, or give --device cpu\n"
        ) in line
