"""A step on many GPUs, on paper: `python docs/scaling.py [REPORT.json...]` writes docs/scaling.md.

The reports are files that `gpucnn bench --ranks --json` wrote; the tables of what ranks took come
from them, and stay as they are without one of their model. All other tables are computed here. A
step takes as long as one GPU takes for its part of the batch, and then as long as an all-reduce
of the gradients, which gpucnn begins when all of them are there. Both are sums of a fixed time and
one in proportion: to the images, or to the bytes. Nothing here has been measured on several GPUs.
"""

import sys
from dataclasses import dataclass
from math import ceil, log2

from gpucnn.benchmark.report import RankMeasurement, Report, read_report
from gpucnn.benchmark.scaling import Link, Scaled, alone, fit_all, scaled
from gpucnn.benchmark.timing import Spread, paired_ratio, quartiles
from gpucnn.models import MODELS
from tables import ROOT, environment, table, with_block

PAGE = ROOT / "docs" / "scaling.md"

GPUS = (1, 2, 4, 8, 16, 64, 256, 1024, 4096)
MILLION = 2**20
WANTED = 0.8
"""The efficiency from which GPUs are well used."""

# An H100 (SXM), by its data sheet and that of a DGX H100

OF_MACHINE = 8
"""GPUs in a machine."""

PEAK = 67e12
"""Operations per second in float32, without tensor cores."""

NVLINK = 450e9
"""Bytes per second in each direction, of each GPU to the others of its machine."""

NETWORK = 50e9
"""Bytes per second in each direction, of each GPU to other machines: 400 Gbit/s."""


# An all-reduce


@dataclass(frozen=True)
class Algorithm:
    """A way of NCCL's to sum arrays, with the constants of its own model of it.

    Args:
        name: for the tables.
        is_tree: whether machines are a tree, rather than a ring.
        call: seconds of a call, besides its hops.
        hop: seconds of a hop within a machine.
        far_hop: seconds of a hop between machines.
        share: of the bandwidth that it reaches.
    """

    name: str
    is_tree: bool
    call: float
    hop: float
    far_hop: float
    share: float

    def seconds(self, size: int, gpus: int) -> float:
        """The time of an all-reduce of `size` bytes over `gpus`, the machines being full."""
        machines = ceil(gpus / OF_MACHINE)
        bandwidth = NVLINK if machines == 1 else min(NVLINK, OF_MACHINE * NETWORK)
        if self.is_tree:
            near, far, times = gpus // machines - 1, log2(machines), 1.0
        else:
            near, far, times = gpus - machines, machines - 1, 1 - 1 / gpus
        hops = 2 * (near * self.hop + far * self.far_hop)  # there and back, like the bytes
        return self.call + hops + 2 * times * size / (bandwidth * self.share)


ALGORITHMS = (
    Algorithm("ring, LL", False, 3.6e-6, 0.47e-6, 2.7e-6, 1 / 4),
    Algorithm("ring, Simple", False, 8.4e-6, 3.4e-6, 9.6e-6, 1),
    Algorithm("tree, LL", True, 4.4e-6, 0.52e-6, 5.0e-6, 0.9 / 3.8),
    Algorithm("tree, Simple", True, 0.0, 28e-6, 50e-6, 0.9),
)


def all_reduce(size: int, gpus: int) -> tuple[float, str]:
    """The time of the fastest all-reduce, and its name."""
    if gpus == 1:
        return 0.0, ""
    return min((each.seconds(size, gpus), each.name) for each in ALGORITHMS)


# A step


@dataclass(frozen=True)
class Network:
    """A network, and what a step of it takes on one GPU.

    Args:
        name: for the tables.
        parameters: how many, in float32.
        fixed: seconds of a step, besides those of its images.
        image: seconds of an image.
    """

    name: str
    parameters: int
    fixed: float
    image: float

    def compute(self, images: float) -> float:
        """The time of a step on one GPU."""
        return self.fixed + images * self.image

    def all_reduce(self, gpus: int) -> tuple[float, str]:
        """That of the gradients."""
        return all_reduce(4 * self.parameters, gpus)

    def step(self, images: float, gpus: int) -> float:
        """The time of a step on a batch of `images` in all."""
        return self.compute(images / gpus) + self.all_reduce(gpus)[0]

    def pays_from(self, gpus: int) -> int:
        """The smallest batch, of an image a GPU or more, that takes one GPU no less time."""
        saved = self.image * (1 - 1 / gpus)  # for each image of the batch
        return max(ceil(self.all_reduce(gpus)[0] / saved), gpus)

    def is_efficient_from(self, gpus: int) -> int:
        """The smallest part of a batch of which a GPU computes for `WANTED` of the step."""
        computing = self.all_reduce(gpus)[0] * WANTED / (1 - WANTED)
        return max(ceil((computing - self.fixed) / self.image), 1)


