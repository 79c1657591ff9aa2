"""Programs whose threads do something else, or use the model, while it fits."""

from programs.conftest import Answer


def test_a_thread_multiplies_matrices(answer: Answer, known: dict[str, str]) -> None:
    told = f"trained {known['trained']}\nproducts agree True\n"
    assert answer("threads/multiply_matrices.py") == told


def test_a_thread_runs_commands(answer: Answer) -> None:
    assert answer("threads/run_commands.py") == "hello while it fits: True\n"


def test_threads_have_temporary_folders(answer: Answer, known: dict[str, str]) -> None:
    told = f"trained {known['trained']}\nkept [True, True]\n"
    assert answer("threads/temporary_folders.py") == told


def test_threads_predict_side_by_side(answer: Answer) -> None:
    assert answer("threads/predict_in_four.py") == "single 400\nwhole 5\nmeasured 5\n"


def test_a_thread_uses_the_model_beside_fit(answer: Answer, known: dict[str, str]) -> None:
    told = answer("threads/use_beside_fit.py").splitlines()
    assert told == [
        "weights True",
        "saved True",
        "predicted True",
        "measured True",
        f"trained {known['trained']}",
    ]


def test_a_thread_changes_the_model_beside_fit(answer: Answer, known: dict[str, str]) -> None:
    told = answer("threads/change_beside_fit.py").splitlines()
    refused = [f"{name} is refused in 1 line" for name in ("fit", "compile", "set_weights", "to")]
    assert told == [*refused, f"trained {known['trained']}"]


def test_models_are_copied(answer: Answer, known: dict[str, str]) -> None:
    told = answer("threads/copy_models.py").splitlines()
    assert told == [
        "copied True",
        *[f"trained twice {known['trained twice']}"] * 3,
        f"trained {known['trained']}",
    ]
