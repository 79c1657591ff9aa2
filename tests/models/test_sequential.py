import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import small
from expect import refusal
from gpucnn import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineDecay,
    Dense,
    Flatten,
    History,
    Lion,
    Model,
    Muon,
    OneCycle,
    RMSprop,
    Sequential,
)
from gpucnn.backends import Array, CpuBackend
from gpucnn.errors import (
    DeviceMemoryError,
    GpucnnWarning,
    InvalidFileError,
    InvalidTypeError,
    TrainingError,
)
from gpucnn.models.checkpoint import read_checkpoint, write_checkpoint
from gpucnn.models.training import EpochRecord, epoch_order
from gpucnn.optimizers import Optimizer

COUNT, BATCH = 22, 4  # the last batch is a smaller one
MORE_THAN_MEMORY = 10**15
X, Y = small.images(COUNT), small.labels(COUNT)

OPTIMIZERS = [
    pytest.param(lambda: SGD(OneCycle(0.1, 18), 0.9, True, 0.01), id="SGD"),
    pytest.param(lambda: Adam(CosineDecay(0.01, 18)), id="Adam"),
    pytest.param(lambda: AdamW(0.01), id="AdamW"),
    pytest.param(lambda: RMSprop(0.01), id="RMSprop"),
    pytest.param(lambda: RMSprop(0.01, momentum=0.5, centered=True), id="RMSprop, centred"),
    pytest.param(lambda: Adagrad(0.05), id="Adagrad"),
    pytest.param(lambda: Lion(0.005), id="Lion"),
    pytest.param(lambda: Muon(0.005, clipnorm=0.5), id="Muon"),
]


def fit(model: Model, epochs: int = 1, **options: Any) -> History:
    """Train `model` without output."""
    return model.fit(X, Y, **({"batch_size": BATCH, "epochs": epochs, "verbose": 0} | options))


def saved(model: Model, folder: Path) -> bytes:
    """The bytes of the file that `save` writes: the complete state of a model."""
    path = folder / "state.safetensors"
    model.save(path)
    return path.read_bytes()


