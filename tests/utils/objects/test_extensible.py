from typing import Any, ClassVar

import pytest

from gpucnn.layers import LAYERS, Layer, ReLU
from gpucnn.losses import LOSSES, Loss
from gpucnn.optimizers import OPTIMIZERS, Optimizer
from gpucnn.utils.objects.extensible import Extensible


class Mine(ReLU):
    pass


class Recorded(ReLU):
    can_record: ClassVar[bool] = True


class OfRecorded(Recorded):
    pass


@pytest.mark.parametrize("kind", [*LAYERS, *LOSSES.values(), *OPTIMIZERS, Layer, Loss, Optimizer])
def test_the_librarys_can_be_recorded(kind: type[Extensible]) -> None:
    assert (kind.is_own, kind.can_record) == (False, True)


@pytest.mark.parametrize(("kind", "can"), [(Mine, False), (Recorded, True), (OfRecorded, False)])
def test_the_users_can_be_if_they_say_so_themselves(kind: type[Extensible], can: bool) -> None:
    assert (kind.is_own, kind.can_record) == (True, can)


def test_a_package_whose_name_begins_alike_is_not_the_library() -> None:
    theirs: Any = type("Mine", (Extensible,), {"__module__": "gpucnn_extras.layers"})
    ours: Any = type("Ours", (Extensible,), {"__module__": "gpucnn.layers"})
    assert (theirs.is_own, ours.is_own) == (True, False)
