"""A program that uses PyTorch while a model fits, which the tests do not install: by hand.

`pytest tests/programs/torch_by_hand.py`
"""

from programs.conftest import Answer


def test_a_thread_multiplies_tensors(answer: Answer, known: dict[str, str]) -> None:
    told = f"trained {known['trained']}\nproducts agree True\n"
    assert answer("threads/multiply_tensors.py") == told
