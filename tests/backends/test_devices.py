"""The devices by name."""

import pytest

from gpucnn.backends import Backend, CpuBackend, available_devices, get_backend, list_devices
from gpucnn.backends.devices import BACKENDS
from gpucnn.errors import InvalidValueError


def test_cpu() -> None:
    assert type(get_backend("cpu")) is CpuBackend


def test_each_call_gives_a_backend_of_its_own() -> None:
    assert get_backend("cpu") is not get_backend("cpu")


def test_auto_is_the_first_available_device() -> None:
    assert get_backend("auto").device == available_devices()[0]


def test_auto_is_the_default() -> None:
    assert type(get_backend()) is type(get_backend("auto"))


@pytest.mark.parametrize("name", available_devices())
def test_available_device_gives_its_backend(name: str) -> None:
    backend = get_backend(name)
    assert isinstance(backend, Backend)
    assert backend.device == name


def test_cpu_is_always_available() -> None:
    assert "cpu" in available_devices()


@pytest.mark.parametrize("name", ["", "CPU", "tpu", "cpu:0"])
def test_unknown_device_is_told_in_one_line(name: str) -> None:
    with pytest.raises(InvalidValueError) as error:
        get_backend(name)
    message = str(error.value)
    assert "\n" not in message
    assert repr(name) in message
    assert all(allowed in message for allowed in ["auto", *BACKENDS])


def test_devices_are_described_in_one_line() -> None:
    for device in list_devices():
        assert device.description
        assert "\n" not in device.description


def test_list_and_names_agree() -> None:
    assert [device.name for device in list_devices()] == available_devices()
