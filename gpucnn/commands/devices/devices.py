"""`gpucnn devices`: list the devices."""

from gpucnn.backends import list_devices


def devices() -> None:
    """List the devices, and why one cannot be used; "auto" takes the first that can."""
    for device in list_devices():
        problem = "" if device.usable else "cannot be used: "
        print(f"{device.name}  {problem}{device.description}")
