"""Correct devices agree in any order of summation; faults are found, and located."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpucnn.applications import default_config
from gpucnn.backends import Backend, CpuBackend
from gpucnn.errors import TrainingError
from gpucnn.verification import Finding, Verification
from gpucnn.verification.verification import LOSS
from microbatches import Plain
from small_mnist import small_mnist
from verification.suspects import (
    ChangedInput,
    ClassifierOfNextLabels,
    DroppedBias,
    DroppedFusedBias,
    Fusing,
    Lost,
    Permuted,
    RoundedWeights,
    ShiftedFusedSeed,
    ShiftedSeed,
    StaleBatch,
    UnscaledGradient,
    Unwritten,
    WrongAnswer,
    WrongArgmax,
    WrongBorder,
    WrongClassifierGradient,
    WrongCorrection,
    WrongFactors,
    WrongFusedGradient,
    WrongGradient,
    WrongLabels,
)

(IMAGES, LABELS), _ = small_mnist(2000, 1)


def verify(
    b: Backend, steps: int, a: Backend | None = None, model: str = "notebook", **changes: Any
) -> Verification:
    """Run a verification up to its first finding, of the CPU against `b` unless `a` is given."""
    config = default_config(model, device="cpu", **changes)
    verification = Verification(config, IMAGES, LABELS, a or CpuBackend(), b)
    for _ in range(steps):
        verification.step()
        if verification.finding is not None:
            break
    return verification


def verify_one(faulty: Backend, is_a: bool) -> Verification:
    """Verify a device against a correct one."""
    faulty.device = "faulty"
    return verify(Permuted(), 5, faulty) if is_a else verify(faulty, 5, Permuted())


def found(verification: Verification) -> Finding:
    assert verification.finding is not None
    return verification.finding


# Correct devices


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("other", [Backend, CpuBackend, Permuted, Fusing])
def test_honest_devices_agree(other: type[Backend], seed: int) -> None:
    verification = verify(other(), steps=8, a=Plain(), seed=seed)
    assert verification.finding is None
    of_a, of_b = zip(*(loss.deviations for loss in verification.losses), strict=True)
    assert all(a.difference == 0 for a in of_a)  # it is the CPU itself
    if other is Permuted:
        assert any(b.difference > 0 for b in of_b)  # or there was nothing to explain


def test_honest_devices_agree_for_long() -> None:
    assert verify(Permuted(), steps=50, batch_size=8).finding is None


def test_honest_devices_agree_in_float64() -> None:
    assert verify(Permuted(), steps=5, dtype="float64").finding is None


@pytest.mark.parametrize("other", [Permuted, Fusing])
def test_honest_devices_agree_on_lenet(other: type[Backend]) -> None:
    assert verify(other(), steps=4, model="lenet", batch_size=16).finding is None


@pytest.mark.parametrize("other", [Permuted, Fusing])
@pytest.mark.parametrize("learning_rate", [1e6, 1e30])
def test_honest_devices_agree_until_training_diverges(
    learning_rate: float, other: type[Backend]
) -> None:
    with pytest.raises(TrainingError):  # and no finding before it: all overflow alike
        verify(other(), 8, optimizer="sgd", learning_rate=learning_rate)


def test_a_device_agrees_with_itself_to_the_bit() -> None:
    verification = verify(Plain(), steps=3, a=Plain())
    assert all({*losses.devices} == {losses.cpu} for losses in verification.losses)
    assert all(a.deviation == b.deviation for a, b in verification.worst.values())


def test_the_same_verification_gives_the_same_bounds() -> None:
    first, second = verify(Permuted(), steps=3), verify(Permuted(), steps=3)
    assert first.losses == second.losses


@pytest.mark.parametrize("is_a", [True, False])
@pytest.mark.parametrize("backend", [Plain, CpuBackend])
def test_losses_are_those_of_training(backend: Callable[[], Backend], is_a: bool) -> None:
    config = default_config(device="cpu", epochs=1)
    model = config.make_model(64)
    model.place(backend())
    model.optimizer.place(model.backend, model.parameters, model.replica.layout)
    history = model.fit(IMAGES[:64], LABELS[:64], batch_size=32, epochs=1, verbose=0)
    devices = (backend(), Backend()) if is_a else (Backend(), backend())
    verification = Verification(config, IMAGES[:64], LABELS[:64], *devices)
    verification.step()
    verification.step()
    means = [losses.devices[0 if is_a else 1] for losses in verification.losses]
    assert np.mean(means) == pytest.approx(history.epochs[0]["loss"], rel=1e-12)


def test_epochs_go_on_without_end() -> None:
    config = default_config(device="cpu", epochs=1, batch_size=20)
    verification = Verification(config, IMAGES[:30], LABELS[:30], CpuBackend(), CpuBackend())
    for _ in range(4):
        verification.step()
    assert [losses.step for losses in verification.losses] == [1, 2, 3, 4]


def test_only_what_layers_call_is_compared() -> None:
    places = verify(CpuBackend(), steps=1).worst
    assert ("conv2d", "conv2d", "patches") in places
    assert not [place for place in places if place.operation == "im2col"]


def operations(verification: Verification) -> list[tuple[str, str]]:
    """Parts of the model and their operations, in the order in which they were first compared."""
    return list(dict.fromkeys((place.part, place.operation) for place in verification.worst))


@pytest.mark.parametrize("is_a", [False, True], ids=["on B", "on A"])
def test_what_a_device_fuses_is_compared_fused_as_well(is_a: bool) -> None:
    devices = (Permuted(), Fusing()) if is_a else (Fusing(), Permuted())
    assert operations(verify(devices[0], 1, devices[1]))[-1] == (
        "the model",
        "conv_classifier_gradients",
    )
    of_lenet = operations(verify(devices[0], 1, devices[1], model="lenet", batch_size=4))
    first, second = "conv2d+relu+maxpool2d", "conv2d_1+relu_1+maxpool2d_1"
    dense = "dense+relu_2+dropout"
    assert of_lenet[-8:] == [
        (first, "conv2d_relu_max_pool"),
        (second, "conv2d_relu_max_pool"),
        (dense, "dense_relu"),
        ("dense_1", "dense_softmax_cross_entropy"),
        (dense, "dense_gradients"),
        (dense, "matmul"),
        (second, "conv2d_relu_max_pool_gradients"),
        (first, "conv2d_relu_max_pool_gradients"),
    ]


# Faults in operations


FAULTS = [
    (WrongBorder, 1, ("conv2d", "conv2d", "patches")),
    (DroppedBias, 2, ("conv2d", "conv2d", "out")),  # biases are zero in the first step
    (WrongGradient, 1, ("dense", "dense_gradients", "kernel_gradient")),
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
    finding = found(verify_one(fault(), is_a))
    assert (finding.step, tuple(finding.place)) == (step, place)
    assert finding.device == ("A (faulty)" if is_a else "B (faulty)")


OF_FUSED = [
    (DroppedFusedBias, 2, ("conv2d+relu+maxpool2d", "conv2d_relu_max_pool", "out")),
    (
        WrongFusedGradient,
        1,
        ("conv2d+relu+maxpool2d", "conv2d_relu_max_pool_gradients", "kernel_gradient"),
    ),
    (ClassifierOfNextLabels, 1, ("the model", "conv_classifier_gradients", "epoch_losses")),
    (WrongClassifierGradient, 1, ("the model", "conv_classifier_gradients", "gradients")),
    (WrongFactors, 1, ("the model", "conv_classifier_gradients", "factors")),
]


@pytest.mark.parametrize("is_a", [False, True], ids=["on B", "on A"])
@pytest.mark.parametrize(("fault", "step", "place"), OF_FUSED)
def test_a_fault_in_what_is_fused_is_named(
    fault: Callable[[], Backend], step: int, place: tuple[str, str, str], is_a: bool
) -> None:
    finding = found(verify_one(fault(), is_a))
    assert (finding.step, tuple(finding.place)) == (step, place)
    assert finding.device == ("A (faulty)" if is_a else "B (faulty)")


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (ShiftedFusedSeed, ("dense+relu_2+dropout", "dense_relu", "out")),
        (UnscaledGradient, ("dense_1", "dense_softmax_cross_entropy", "input_gradient")),
        (WrongAnswer, ("dense_1", "dense_softmax_cross_entropy", "epoch_correct")),
    ],
)
def test_a_fault_in_a_fused_dense_layer_is_named(
    fault: Callable[[], Backend], place: tuple[str, str, str]
) -> None:
    assert found(verify(fault(), 1, model="lenet", batch_size=8)).place == place


def test_a_wrong_dropout_mask_is_named() -> None:
    finding = found(verify(ShiftedSeed(), 1, model="lenet", batch_size=8))
    assert finding.place == ("dropout", "dropout", "mask")


def test_a_finding_tells_all_in_one_line() -> None:
    line = str(found(verify(WrongBorder(), 1)))
    assert line == "step 1, conv2d: patches of conv2d on B (cpu) is 0.5 off where 0 is allowed"


# Faults between operations, which only free-running training reveals


@pytest.mark.parametrize("is_a", [False, True], ids=["on B", "on A"])
@pytest.mark.parametrize(("fault", "step"), [(RoundedWeights, 1), (StaleBatch, 3), (Lost, 1)])
def test_a_fault_between_operations_shows_in_the_losses(
    fault: Callable[[], Backend], step: int, is_a: bool
) -> None:
    finding = found(verify_one(fault(), is_a))
    assert (finding.step, finding.place) == (step, LOSS)
    assert finding.device == ("A (faulty)" if is_a else "B (faulty)")


# How much the losses may differ


def test_what_is_allowed_grows_and_is_small_but_far_beyond_honest_differences() -> None:
    deviations = [losses.deviations[1] for losses in verify(Permuted(), 10).losses]
    allowed = [each.allowed for each in deviations]
    assert allowed == sorted(allowed)
    assert allowed[-1] < 1e-4  # of a loss of 2.3
    assert max(each.share for each in deviations) < 0.1
