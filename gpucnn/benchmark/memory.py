"""A process that trains for a while and prints the most memory that it took.

`python -m gpucnn.benchmark.memory` with the arguments of `train` as JSON. It does what `gpucnn
train` does: it loads MNIST, trains a network, and measures it on the test images. PyTorch's side is
a plain script for the same: bytes in memory, each batch of them normalised when it is gathered.
"""

import json
import sys
from pathlib import Path

from gpucnn.benchmark.networks import Data, load_data, make_network
from gpucnn.benchmark.subjects import TEST_BATCH
from gpucnn.models.training import epoch_order

STEPS = 300


def train(subject: str, model: str, dtype: str, batch_size: int, threads: int) -> None:
    """Train for `STEPS` steps, or one epoch if that is less, and measure the accuracy.

    Args:
        subject: a device of gpucnn, or "torch".
        model: a preset, trained without its dropout layers.
        dtype: of the arithmetic.
        batch_size: images in a step.
        threads: of the CPU.
    """
    data = load_data()
    train_with = _train_torch if subject == "torch" else _train_gpucnn
    train_with(subject, model, dtype, batch_size, threads, data)


def peak_bytes() -> int:
    """The largest resident set that this process has had.

    Linux counts in `getrusage` what the process that started this one held at that time; its
    /proc/self/status does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_maxrss  # in bytes on macOS


def _train_gpucnn(
    device: str, model: str, dtype: str, batch_size: int, threads: int, data: Data
) -> None:
    (images, labels), test = data
    network = make_network(model, dtype, device, threads)
    count = STEPS * batch_size
    network.fit(images[:count], labels[:count], batch_size, verbose=0)
    network.evaluate(*test, TEST_BATCH)


def _train_torch(_: str, model: str, dtype: str, batch_size: int, threads: int, data: Data) -> None:
    import torch

    from gpucnn.benchmark import torch_peer

    torch.set_num_threads(threads)
    (images, labels), (test_images, test_labels) = data
    module = torch_peer.torch_module(make_network(model, dtype, "cpu", threads))
    pixels = torch_peer.to_tensor(images)
    trainer = torch_peer.TorchTrainer(module, pixels, labels, torch.contiguous_format)
    trainer.optimizer = torch.optim.Adam(trainer.module.parameters())
    order = torch.from_numpy(epoch_order(0, 1, len(images))[: STEPS * batch_size])
    for indices in order.split(batch_size):
        trainer.step(indices)
    torch_peer.torch_accuracy(trainer.module, torch_peer.to_tensor(test_images), test_labels)


if __name__ == "__main__":
    train(**json.loads(sys.argv[1]))
    print(peak_bytes())