class TestFit:
    def test_learns(self) -> None:
        model = Sequential([Flatten(), Dense(32), Dense(small.CLASSES)], small.SHAPE)
        model.compile(Adam(0.01))
        epochs = fit(model, 40).epochs
        assert epochs[-1]["loss"] < 0.05 * epochs[0]["loss"]
        assert model.evaluate(X, Y).accuracy == 1

    def test_learns_with_convolution_and_dropout(self) -> None:
        model = small.model(Adam(0.02))
        epochs = fit(model, 60).epochs
        assert epochs[-1]["loss"] < 0.5 * epochs[0]["loss"]
        assert model.evaluate(X, Y).accuracy == 1

    def test_returns_a_record_for_each_epoch(self) -> None:
        history = fit(small.model(), 3)
        assert type(history) is History
        assert [record["epoch"] for record in history.epochs] == [1, 2, 3]

    def test_records_what_the_documentation_says(self) -> None:
        (record,) = fit(small.model()).epochs
        assert list(record) == ["epoch", "loss", "accuracy", "seconds", "images_per_second"]

    def test_records_validation_after_the_rest(self) -> None:
        (record,) = fit(small.model(), validation_data=(X, Y)).epochs
        assert list(record)[-2:] == ["val_loss", "val_accuracy"]

    def test_validates_after_each_epoch(self) -> None:
        model, measured = small.model(), []

        def measure(record: EpochRecord) -> None:
            measured.append((record["val_loss"], record["val_accuracy"]))
            loss, accuracy = model.evaluate(X[:9], Y[:9], BATCH)
            assert measured[-1] == (loss, accuracy)

        fit(model, 2, validation_data=(X[:9], Y[:9]), on_epoch_end=measure)
        assert len(set(measured)) == 2

    def test_validation_changes_nothing(self, tmp_path: Path) -> None:
        with_validation, without = small.model(), small.model()
        fit(with_validation, 2, validation_data=(small.images(50), small.labels(50)))
        fit(without, 2)
        assert saved(with_validation, tmp_path) == saved(without, tmp_path)

    def test_calls_back_after_each_epoch(self) -> None:
        told: list[EpochRecord] = []
        history = fit(small.model(), 2, on_epoch_end=told.append)
        assert told == history.epochs

    def test_has_counted_the_epoch_when_it_calls_back(self) -> None:
        model, counts = small.model(), []
        fit(model, 2, on_epoch_end=lambda record: counts.append(model.epochs_trained))
        assert counts == [1, 2]

    def test_counts_its_own_epochs_and_the_model_all(self) -> None:
        model = small.model()
        fit(model, 2)
        assert fit(model, 1).epoch == [0]
        assert model.epochs_trained == 3

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_twice_is_as_once(self, optimizer: Callable[[], Optimizer], tmp_path: Path) -> None:
        twice, once = small.model(optimizer()), small.model(optimizer())
        fit(twice, 2)
        fit(twice, 1)
        fit(once, 3)
        assert saved(twice, tmp_path) == saved(once, tmp_path)

    def test_shuffles_by_seed_and_epoch(self, tmp_path: Path) -> None:
        shuffled, ordered = (small.model(seed=5) for _ in range(2))
        fit(shuffled, 2)
        for epoch in (1, 2):
            order = epoch_order(5, epoch, COUNT)
            ordered.fit(X[order], Y[order], BATCH, shuffle=False, verbose=0)
        assert saved(shuffled, tmp_path) == saved(ordered, tmp_path)

    def test_of_the_same_seed_gives_the_same_bytes(self, tmp_path: Path) -> None:
        first, again = (small.model(seed=3) for _ in range(2))
        fit(first, 2)
        fit(again, 2)
        assert saved(first, tmp_path) == saved(again, tmp_path)

    def test_of_another_seed_gives_others(self) -> None:
        first, other = (small.model(seed=seed) for seed in (3, 4))
        other.set_weights(first.get_weights())  # what is left is the shuffle and dropout
        fit(first)
        fit(other)
        assert small.weight_bytes(first) != small.weight_bytes(other)

    def test_in_a_single_batch_needs_no_more_memory_than_the_images(self) -> None:
        model = small.model()
        fit(model, batch_size=MORE_THAN_MEMORY)
        assert model.optimizer.iterations == 1

    def test_of_a_single_image(self) -> None:
        model = small.model()
        model.fit(X[:1], Y[:1], verbose=0)
        assert model.optimizer.iterations == 1

    def test_takes_batches_of_32_for_one_epoch(self) -> None:
        model = small.model()
        model.fit(small.images(65), small.labels(65), verbose=0)
        assert (model.optimizer.iterations, model.epochs_trained) == (3, 1)

    def test_leaves_images_and_labels_as_they_were(self) -> None:
        fit(small.model())
        assert_array_equal(X, small.images(COUNT))
        assert_array_equal(Y, small.labels(COUNT))

    def test_takes_floats_as_they_are(self) -> None:
        bytes_, floats = (small.model(dtype="float64") for _ in range(2))
        bytes_.fit(X, Y, verbose=0)
        floats.fit(X / 255 - 0.5, Y, verbose=0)
        assert_array_equal(bytes_.parameters, floats.parameters)

    def test_of_a_model_in_float64(self) -> None:
        model = small.model(dtype="float64")
        fit(model)
        assert {each.dtype for each in model.get_weights()} == {np.dtype(np.float64)}


class TestFitPastItsSchedule:
    def test_says_so_where_it_is_called(self) -> None:
        model = small.model(SGD(OneCycle(0.1, 9)))
        with pytest.warns(
            GpucnnWarning, match="ends after 9 steps, and this goes on to step 12"
        ) as told:
            fit(model, 2)
        assert [each.filename for each in told] == [__file__]

    def test_says_nothing_up_to_its_end(self) -> None:
        fit(small.model(SGD(OneCycle(0.1, 12))), 2)


class TestFitThatDiverges:
    def test_is_told(self) -> None:
        with pytest.raises(TrainingError, match=r"^the loss became (nan|inf) in epoch 1: "):
            fit(small.model(SGD(1e30)))

    def test_does_not_count_the_epoch(self) -> None:
        model = small.model(SGD(1e30))
        with pytest.raises(TrainingError):
            fit(model, 3)
        assert model.epochs_trained == 0

    def test_in_its_last_step_is_told_by_validation(self) -> None:
        model = small.model(SGD(1e30))
        with pytest.raises(TrainingError, match="in epoch 1: train with a lower learning rate"):
            fit(model, batch_size=COUNT, validation_data=(X, Y))


