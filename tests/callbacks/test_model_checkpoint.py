from pathlib import Path

import pytest

import small
from callbacks.made_up import run
from expect import refusal
from gpucnn import Sequential
from gpucnn.callbacks import ModelCheckpoint
from gpucnn.errors import GpucnnWarning, InvalidTypeError
from own import Signs, doubt

X, Y = small.images(12), small.labels(12)


def test_models_are_saved_as_they_were(tmp_path: Path) -> None:
    model, path = small.model(), tmp_path / "{epoch:02d}.safetensors"
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[ModelCheckpoint(path)])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["01.safetensors", "02.safetensors"]
    loaded = Sequential.load(tmp_path / "02.safetensors")
    assert small.weight_bytes(loaded) == small.weight_bytes(model)


def test_checkpoints_of_better_epochs() -> None:
    checkpoint = ModelCheckpoint("{epoch}-{val_loss:.1f}", save_best_only=True)
    assert run(checkpoint, [3, 4, 2, 2.5, 1]).saved == ["1-3.0", "3-2.0", "5-1.0"]


def test_checkpoints_below_a_threshold() -> None:
    checkpoint = ModelCheckpoint("{epoch}", save_best_only=True, initial_value_threshold=2.5)
    assert run(checkpoint, [3, 2]).saved == ["2"]


def test_a_checkpoint_with_a_field_that_is_not_there() -> None:
    with refusal(
        "filepath is '{step}', whose fields are not all among the numbers epoch, loss, val_loss: "
        "use these"
    ):
        run(ModelCheckpoint("{step}"), [1])
    with pytest.raises(ValueError, match=r"^filepath is '\{epoch\.foo\}'"):
        run(ModelCheckpoint("{epoch.foo}"), [1])


def test_a_checkpoint_with_the_format_of_a_number_for_a_list() -> None:
    with refusal(
        "filepath is 'a-{f1_score:.2f}', whose fields are not all among the numbers epoch, loss: "
        "use these"
    ):
        run(ModelCheckpoint("a-{f1_score:.2f}"), [[0.5, 0.25]], name="f1_score")


def test_the_folder_of_a_checkpoint_is_made(tmp_path: Path) -> None:
    checkpoint = ModelCheckpoint(tmp_path / "new" / "of-{epoch}" / "model.safetensors")
    small.model().fit(X, Y, epochs=2, verbose=0, callbacks=[checkpoint])
    Sequential.load(tmp_path / "new" / "of-2" / "model.safetensors")


def test_each_epoch_is_saved_where_the_metric_is_not_there() -> None:
    with pytest.warns(GpucnnWarning, match=r"^ModelCheckpoint watches 'val_loss', but there are"):
        made = run(ModelCheckpoint("{epoch}", save_best_only=True), [2, 3], name="accuracy")
    assert made.saved == ["1", "2"]


def test_what_cannot_be_saved_is_refused_before_the_training(tmp_path: Path) -> None:
    model = small.model(Signs(0.01))
    with pytest.raises(InvalidTypeError, match=r"Signs\(.*\) cannot be saved: put @gpucnn"):
        model.fit(X, Y, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "model")])
    assert model.epochs_trained == 0


def test_a_metric_that_is_not_registered_is_told_of_and_left_out(tmp_path: Path) -> None:
    model, path = small.model(), tmp_path / "model.safetensors"
    model.compile("sgd", metrics=["accuracy", doubt])
    with pytest.warns(GpucnnWarning, match="^the metric doubt is left out of the saved model"):
        model.fit(X, Y, verbose=0, callbacks=[ModelCheckpoint(path)])
    assert [each.name for each in Sequential.load(path).metrics] == ["accuracy"]


def test_a_checkpoint_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    run(ModelCheckpoint("{epoch}", verbose=1, save_best_only=True), [3, 4, 2])
    assert capsys.readouterr().out.splitlines() == ["epoch 1: saved 1", "epoch 3: saved 3"]
