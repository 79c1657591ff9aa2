"""PyTorch on the CPU: eager mode, in whichever of its memory formats is faster.

On a GPU it has contenders of its own, see `_torch_on_gpu`.
"""

from collections.abc import Callable
from copy import deepcopy
from itertools import cycle
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.benchmark.contenders import INFERENCE, TRAINING_STEP, Contender, Learner, Tasks
from gpucnn.benchmark.peers import TrainingPeer, check_training_step
from gpucnn.benchmark.peers._torch_on_gpu import WAYS, TorchOnGpu
from gpucnn.benchmark.timing import Task, fastest, host_seconds
from gpucnn.benchmark.workload import (
    LEARNING_RATE,
    TEST_BATCH,
    Labelled,
    Workload,
    full_batches,
    make_network,
    normalise,
)
from gpucnn.errors import InvalidValueError
from gpucnn.models import Model
from gpucnn.models.exchange.interop import to_torch
from gpucnn.models.exchange.torch.state_dict import from_state_dict
from gpucnn.models.exchange.torch.to_torch import modules_of_model
from gpucnn.models.training import epoch_order
from gpucnn.optimizers import Adam
from gpucnn.optimizers.schedules import Schedule


class Peer(TrainingPeer):
    """PyTorch, with all images in memory as reals, normalised beforehand.

    Args:
        workload: what to compute.
        threads: how many it may use; set for the whole process.

    Raises:
        InvalidValueError: the loss or a gradient differs from gpucnn's.
    """

    packages: ClassVar[tuple[str, ...]] = ("torch",)
    runs_on_gpu: ClassVar[bool] = True

    def __init__(self, workload: Workload, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        check_training_step(self.name, workload, _checked)
        network = make_network(workload.model, workload.dtype, "cpu", threads)
        self._module = torch_module(network)
        (images, self._labels), (test_images, self._test_labels) = workload.normalised()
        self._images, self._test_images = to_tensor(images), to_tensor(test_images)
        self.tasks: Tasks = {TRAINING_STEP: self._training_step, INFERENCE: self._inference}

    @classmethod
    def on_gpu(cls, device: str, workload: Workload) -> list[Contender]:
        """See `BasePeer.on_gpu`."""
        import torch

        if not torch.cuda.is_available():
            raise InvalidValueError(
                "torch finds no GPU: install PyTorch for the driver's CUDA version, or leave the "
                "peer out"
            )
        check_training_step(cls.name, workload, _checked)
        images, labels = workload.data[0]
        network = make_network(workload.model, workload.dtype, "cpu", 1)
        module = torch_module(network)
        x, y = to_tensor(normalise(images, network.dtype)), torch.from_numpy(labels)
        return [TorchOnGpu(device, way, module, x, y) for way in WAYS]

    def learner(self, batch_size: int, optimizer: Adam) -> Learner:
        """See `TrainingContender.learner`."""
        memory_format, _ = self._faster(lambda each: self._steps(batch_size, each))
        trainer = TorchTrainer(self._module, self._images, self._labels, memory_format)
        return _TorchLearner(trainer, optimizer, self._test_images, self._test_labels, batch_size)

    @staticmethod
    def train(
        network: Model, train: Labelled, test: Labelled | None, batch_size: int, threads: int
    ) -> None:
        """See `TrainingPeer.train`; images are bytes in memory, normalised batch by batch."""
        import torch

        torch.set_num_threads(threads)
        images, labels = to_tensor(train[0]), train[1]
        trainer = TorchTrainer(torch_module(network), images, labels, torch.contiguous_format)
        trainer.optimizer = torch.optim.Adam(trainer.module.parameters())
        order = torch.from_numpy(epoch_order(0, 1, len(images)))
        for indices in order.split(batch_size):
            trainer.step(indices)
        if test is not None:
            torch_accuracy(trainer.module, to_tensor(test[0]), test[1])

    def _training_step(self, batch_size: int) -> Task:
        return self._faster(lambda each: self._steps(batch_size, each))[1]

    def _inference(self, batch_size: int) -> Task:
        return self._faster(lambda each: self._forward(batch_size, each))[1]

    def _steps(self, batch_size: int, memory_format: Any) -> Task:
        import torch

        trainer = TorchTrainer(self._module, self._images, self._labels, memory_format)
        trainer.optimizer = torch.optim.SGD(trainer.module.parameters(), LEARNING_RATE)
        batches = full_batches(len(self._labels), batch_size)
        indices = cycle([torch.from_numpy(each) for each in batches])
        return Task(lambda: trainer.step(next(indices)))

    def _forward(self, batch_size: int, memory_format: Any) -> Task:
        import torch

        module = _copy(self._module, memory_format).eval()
        x = self._images[:batch_size].clone().contiguous(memory_format=memory_format)
        return Task(lambda: module(x), torch.inference_mode)

    def _faster(self, make: Callable[[Any], Task]) -> tuple[Any, Task]:
        """The memory format in which a task is faster, and the task in that format."""
        import torch

        formats = (torch.contiguous_format, torch.channels_last)
        tasks = [make(each) for each in formats]
        best = fastest(tasks)
        return formats[best], tasks[best]


class TorchTrainer:
    """Training steps of a copy of a module.

    Args:
        module: to copy.
        images: (n, channels, rows, columns), real, or uint8 to be normalised batch by batch.
        labels: int64 (n,).
        memory_format: PyTorch's, of the copy and its batches.

    Attributes:
        module: the copy.
        optimizer: PyTorch's, for the parameters of `module`; set it before the first step.
    """

    optimizer: Any

    def __init__(
        self, module: Any, images: Any, labels: NDArray[np.int64], memory_format: Any
    ) -> None:
        import torch

        self.module = _copy(module, memory_format)
        self._images, self._memory_format = images, memory_format
        self._labels = torch.from_numpy(labels)
        self._real = next(module.parameters()).dtype

    def step(self, indices: Any) -> None:
        """Do one training step on the images `indices`, int64 (n,)."""
        from torch.nn.functional import cross_entropy

        x, y = self.batch(indices), self._labels[indices]
        self.optimizer.zero_grad()
        cross_entropy(self.module(x), y).backward()
        self.optimizer.step()

    def batch(self, indices: Any) -> Any:
        """The images `indices`, int64 (n,), as real (n, channels, rows, columns)."""
        x = _to_real(self._images[indices], self._real)
        return x.contiguous(memory_format=self._memory_format)


class _TorchLearner:
    """A `Learner` that trains with PyTorch's Adam, configured like gpucnn's."""

    def __init__(
        self,
        trainer: TorchTrainer,
        optimizer: Adam,
        test_images: Any,
        test_labels: NDArray[np.int64],
        batch_size: int,
    ) -> None:
        import torch

        self._trainer, self._batch_size = trainer, batch_size
        self._test_images, self._test_labels = test_images, test_labels
        self._learning_rate, self._iterations = optimizer.learning_rate, 0
        betas = (optimizer.beta_1, optimizer.beta_2)
        trainer.optimizer = torch.optim.Adam(
            trainer.module.parameters(), betas=betas, eps=optimizer.epsilon
        )

    def epoch(self, number: int, order: NDArray[np.int64]) -> float:
        """See `Learner.epoch`."""
        return host_seconds(lambda: self._steps(order))

    def _steps(self, order: NDArray[np.int64]) -> None:
        import torch

        (group,) = self._trainer.optimizer.param_groups
        for indices in torch.from_numpy(order).split(self._batch_size):
            rate = self._learning_rate
            group["lr"] = rate(self._iterations) if isinstance(rate, Schedule) else rate
            self._trainer.step(indices)
            self._iterations += 1

    def accuracy(self) -> float:
        """See `Learner.accuracy`."""
        return torch_accuracy(self._trainer.module, self._test_images, self._test_labels)


def torch_accuracy(module: Any, images: Any, labels: NDArray[np.int64]) -> float:
    """The share of images that a module classifies correctly; arguments as of `TorchTrainer`."""
    import torch

    real = next(module.parameters()).dtype
    was_training = module.training
    module.eval()
    with torch.inference_mode():
        batches = images.split(TEST_BATCH)
        found = torch.cat([module(_to_real(each, real)).argmax(1) for each in batches])
    module.train(was_training)
    return float((found.numpy() == labels).mean())


def torch_module(network: Model) -> Any:
    """A network as a PyTorch module with the same weights, which gives logits, for training."""
    return to_torch(network)[:-1].train()


def to_tensor(images: NDArray[Any]) -> Any:
    """Images (n, rows, columns, channels) as a contiguous tensor (n, channels, rows, columns)."""
    import torch

    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def _checked(
    network: Model, images: NDArray[Any], labels: NDArray[np.int64]
) -> tuple[Any, dict[str, NDArray[Any]]]:
    """PyTorch's loss and gradients, a `LossAndGradients`."""
    import torch
    from torch.nn.functional import cross_entropy

    module = torch_module(network)
    loss = cross_entropy(module(to_tensor(images)), torch.from_numpy(labels))
    loss.backward()
    state = {name: each.numpy() for name, each in module.named_buffers()}  # has no gradient
    gradients = {name: each.grad.numpy() for name, each in module.named_parameters()}
    theirs = from_state_dict(modules_of_model(network.exported()), state | gradients)
    return loss.detach().numpy(), theirs


def _to_real(images: Any, real: Any) -> Any:
    """Real images as they are; uint8 ones normalised, see `Backend.gather_images`."""
    return images if images.is_floating_point() else images.to(real) / 255 - 0.5


def _copy(module: Any, memory_format: Any) -> Any:
    """A copy of a module, in a memory format."""
    return deepcopy(module).to(memory_format=memory_format)