def measured(preset: str, times: dict[int, float]) -> Network:
    """A preset whose step was measured for two sizes of the batch."""
    (small, least), (large, most) = times.items()
    image = (most - least) / (large - small)
    parameters = MODELS[preset](device="cpu").count_params()
    return Network(preset, parameters, least - small * image, image)


def reached(network: Network, multiply_adds: int, images: int) -> float:
    """The operations per second of a step, of 6 for each multiply-add of the forward pass."""
    return 6 * multiply_adds * images / network.compute(images)


NOTEBOOK = measured("notebook", {64: 10.6e-6, 1024: 46.0e-6})
LENET = measured("lenet", {64: 77.6e-6, 1024: 569e-6})
"""Of docs/gpu.md."""

LENET_MULTIPLY_ADDS = sum(layer.multiply_adds() for layer in MODELS["lenet"](device="cpu").layers)
RATE = reached(LENET, LENET_MULTIPLY_ADDS, 1024)
"""Operations per second, which the large network is taken to reach as well."""

LAUNCHES, LAUNCH = 500, 1.0e-6
"""Launches of a step of the large network, an estimate, and the seconds of each in a graph."""

MULTIPLY_ADDS = 4.1e9
LARGE = Network("25.6 M parameters", 25_600_000, LAUNCHES * LAUNCH, 6 * MULTIPLY_ADDS / RATE)
"""A network of the size of ResNet-50."""

NETWORKS = (NOTEBOOK, LENET, LARGE)


# The tables


def constants_block() -> str:
    """The networks: what they take on one GPU, and their all-reduces."""
    heads = ["network", "gradients, MB", "a step, besides its images, µs", "an image, µs"]
    rows = [[*heads, "all-reduce over 2 GPUs, µs", "over 8"]]
    for each in NETWORKS:
        own = _us(each.fixed), f"{each.image * 1e6:,.3g}"
        sums = [_us(each.all_reduce(gpus)[0]) for gpus in (2, 8)]
        rows.append([each.name, f"{4e-6 * each.parameters:,.3f}", *own, *sums])
    share = f"{RATE / 1e12:.1f} TFLOP/s, {RATE / PEAK:.0%} of the peak"
    return f"{table(rows)}\nlenet's step on 1,024 images: {share}.\n"


def scaling_block(network: Network, batch: int, *, is_weak: bool) -> str:
    """A step by the number of GPUs: of one batch, or of one that grows with them."""
    heads = ["GPUs", "images a GPU", "computing, µs", "all-reduce, µs", "by", "images/s"]
    rows = [[*heads, "efficiency" if is_weak else "speed-up"]]
    alone = network.step(batch, 1)
    for gpus in GPUS:
        images = batch * gpus if is_weak else batch
        if images < gpus:
            break
        step, (summing, name) = network.step(images, gpus), network.all_reduce(gpus)
        gain = f"{alone / step:.0%}" if is_weak else f"{alone / step:,.2f}"
        times = _us(network.compute(images / gpus)), _us(summing) if name else ""
        rate = f"{images / step:,.0f}"
        rows.append([f"{gpus:,}", f"{images / gpus:,.0f}", *times, name, rate, gain])
    return table(rows)


def threshold_block() -> str:
    """The batches from which several GPUs pay."""
    some = [gpus for gpus in GPUS if gpus > 1]
    heads = ["", *(f"{gpus:,} GPUs" for gpus in some)]
    rows = [heads]
    for each in NETWORKS:
        first = [f"{each.pays_from(gpus):,}" for gpus in some]
        well = [f"{each.is_efficient_from(gpus):,}" for gpus in some]
        rows.append([f"{each.name}: faster than one from a batch of", *first])
        rows.append([f"{each.name}: efficiency of {WANTED:.0%} from, images a GPU", *well])
    return table(rows)


