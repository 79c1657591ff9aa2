"""`gpucnn evaluate`: measure a saved model on the test images."""

from gpucnn.commands.options import Checkpoint, Data, Device, Threads
from gpucnn.data import load_mnist
from gpucnn.sequential import Sequential


def evaluate(
    checkpoint: Checkpoint,
    data: Data = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Measure a saved model on the test images."""
    model = Sequential.load(checkpoint, device, threads)
    _, (images, labels) = load_mnist(data)
    loss, accuracy = model.evaluate(images, labels)
    correct = round(accuracy * len(labels))
    print(f"{correct:,} of {len(labels):,} test images are classified correctly")
    print(f"accuracy {accuracy:.2%}, loss {loss:.4f}")
