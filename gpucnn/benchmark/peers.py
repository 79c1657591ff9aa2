"""The peers by name; what each needs is imported when it is asked for."""

from gpucnn.benchmark.networks import Data
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.subjects import Subject


def make_peer(name: str, plan: Plan, data: Data, threads: int) -> Subject:
    """The peer of that name, one of `PEERS`, checked to compute what gpucnn does.

    Raises:
        InvalidValueError: it does not, or cannot be given the model.
    """
    if name == "torch":
        from gpucnn.benchmark.torch_peer import TorchPeer

        return TorchPeer(plan, data, threads)
    if name == "loops":
        from gpucnn.benchmark.loops_peer import LoopsPeer

        return LoopsPeer(plan, data)
    from gpucnn.benchmark.onnxruntime_peer import OnnxruntimePeer

    return OnnxruntimePeer(plan, data, threads)
