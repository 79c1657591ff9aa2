"""Honest devices agree, however they sum; faults are found, and named where they are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpucnn.backends import Array, Backend, CpuBackend, Window
from gpucnn.backends.bounds import BOUNDS
from gpucnn.recipes import default_recipe
from gpucnn.verification import LOSS, MEMORY, Finding, Verification
from small_mnist import small_mnist

(IMAGES, LABELS), _ = small_mnist(2000, 1)


def verify(
    b: Backend, steps: int, a: Backend | None = None, model: str = "notebook", **changes: Any
) -> Verification:
    """A verification that is done up to its first finding, against the CPU if nothing is given."""
    recipe = default_recipe(model, device="cpu", **changes)
    verification = Verification(recipe, IMAGES, LABELS, a or CpuBackend(), b)
    for _ in range(steps):
        verification.step()
        if verification.finding is not None:
            break
    return verification


def found(verification: Verification) -> Finding:
    assert verification.finding is not None
    return verification.finding


# Honest devices


class Permuted(CpuBackend):
    """Sums in other orders: products with their terms permuted, and row after row."""

    def matmul(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
    ) -> None:
        left, right = a.T if transpose_a else a, b.T if transpose_b else b
        order = np.random.default_rng(0).permutation(len(right))
        np.matmul(np.ascontiguousarray(left[:, order]), right[order], out=out)
        if bias is not None:
            out += bias

    def sum_rows(self, a: Array, out: Array) -> None:
        out[...] = np.cumsum(a, axis=0, dtype=a.dtype)[-1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("other", [Backend, Permuted])
def test_honest_devices_agree(other: type[Backend], seed: int) -> None:
    verification = verify(other(), steps=8, seed=seed)
    assert verification.finding is None
    assert verification.losses[-1].deviation.difference > 0  # or there was nothing to explain


def test_honest_devices_agree_for_long() -> None:
    assert verify(Permuted(), steps=50, batch_size=8).finding is None


def test_honest_devices_agree_in_float64() -> None:
    assert verify(Permuted(), steps=5, dtype="float64").finding is None


def test_honest_devices_agree_on_lenet() -> None:
    assert verify(Permuted(), steps=4, model="lenet", batch_size=16).finding is None


def test_a_device_agrees_with_itself_to_the_bit() -> None:
    verification = verify(CpuBackend(), steps=3)
    assert all(losses.a == losses.b for losses in verification.losses)
    assert all(a.deviation == b.deviation for a, b in verification.worst.values())


def test_the_same_verification_gives_the_same_bounds() -> None:
    first, second = verify(Permuted(), steps=3), verify(Permuted(), steps=3)
    assert first.losses == second.losses


def test_losses_are_those_of_training() -> None:
    recipe = default_recipe(device="cpu", epochs=1)
    model = recipe.make_model(64)
    history = model.fit(IMAGES[:64], LABELS[:64], batch_size=32, epochs=1, verbose=0)
    verification = Verification(recipe, IMAGES[:64], LABELS[:64], CpuBackend(), Backend())
    verification.step()
    verification.step()
    means = [losses.a for losses in verification.losses]
    assert np.mean(means) == pytest.approx(history.epochs[0]["loss"], rel=1e-12)


def test_epochs_go_on_without_end() -> None:
    recipe = default_recipe(device="cpu", epochs=1, batch_size=20)
    verification = Verification(recipe, IMAGES[:30], LABELS[:30], CpuBackend(), CpuBackend())
    for _ in range(4):
        verification.step()
    assert [losses.step for losses in verification.losses] == [1, 2, 3, 4]


def test_only_what_layers_call_is_compared() -> None:
    places = verify(CpuBackend(), steps=1).worst
    assert ("conv2d", "conv2d", "patches") in places
    assert not [place for place in places if place.operation == "im2col"]


def test_every_method_of_a_backend_computes_or_is_memory() -> None:
    public = {name for name in vars(Backend) if callable(vars(Backend)[name]) and name[0] != "_"}
    assert public == {*BOUNDS, *MEMORY}


# Faults in operations


class WrongBorder(CpuBackend):
    def im2col(self, x: Array, window: Window, patches: Array) -> None:
        super().im2col(x, window, patches)
        patches[:, -1, -1] = 0  # the last pixel that the last position sees


class DroppedBias(CpuBackend):
    def matmul(self, a: Array, b: Array, out: Array, **options: Any) -> None:
        super().matmul(a, b, out, **options | {"bias": None})


class WrongGradient(CpuBackend):
    def matmul(self, a: Array, b: Array, out: Array, **options: Any) -> None:
        super().matmul(a, b, out, **options)
        if options.get("transpose_a") and out.shape[1] == 10:  # the dense kernel's gradient
            out.flat[np.abs(out).argmax()] *= 1.001


class WrongCorrection(CpuBackend):
    def adam(
        self,
        parameters: Array,
        gradients: Array,
        mean: Array,
        square: Array,
        learning_rate: Array,
        step: Array,
        **options: Any,
    ) -> None:
        super().adam(parameters, gradients, mean, square, learning_rate, step + 1, **options)


class WrongLabels(CpuBackend):
    def gather_labels(self, labels: Array, indices: Array, out: Array) -> None:
        super().gather_labels(labels, (indices + 1) % len(labels), out)


class ChangedInput(CpuBackend):
    def relu(self, x: Array, out: Array) -> None:
        super().relu(x, out)
        np.copyto(x, out)


class Unwritten(CpuBackend):
    def relu(self, x: Array, out: Array) -> None:
        super().relu(x[:-1], out[:-1])


class WrongArgmax(CpuBackend):
    def max_pool(self, x: Array, window: Window, out: Array, argmax: Array) -> None:
        super().max_pool(x, window, out, argmax)
        argmax.flat[0] = 3 - argmax.flat[0]


FAULTS = [
    (WrongBorder, 1, ("conv2d", "conv2d", "patches")),
    (DroppedBias, 2, ("conv2d", "conv2d", "out")),  # biases are zero in the first step
    (WrongGradient, 1, ("dense", "matmul", "out")),
    (WrongCorrection, 1, ("the optimizer", "adam", "parameters")),
    (WrongLabels, 1, ("the batch", "gather_labels", "out")),
    (ChangedInput, 1, ("relu", "relu", "x")),
    (Unwritten, 1, ("relu", "relu", "out")),
    (WrongArgmax, 1, ("maxpool2d", "max_pool", "argmax")),
]


@pytest.mark.parametrize("is_a", [False, True], ids=["on B", "on A"])
@pytest.mark.parametrize(("fault", "step", "place"), FAULTS)
def test_a_fault_is_named(
    fault: Callable[[], Backend], step: int, place: tuple[str, str, str], is_a: bool
) -> None:
    honest, faulty = Permuted(), fault()
    faulty.device = "faulty"
    verification = verify(honest, 5, faulty) if is_a else verify(faulty, 5, honest)
    finding = found(verification)
    assert (finding.step, tuple(finding.place)) == (step, place)
    assert finding.device == ("A (faulty)" if is_a else "B (faulty)")


class ShiftedSeed(CpuBackend):
    def dropout(
        self, x: Array, rate: float, seed: int, stream: int, step: Array, mask: Array, out: Array
    ) -> None:
        super().dropout(x, rate, seed + 1, stream, step, mask, out)


def test_a_wrong_dropout_mask_is_named() -> None:
    finding = found(verify(ShiftedSeed(), 1, model="lenet", batch_size=8))
    assert finding.place == ("dropout", "dropout", "mask")


def test_a_finding_tells_all_in_one_line() -> None:
    line = str(found(verify(WrongBorder(), 1)))
    assert line == "step 1, conv2d: patches of conv2d on B (cpu) is 0.5 off where 0 is allowed"


# Faults between operations, which only training by itself shows


class RoundedWeights(CpuBackend):
    """Kernels lose half of their digits on their way to the device."""

    def copy(self, source: Array, out: Array) -> None:
        super().copy(source.astype(np.float16) if source.ndim > 1 else source, out)


class StaleBatch(CpuBackend):
    """From the third batch on, the images are those of the one before."""

    batches = 0

    def copy(self, source: Array, out: Array) -> None:
        if source.dtype == np.int64:
            self.batches += 1
            if self.batches >= 3:
                return
        super().copy(source, out)


@pytest.mark.parametrize(("fault", "step"), [(RoundedWeights, 1), (StaleBatch, 3)])
def test_a_fault_between_operations_shows_in_the_losses(
    fault: Callable[[], Backend], step: int
) -> None:
    finding = found(verify(fault(), 5))
    assert (finding.step, finding.place) == (step, LOSS)


def test_a_loss_that_is_no_number_is_a_finding() -> None:
    class Lost(CpuBackend):
        def copy(self, source: Array, out: Array) -> None:
            out.fill(np.nan if out.dtype.kind == "f" else 0)

    assert found(verify(Lost(), 1)).place == LOSS


# How much the losses may differ


def test_what_is_allowed_grows_and_is_small_but_far_beyond_honest_differences() -> None:
    deviations = [losses.deviation for losses in verify(Permuted(), 10).losses]
    allowed = [each.allowed for each in deviations]
    assert allowed == sorted(allowed)
    assert allowed[-1] < 1e-4  # of a loss of 2.3
    assert max(each.share for each in deviations) < 0.1