def million_block() -> str:
    """An all-reduce over a million GPUs."""
    rows = [["ms", *(each.name for each in ALGORITHMS)]]
    for network in NETWORKS:
        times = [each.seconds(4 * network.parameters, MILLION) for each in ALGORITHMS]
        rows.append([network.name, *(f"{each * 1e3:,.2f}" for each in times)])
    return table(rows)


def blocks() -> dict[str, str]:
    """All tables, by the names of their blocks."""
    return {
        "constants": constants_block(),
        "strong, lenet": scaling_block(LENET, 1024, is_weak=False),
        "strong, large": scaling_block(LARGE, 4096, is_weak=False),
        "weak, lenet": scaling_block(LENET, 64, is_weak=True),
        "weak, large": scaling_block(LARGE, 32, is_weak=True),
        "thresholds": threshold_block(),
        "million": million_block(),
    }


# What ranks took


def ranks_block(report: Report) -> str:
    """The steps of ranks and their all-reduces, beside the model of `gpucnn.benchmark.scaling`."""
    links = fit_all(report.all_reduces)
    costs = "".join(
        f"{ranks} ranks: {_us(link.latency)} µs an exchange, {link.bandwidth / 1e9:.2f} GB/s.\n"
        for (_, ranks), link in links.items()
    )
    parts = environment(report), _steps_table(report), _sums_table(report), costs
    return "\n".join(part.strip() + "\n" for part in parts)


def _steps_table(report: Report) -> str:
    links = fit_all(report.all_reduces)
    heads = ["ranks", "workers of each", "images", "ms", "speed-up", "efficiency"]
    rows = [[*heads, "all-reduce, µs", "its share", "exchange, µs", "model, ms"]]
    single = [each for each in report.ranks if each.ranks == each.workers == 1]
    rows += [[*_step(each), *[""] * 6] for each in single]
    for each in scaled(report.ranks):
        step = each.step
        gains = [
            _spread(paired_ratio(one.seconds, step.seconds), "{:.2f}")
            for one in (each.same_batch, each.same_part)
        ]
        rows.append(
            [*_step(step), *gains, *_in_step(each, links.get((step.contender, step.ranks)))]
        )
    return table(rows)


def _step(step: RankMeasurement) -> list[str]:
    counts = str(step.ranks), str(step.workers), f"{step.batch_size:,}"
    return [*counts, _spread(quartiles(step.seconds), "{:.2f}", 1e3)]


def _in_step(each: Scaled, link: Link | None) -> list[str]:
    """Of several ranks: the all-reduce in the step, and the step by the model."""
    if link is None:
        return [""] * 4
    step, held = each.step, quartiles(each.step.held)
    return [
        _spread(held, "{:,.0f}", 1e6),
        f"{held.median / step.median:.0%}",
        _spread(quartiles(step.exchange), "{:,.0f}", 1e6),
        f"{each.model(link) * 1e3:.2f}",
    ]


def _sums_table(report: Report) -> str:
    links = fit_all(report.all_reduces)
    rows = [["ranks", "all-reduce of, KB", "µs", "model, µs"]]
    for each in report.all_reduces:
        seconds = _spread(quartiles(each.seconds), "{:,.0f}", 1e6)
        model = _us(links[each.contender, each.ranks].seconds(alone(each)))
        rows.append([str(each.ranks), f"{each.bytes / 1e3:,.0f}", seconds, model])
    return table(rows)


def _spread(of: Spread, form: str, unit: float = 1) -> str:
    """A median with its quartiles."""
    low, middle, high = (form.format(unit * value) for value in of)
    return f"{middle} ({low} to {high})"


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f}"


def main(files: list[str]) -> None:
    """Rewrite the page."""
    text, found = PAGE.read_text(), blocks()
    for file in files:
        report = read_report(file)
        found[f"ranks, {report.environment.model.split()[0]}"] = ranks_block(report)
    for name, block in found.items():
        text = with_block(text, name, block)
    PAGE.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