class TestWrongArguments:
    @pytest.mark.parametrize("name", ["batch_size", "epochs"])
    @pytest.mark.parametrize("value", [0, -1, 1.5, "2"])
    def test_of_fit(self, name: str, value: Any) -> None:
        with refusal(f"{name} is {value!r}: it must be a whole number of at least 1"):
            fit(small.model(), **{name: value})

    @pytest.mark.parametrize("size", [0, "2"])
    def test_of_evaluate(self, size: Any) -> None:
        with refusal(f"batch_size is {size!r}: it must be a whole number of at least 1"):
            small.model().evaluate(X, Y, size)

    @pytest.mark.parametrize("size", [0, "2"])
    def test_of_predict(self, size: Any) -> None:
        with refusal(f"batch_size is {size!r}: it must be a whole number of at least 1"):
            small.model().predict(X, size)

    @pytest.mark.parametrize(
        ("use", "which"),
        [
            (lambda model, x: model.fit(x, Y), ""),
            (lambda model, x: model.fit(X, Y, validation_data=(x, Y)), "validation_data: "),
            (lambda model, x: model.evaluate(x, Y), ""),
            (lambda model, x: model.predict(x), ""),
        ],
        ids=["fit", "validation", "evaluate", "predict"],
    )
    def test_images_are_checked(self, use: Callable[[Sequential, Array], Any], which: str) -> None:
        with refusal(
            f"{which}the images have the shape (22, 5, 6, 1), but the model takes (images, 6, 6, "
            "1): give images of that shape, or make a model for these"
        ):
            use(small.model(), X[:, 1:])

    @pytest.mark.parametrize(
        ("use", "which"),
        [
            (lambda model, y: model.fit(X, y), ""),
            (lambda model, y: model.fit(X, Y, validation_data=(X, y)), "validation_data: "),
            (lambda model, y: model.evaluate(X, y), ""),
        ],
        ids=["fit", "validation", "evaluate"],
    )
    def test_labels_are_checked(self, use: Callable[[Sequential, Array], Any], which: str) -> None:
        with refusal(
            f"{which}the label of image 0 is -1, but the model has 3 classes: give labels from 0 "
            "to 2"
        ):
            use(small.model(), Y - 1)

    @pytest.mark.parametrize("data", [X, (X,), "xyz"], ids=["x", "1", "text"])
    def test_validation_data_is_checked(self, data: Any) -> None:
        with refusal(
            "validation_data is not a pair: give (images, labels), or these and sample_weight",
            InvalidTypeError,
        ):
            fit(small.model(), validation_data=data)

    @pytest.mark.parametrize("optimizer", [None, Adam, 0.1])
    def test_of_compile(self, optimizer: Any) -> None:
        with refusal(
            f"the optimizer is {optimizer!r}: give an object such as SGD(0.1) or Adam(), or a name "
            'such as "adam"',
            InvalidTypeError,
        ):
            small.model().compile(optimizer)


class TestCompile:
    def test_is_by_adam_at_first(self) -> None:
        assert repr(small.model().optimizer) == repr(Adam())

    def test_begins_anew(self) -> None:
        model = small.model()
        fit(model)
        model.compile(model.optimizer)
        assert model.optimizer.iterations == 0

    def test_refuses_the_optimizer_of_another_model(self) -> None:
        with refusal("this SGD already trains another model: make a new one"):
            small.model().compile(small.model(SGD(0.5)).optimizer)

    def test_keeps_the_weights(self) -> None:
        model = small.model()
        before = small.weight_bytes(model)
        model.compile(SGD(0.5))
        assert small.weight_bytes(model) == before


class TestUse:
    @pytest.fixture
    def model(self) -> Sequential:
        model = small.model(dtype="float64")
        fit(model)
        return model

    def test_probabilities_add_up_to_1(self, model: Model) -> None:
        assert_allclose(model.predict(X).sum(axis=1), np.ones(COUNT), rtol=1e-12)

    def test_probabilities_are_those_of_the_loss(self, model: Model) -> None:
        probabilities = model.predict(X)
        losses = -np.log(probabilities[np.arange(COUNT), Y])
        assert model.evaluate(X, Y).loss == pytest.approx(losses.mean(), rel=1e-12)

    def test_accuracy_is_the_share_of_right_predictions(self, model: Model) -> None:
        right = model.predict(X).argmax(axis=1) == Y
        assert model.evaluate(X, Y).accuracy == right.mean()

    def test_loss_is_that_of_loss_and_gradients(self, model: Model) -> None:
        loss, _ = model.loss_and_gradients(X, Y)
        assert model.evaluate(X, Y).loss == pytest.approx(loss, rel=1e-12)

    @pytest.mark.parametrize("batch_size", [1, 7, COUNT, MORE_THAN_MEMORY])
    def test_batch_size_does_not_matter(self, model: Model, batch_size: int) -> None:
        assert_allclose(model.predict(X, batch_size), model.predict(X), rtol=1e-12)
        assert model.evaluate(X, Y, batch_size).loss == pytest.approx(model.evaluate(X, Y).loss)

    def test_probabilities_are_of_the_dtype_of_the_model(self) -> None:
        assert small.model().predict(X).dtype == np.float32

    def test_predictions_are_of_their_own(self, model: Model) -> None:
        first = model.predict(X)
        before = first.copy()
        model.predict(X[::-1])
        assert_array_equal(first, before)

    def test_changes_nothing(self, model: Model, tmp_path: Path) -> None:
        before = saved(model, tmp_path)
        model.evaluate(X, Y)
        model.predict(X)
        assert saved(model, tmp_path) == before


