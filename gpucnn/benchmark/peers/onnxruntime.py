"""ONNX Runtime on the CPU: inference with the network, exported."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from numpy.typing import NDArray

from gpucnn.benchmark.contenders import INFERENCE, Tasks
from gpucnn.benchmark.peers import CHECKED, BasePeer, check_agreement
from gpucnn.benchmark.timing import Task
from gpucnn.benchmark.workload import Workload, make_network, normalise
from gpucnn.errors import InvalidValueError
from gpucnn.losses import SparseCategoricalCrossentropy
from gpucnn.models import Model


class Peer(BasePeer):
    """Inference, in float32 only.

    Args:
        workload: what to compute.
        threads: how many it may use.

    Raises:
        InvalidValueError: the logits differ from gpucnn's.
    """

    packages: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")

    @classmethod
    def check_support(cls, model: str, dtype: str) -> None:
        """See `BasePeer.check_support`; float32 alone is supported."""
        super().check_support(model, dtype)
        if dtype != "float32":
            raise InvalidValueError(
                f"onnxruntime cannot be measured in {dtype}, since it convolves in float32 "
                "alone: choose float32, or leave the peer out"
            )

    def __init__(self, workload: Workload, threads: int) -> None:
        self._network = make_network(workload.model, workload.dtype, "cpu", threads)
        # It then gives logits, so that no softmax is timed.
        self._network.compile(loss=SparseCategoricalCrossentropy(from_logits=True))
        self._images, self._threads = workload.data[0][0], threads
        self._check()
        self.tasks: Tasks = {INFERENCE: self._inference}

    def _inference(self, batch_size: int) -> Task:
        session = _session(self._network, self._threads)
        x = self._batch(batch_size)
        return Task(lambda: session.run(None, {"input": x}))

    def _check(self) -> None:
        session = _session(self._network, self._threads)
        (theirs,) = session.run(None, {"input": self._batch(CHECKED)})
        backend = self._network.backend
        self._network.reserve(CHECKED)
        with backend.session():
            ours = self._network.forward(self._batch(CHECKED))
        check_agreement(self.name, "logits", theirs, backend.to_host(ours))

    def _batch(self, count: int) -> NDArray[Any]:
        """The first images of the training set, real (count, rows, columns, channels)."""
        return normalise(self._images[:count], self._network.dtype)


def _session(network: Model, threads: int) -> Any:
    """What infers with a network."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        network.export(path)
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
