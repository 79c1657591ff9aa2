"""Of what needs no Keras; the rest is in `keras_and_jax_by_hand.py`."""

import pytest

from benchmark.small_plan import small_plan
from expect import refusal
from gpucnn.benchmark import peers
from gpucnn.benchmark.peers import keras as keras_peer
from gpucnn.benchmark.peers import peer_class


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras is there, and JAX alone of its back ends."""
    monkeypatch.setattr(peers, "find_spec", lambda package: package)
    monkeypatch.setattr(keras_peer, "find_spec", {"jax": "found"}.get)


def test_the_back_end_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(keras_peer, "version", {"keras": "3.15", "jax": "0.10"}.__getitem__)
    assert small_plan(peers=("keras",)).peers == ("keras",)
    assert peer_class("keras").versions() == {"keras": "3.15 on jax 0.10"}


def test_without_a_name_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    with refusal(
        "keras cannot be measured, since the environment variable KERAS_BACKEND is None: set it to "
        "one of jax, torch, or leave the peer out"
    ):
        small_plan(peers=("keras",))


def test_a_back_end_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with refusal(
        "keras cannot be measured, since torch, its back end by KERAS_BACKEND, cannot be imported: "
        "pip install torch, name another, or leave the peer out"
    ):
        small_plan(peers=("keras",))