class TestDropout:
    """`small.model` has dropout; `without` is the same model without it."""

    @pytest.fixture
    def without(self) -> Sequential:
        layers = [each for each in small.layers() if type(each).__name__ != "Dropout"]
        return Sequential(layers, small.SHAPE)

    def test_is_on_in_fit(self, without: Sequential) -> None:
        still = SGD(1e-30)
        dropping = small.model(still)
        (record,) = fit(dropping).epochs
        assert record["loss"] != pytest.approx(without.evaluate(X, Y).loss, rel=1e-3)

    def test_is_off_in_evaluate(self, without: Sequential) -> None:
        assert small.model().evaluate(X, Y) == without.evaluate(X, Y)

    def test_is_off_in_predict(self, without: Sequential) -> None:
        assert_array_equal(small.model().predict(X), without.predict(X))

    def test_is_off_in_predict_after_fit(self) -> None:
        model = small.model()
        fit(model)
        assert_array_equal(model.predict(X), model.predict(X))


class TestMoving:
    def test_keeps_all(self, tmp_path: Path) -> None:
        model = small.model()
        fit(model)
        before = saved(model, tmp_path)
        assert saved(model.to("cpu"), tmp_path) == before

    def test_does_not_disturb_training(self, tmp_path: Path) -> None:
        moved, stayed = small.model(), small.model()
        fit(moved)
        moved.to("cpu")
        fit(moved)
        fit(stayed, 2)
        assert saved(moved, tmp_path) == saved(stayed, tmp_path)


class TestFiles:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "model.safetensors"

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_loaded_model_saves_the_same_bytes(
        self, optimizer: Callable[[], Optimizer], dtype: str, path: Path
    ) -> None:
        model = small.model(optimizer(), dtype=dtype, seed=2**64 - 1)
        fit(model)
        model.save(path)
        assert saved(Sequential.load(path), path.parent) == path.read_bytes()

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_a_loaded_model_goes_on_as_if_not_interrupted(
        self, optimizer: Callable[[], Optimizer], path: Path
    ) -> None:
        interrupted, uninterrupted = small.model(optimizer()), small.model(optimizer())
        fit(interrupted, 1)
        interrupted.save(path)
        resumed = Sequential.load(path)
        fit(resumed, 2)
        fit(uninterrupted, 3)
        assert saved(resumed, path.parent) == saved(uninterrupted, path.parent)

    def test_a_loaded_model_predicts_the_same(self, path: Path) -> None:
        model = small.model()
        fit(model)
        model.save(path)
        assert_array_equal(Sequential.load(path).predict(X), model.predict(X))

    def test_a_loaded_model_is_on_the_device_that_is_asked_for(self, path: Path) -> None:
        small.model().save(path)
        assert Sequential.load(path, "cpu").backend.device == "cpu"

    def test_loading_to_no_device_is_told_as_that(self, path: Path) -> None:
        small.model().save(path)
        with pytest.raises(ValueError, match=r"^unknown device 'tpu'"):
            Sequential.load(path, "tpu")

    def test_weights_are_named_in_the_file(self, path: Path) -> None:
        model = small.model()
        model.save(path)
        arrays, _ = read_checkpoint(path)
        for name, weights in zip(model.parameter_names, model.get_weights(), strict=True):
            assert_array_equal(arrays[name], weights)

    def test_saving_changes_nothing(self, path: Path) -> None:
        model = small.model()
        fit(model)
        model.save(path)
        assert saved(model, path.parent) == path.read_bytes()

    def test_saving_replaces_what_was_there(self, path: Path) -> None:
        small.model(seed=1).save(path)
        small.model(seed=2).save(path)
        assert Sequential.load(path).seed == 2

    @pytest.mark.parametrize("device_full_at", ["write", "flush"])
    def test_a_full_disk_leaves_the_old_file_alone(
        self, path: Path, device_full_at: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*arguments: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        small.model(seed=1).save(path)
        before = path.read_bytes()
        if device_full_at == "write":
            monkeypatch.setattr(Path, "write_bytes", fail)
        else:
            monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match=re.escape(os.strerror(errno.ENOSPC))):
            small.model(seed=2).save(path)
        assert list(path.parent.iterdir()) == [path]
        assert path.read_bytes() == before

    def test_saving_to_a_directory_is_told(self, tmp_path: Path) -> None:
        with refusal(
            f"{tmp_path} is a directory: give the name of a file to write", InvalidFileError
        ):
            small.model().save(tmp_path)

    def test_saving_to_no_folder_is_told(self, tmp_path: Path) -> None:
        folder = tmp_path / "none"
        with refusal(
            f"there is no folder {folder} to write model.safetensors in: make it",
            InvalidFileError,
        ):
            small.model().save(folder / "model.safetensors")


