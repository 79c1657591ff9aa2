"""`gpucnn devices`: what there is to compute on."""

from gpucnn.backends import list_devices


def devices() -> None:
    """List the devices that can be used on this machine, the one that "auto" takes first."""
    for device in list_devices():
        print(f"{device.name}  {device.description}")
