"""Programs that serve a model's predictions, with threads, processes and coroutines."""

from importlib.util import find_spec

import pytest

from programs.conftest import Answer


def test_a_server_with_threads(answer: Answer) -> None:
    assert answer("servers/threading_server.py") == "right 400\n"


@pytest.mark.skipif(find_spec("flask") is None, reason="Flask is not installed")
def test_a_flask_application(answer: Answer) -> None:
    assert answer("servers/flask_server.py") == "right 400\n"


def test_a_server_that_forks_for_each_request(answer: Answer, known: dict[str, str]) -> None:
    told = ["predicted", "trained", "predicted", "trained", "predicted"]
    lines = answer("servers/forking_server.py").splitlines()
    assert lines == [f"{what} {known[what]}" for what in told]


def test_a_server_that_has_forked_before(answer: Answer, known: dict[str, str]) -> None:
    told = [f"{what} {known[what]}" for what in ("predicted", "trained")]
    assert answer("servers/prefork_server.py").splitlines() == told * 3


def test_coroutines_train_and_predict(answer: Answer, known: dict[str, str]) -> None:
    trained, predicted = (f"{what} {known[what]}" for what in ("trained", "predicted"))
    assert answer("servers/event_loop.py").splitlines() == [trained] * 2 + [predicted] * 8


def test_an_asynchronous_server(answer: Answer, known: dict[str, str]) -> None:
    assert answer("servers/stream_server.py") == f"trained {known['trained']}\nright 200\n"