class TestWhatCannotBeLoaded:
    """`save` refuses attributes that a constructor would, and leaves the old file as it was.

    They are set in a way that is not checked.
    """

    @pytest.mark.parametrize("rate", [-1, float("nan"), "fast"])
    def test_is_a_learning_rate(self, tmp_path: Path, rate: Any) -> None:
        model = small.model(SGD(0.1))
        before = saved(model, tmp_path)
        vars(model.optimizer)["learning_rate"] = rate
        with refusal(f"learning_rate is {rate!r}: it must be a number of at least 0"):
            saved(model, tmp_path)
        assert (tmp_path / "state.safetensors").read_bytes() == before

    def test_is_another_number_of_units(self, tmp_path: Path) -> None:
        model = small.model()
        vars(model.layers[-1])["units"] = 2
        with refusal(
            "the layers as they are now have 74 parameters, but the model was made with 91: make "
            "a new model instead of changing layers"
        ):
            saved(model, tmp_path)


class TestFilesThatDoNotFit:
    """Files of a model with one change each."""

    @staticmethod
    def load_changed(
        path: Path,
        arrays: dict[str, Array | None] | None = None,
        description: dict[str, Any] | None = None,
    ) -> Model:
        small.model().save(path)
        all_arrays, all_description = read_checkpoint(path)
        changed = {
            name: array
            for name, array in (all_arrays | (arrays or {})).items()
            if array is not None
        }
        write_checkpoint(path, changed, all_description | (description or {}))
        return Sequential.load(path)

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "model.safetensors"

    @staticmethod
    def told(path: Path, reason: str) -> Any:
        return refusal(
            f"{path} does not describe a model that its arrays fit ({reason}): "
            "give a file saved by gpucnn",
            InvalidFileError,
        )

    def test_unchanged_they_do(self, path: Path) -> None:
        self.load_changed(path)

    @pytest.mark.parametrize("name", ["conv2d.kernel", "dense.bias", "optimizer.mean"])
    def test_without_an_array(self, path: Path, name: str) -> None:
        with self.told(path, f"'{name}'"):
            self.load_changed(path, {name: None})

    def test_with_weights_of_another_shape(self, path: Path) -> None:
        reason = "the weights given for dense.bias have the shape (4,), but it has the shape (3,)"
        with self.told(path, reason):
            self.load_changed(path, {"dense.bias": np.zeros(4)})

    @pytest.mark.parametrize("size", [1, 54])
    def test_with_optimizer_vectors_of_another_shape(self, path: Path, size: int) -> None:
        reason = (
            f"the optimizer's mean has the shape ({size},), but the parameters have the shape (91,)"
        )
        with self.told(path, reason):
            self.load_changed(path, {"optimizer.mean": np.zeros(size)})

    @pytest.mark.parametrize(
        "filters", [10**4, 10**12, pytest.param(10**400, id="more than a float")]
    )
    def test_with_more_parameters_than_numbers(
        self, path: Path, filters: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        layers = [{"class": "Conv2D", "filters": filters, "kernel_size": 3}, {"class": "Flatten"}]
        layers.append({"class": "Dense", "units": 3})

        def refuse(_: object) -> NoReturn:
            raise AssertionError("memory was taken")

        small.model().save(path)
        arrays, description = read_checkpoint(path)
        write_checkpoint(path, arrays, description | {"layers": layers})
        monkeypatch.setattr(Sequential, "_initial_weights", refuse)
        needed = filters * (9 + 1 + 16 * 3) + 3
        with pytest.raises(InvalidFileError, match="does not describe a model") as told:
            Sequential.load(path)
        assert f"it has {needed:,}"[:100] in str(told.value)

    @pytest.mark.parametrize("name", ["iterations", "epochs_trained"])
    @pytest.mark.parametrize("count", [2**62 + 1, 2**63, 10**100, True])
    def test_with_a_count_beyond_64_bits(self, path: Path, name: str, count: int) -> None:
        with pytest.raises(InvalidFileError, match=f"{name} is {count}: it must be "):
            self.load_changed(path, description={name: count})

    def test_with_negative_squares(self, path: Path) -> None:
        reason = "the optimizer's square does not consist of finite numbers of at least 0"
        with self.told(path, reason):
            self.load_changed(path, {"optimizer.square": np.full(91, -1.0)})

    @pytest.mark.parametrize("name", ["dense.bias", "optimizer.mean"])
    def test_with_truth_values(self, path: Path, name: str) -> None:
        shape = {"dense.bias": 3, "optimizer.mean": 91}[name]
        with pytest.raises(InvalidFileError, match=r"finite numbers"):
            self.load_changed(path, {name: np.zeros(shape, bool)})

    def test_with_layers_too_deep_for_python(self, path: Path) -> None:
        config: Any = 1
        for _ in range(600):
            config = {"class": "Dense", "units": config}
        with pytest.raises(InvalidFileError, match="does not describe a model"):
            self.load_changed(path, description={"layers": [config]})

    def test_with_an_unknown_layer(self, path: Path) -> None:
        line = (
            f"{path} cannot be loaded: Swosh is neither in gpucnn nor registered: import the file "
            "that defines it, with @gpucnn.utils.register before its class or def"
        )
        with refusal(line, InvalidFileError):
            self.load_changed(path, description={"layers": [{"class": "Swosh"}]})

    def test_with_layers_that_do_not_fit_together(self, path: Path) -> None:
        reason = (
            "dense takes vectors of shape (inputs,), but its input has the shape (6, 6, 1): "
            "put Flatten() before it"
        )
        with self.told(path, reason):
            self.load_changed(path, description={"layers": [{"class": "Dense", "units": 3}]})

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("layers", None),
            ("layers", {"class": "Dense", "units": 3}),
            ("layers", []),
            ("layers", [{"class": "L2"}]),
            ("input_shape", 6),
            ("dtype", "int8"),
            ("seed", -1),
            ("iterations", -1),
            ("iterations", "1"),
            ("epochs_trained", 0.5),
            ("optimizer", None),
            ("optimizer", {"class": "Constant", "learning_rate": 0.1}),
            ("optimizer", {"class": "SGD", "learning_rate": 0.1}),
        ],
    )
    def test_with_another_description(self, path: Path, key: str, value: Any) -> None:
        with pytest.raises(InvalidFileError, match="does not describe a model"):
            self.load_changed(path, description={key: value})


class TestOutput:
    def test_of_fit_is_a_line_for_each_epoch(self, capsys: pytest.CaptureFixture[str]) -> None:
        small.model().fit(X, Y, epochs=2)
        first, second = capsys.readouterr().out.splitlines()
        assert first.startswith("epoch 1/2  loss ")
        assert second.startswith("epoch 2/2  loss ")

    def test_counts_the_epochs_of_each_call_anew(self, capsys: pytest.CaptureFixture[str]) -> None:
        model = small.model()
        fit(model, 2)
        model.fit(X, Y, epochs=3)
        assert capsys.readouterr().out.startswith("epoch 1/3  ")

    def test_of_fit_without_verbose_is_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        fit(small.model(), 2, validation_data=(X, Y))
        assert capfd.readouterr() == ("", "")


def test_too_little_memory_for_a_model_is_no_fault_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    small.model().save(path)

    def refuse(*_: object) -> NoReturn:
        raise DeviceMemoryError("cpu has not enough memory")

    monkeypatch.setattr(CpuBackend, "zeros", refuse)
    with pytest.raises(DeviceMemoryError, match="cpu has not enough memory"):
        Sequential.load(path, "cpu")
