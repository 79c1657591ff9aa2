"""`gpucnn evaluate`: the accuracy and loss of a saved model on the test images."""

from gpucnn.commands.options import (
    Checkpoint,
    Device,
    TestData,
    Threads,
    check_workers,
    load_test_set,
)
from gpucnn.commands.tables.classes import print_classes
from gpucnn.errors import printable
from gpucnn.models.model import Model
from gpucnn.models.pixels import BUILT_IN


def evaluate(
    checkpoint: Checkpoint,
    data: TestData = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Evaluate a saved model on the test images of the data it was trained on, or of other data.

    Of a folder of photographs of another name than that of training, all are evaluated, or those in
    test/. If the classes have names, a table tells how well each is recognised.
    """
    check_workers(threads, [device])
    model = Model.load(checkpoint, device, threads)
    source, (images, labels) = load_test_set(checkpoint, model, data)
    loss, accuracy = model.evaluate(images, labels)
    correct = round(accuracy * len(labels))
    name = "the built-in MNIST" if source == BUILT_IN else printable(source)
    print(f"{correct:,} of {len(labels):,} test images from {name} are classified correctly")
    print(f"accuracy {accuracy:.2%}, loss {loss:.4f}")
    if model.class_names is not None:
        print()
        print_classes(model.class_names, labels, model.classify(images).predicted)
