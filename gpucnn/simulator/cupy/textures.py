"""Textures and surfaces: CuPy's descriptions of arrays of texels, and the objects of kernels.

`cupy.cuda.texture` has them. An object's `ptr` is a number, which a kernel takes as its
`cudaTextureObject_t` or `cudaSurfaceObject_t`.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gpucnn.simulator.cupy.calls import Handle
from gpucnn.simulator.cupy.errors import CUDARuntimeError

CONSTANTS = {
    "cudaChannelFormatKindSigned": 0,
    "cudaChannelFormatKindUnsigned": 1,
    "cudaChannelFormatKindFloat": 2,
    "cudaChannelFormatKindNone": 3,
    "cudaArrayDefault": 0,
    "cudaArrayLayered": 1,
    "cudaArraySurfaceLoadStore": 2,
    "cudaArrayCubemap": 4,
    "cudaArrayTextureGather": 8,
    "cudaResourceTypeArray": 0,
    "cudaResourceTypeMipmappedArray": 1,
    "cudaResourceTypeLinear": 2,
    "cudaResourceTypePitch2D": 3,
    "cudaAddressModeWrap": 0,
    "cudaAddressModeClamp": 1,
    "cudaAddressModeMirror": 2,
    "cudaAddressModeBorder": 3,
    "cudaFilterModePoint": 0,
    "cudaFilterModeLinear": 1,
    "cudaReadModeElementType": 0,
    "cudaReadModeNormalizedFloat": 1,
}
"""CUDA's numbers, which `cupy.cuda.runtime` has by these names."""

_ARRAY = CONSTANTS["cudaResourceTypeArray"]
_LINEAR = CONSTANTS["cudaResourceTypeLinear"]
_PITCHED = CONSTANTS["cudaResourceTypePitch2D"]
_CUBEMAP = CONSTANTS["cudaArrayCubemap"]
_KINDS = "iuf"  # by the number of the kind of a channel
_BITS = {"i": (8, 16, 32), "u": (8, 16, 32), "f": (16, 32)}
_MARK = 0x7465786574757265


class _Texels(ctypes.Structure):
    """As in textures.hpp."""

    _fields_ = (
        ("mark", ctypes.c_ulonglong),
        ("data", ctypes.c_void_p),
        ("row", ctypes.c_ulonglong),
        ("slice", ctypes.c_ulonglong),
        ("size", ctypes.c_int * 3),
        ("kind", ctypes.c_int),
        ("bits", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("address_mode", ctypes.c_int * 3),
        ("filters", ctypes.c_int),
        ("reads_normalized", ctypes.c_int),
        ("is_normalized", ctypes.c_int),
        ("border", ctypes.c_float * 4),
    )


class ChannelFormatDescriptor:
    """The bits of up to four channels, and what kind of numbers they are."""

    def __init__(self, x: int, y: int, z: int, w: int, f: int) -> None:
        bits = [each for each in (x, y, z, w) if each]
        kind = _KINDS[f] if 0 <= f < len(_KINDS) else ""
        if len(bits) not in (1, 2, 4) or len(set(bits)) > 1 or bits[0] not in _BITS.get(kind, ()):
            raise CUDARuntimeError(
                f"cudaErrorInvalidChannelDescriptor: channels of {x}, {y}, {z}, {w} bits of kind "
                f"{f}: give 1, 2 or 4 of 8, 16 or 32 bits, or 16 or 32 for reals"
            )
        self.chDesc = {"x": x, "y": y, "z": z, "w": w, "f": f}
        self.dtype = np.dtype(f"{kind}{bits[0] // 8}")
        self.channels = len(bits)

    def get_channel_format(self) -> dict[str, int]:
        """The bits of each channel, and the number of their kind."""
        return self.chDesc


class CUDAarray:
    """An array of texels in memory that only textures and surfaces read.

    Sizes are in texels; a height or depth of 0 is that of an array of fewer dimensions. With the
    flag of layers the depth is their number.
    """

    def __init__(
        self,
        desc: ChannelFormatDescriptor,
        width: int,
        height: int = 0,
        depth: int = 0,
        flags: int = 0,
    ) -> None:
        if width < 1 or height < 0 or depth < 0 or flags & _CUBEMAP:
            raise CUDARuntimeError(
                f"cudaErrorInvalidValue: an array of {width}, {height}, {depth} texels with flags "
                f"{flags}: give a width of 1 or more; the simulator does not have cubemaps"
            )
        self.desc, self.flags = desc, flags
        self.width, self.height, self.depth = width, height, depth
        self.ndim = 1 + (height > 0) + (depth > 0)
        shape = (max(depth, 1), max(height, 1), width * desc.channels)
        self.contents: npt.NDArray[Any] = np.zeros(shape, desc.dtype)
        self.ptr = self.contents.ctypes.data

    def copy_from(self, in_arr: Any, stream: Any = None) -> None:
        """Copy an array of the device or of NumPy, of as many numbers, to it."""
        host = in_arr.host if isinstance(in_arr, Handle) else np.asarray(in_arr)
        self._check(host)
        self.contents[...] = np.ascontiguousarray(host).reshape(self.contents.shape)

    def copy_to(self, out_arr: Any, stream: Any = None) -> None:
        """Copy it to an array of the device or of NumPy, of as many numbers."""
        host = out_arr.host if isinstance(out_arr, Handle) else out_arr
        self._check(host)
        host[...] = self.contents.reshape(host.shape)

    def _check(self, host: npt.NDArray[Any]) -> None:
        if host.size != self.contents.size or host.dtype.itemsize != self.contents.dtype.itemsize:
            raise ValueError(
                f"an array of {host.size} {host.dtype}, where that of CUDA has "
                f"{self.contents.size} {self.contents.dtype}: copy as many numbers of that size"
            )


class ResourceDescriptor:
    """Where texels lie: a `CUDAarray`, or an array of the device with the format of its channels.

    Such an array is read as one line of `sizeInBytes`, or as `height` lines of `width` texels that
    begin `pitchInBytes` after one another.
    """

    def __init__(
        self,
        restype: int,
        cuArr: CUDAarray | None = None,  # noqa: N803 - CuPy's names, as below
        arr: Any = None,
        chDesc: ChannelFormatDescriptor | None = None,  # noqa: N803
        sizeInBytes: int = 0,  # noqa: N803
        width: int = 0,
        height: int = 0,
        pitchInBytes: int = 0,  # noqa: N803
    ) -> None:
        self.cuArr, self.arr, self.chDesc = cuArr, arr, chDesc
        if restype == _ARRAY and cuArr is not None:
            desc, data = cuArr.desc, cuArr.contents
            _, rows, row = data.shape
            size = (cuArr.width, rows, data.shape[0])
            self.texels = _texels(desc, cuArr.ptr, size, row * data.itemsize)
        elif restype in (_LINEAR, _PITCHED) and arr is not None and chDesc is not None:
            texel = chDesc.channels * chDesc.dtype.itemsize
            width = width if restype == _PITCHED else (sizeInBytes or arr.nbytes) // texel
            rows, pitch = (height, pitchInBytes) if restype == _PITCHED else (1, arr.nbytes)
            if width < 1 or rows < 1 or width * texel > pitch or rows * pitch > arr.nbytes:
                raise CUDARuntimeError(
                    f"cudaErrorInvalidValue: {rows} lines of {width} texels of {texel} bytes, "
                    f"{pitch} bytes apart, do not lie in an array of {arr.nbytes} bytes: give "
                    "sizes that do"
                )
            self.texels = _texels(chDesc, arr.host.ctypes.data, (width, rows, 1), pitch)
        else:
            raise CUDARuntimeError(
                f"cudaErrorInvalidValue: a resource of type {restype}: give a CUDAarray, or an "
                "array of the device with its ChannelFormatDescriptor; the simulator does not have "
                "mipmapped ones"
            )


def _texels(
    desc: ChannelFormatDescriptor, address: int, size: tuple[int, int, int], row: int
) -> _Texels:
    return _Texels(
        mark=_MARK,
        data=address,
        row=row,
        slice=row * size[1],
        size=size,
        kind=ord(desc.dtype.kind),
        bits=8 * desc.dtype.itemsize,
        channels=desc.channels,
    )


class TextureDescriptor:
    """How texels are read: outside of the array, between them, and as which numbers."""

    def __init__(
        self,
        addressModes: Sequence[int] | None = None,  # noqa: N803 - CuPy's names, as below
        filterMode: int = 0,  # noqa: N803
        readMode: int = 0,  # noqa: N803
        sRGB: int | None = None,  # noqa: N803
        borderColors: Sequence[float] | None = None,  # noqa: N803
        normalizedCoords: int | None = None,  # noqa: N803
        maxAnisotropy: int | None = None,  # noqa: N803
    ) -> None:
        modes = tuple(addressModes or ())
        border = tuple(borderColors or ())
        if len(modes) > 3 or any(mode not in range(4) for mode in modes) or len(border) > 4 or sRGB:
            raise CUDARuntimeError(
                f"cudaErrorInvalidValue: address modes {modes}, border {border}, sRGB {sRGB}: give "
                "up to 3 modes from 0 to 3, and up to 4 numbers; the simulator does not have sRGB"
            )
        self.address_modes, self.border = modes, border
        self.filters, self.reads_normalized = bool(filterMode), bool(readMode)
        self.is_normalized = bool(normalizedCoords)


class TextureObject:
    """What a kernel takes as `cudaTextureObject_t`.

    Attributes:
        ptr: its number.
    """

    def __init__(self, ResDesc: ResourceDescriptor, TexDesc: TextureDescriptor) -> None:  # noqa: N803
        self.ResDesc, self.TexDesc = ResDesc, TexDesc
        self._texels = _Texels.from_buffer_copy(ResDesc.texels)
        kind, bits = chr(self._texels.kind), self._texels.bits
        if TexDesc.reads_normalized and (kind == "f" or bits == 32):
            raise CUDARuntimeError(
                "cudaErrorInvalidNormSetting: only integers of 8 and 16 bits are read as "
                "fractions: use cudaReadModeElementType"
            )
        if TexDesc.filters and kind != "f" and not TexDesc.reads_normalized:
            raise CUDARuntimeError(
                "cudaErrorInvalidFilterSetting: only reals are filtered: use cudaFilterModePoint, "
                "or cudaReadModeNormalizedFloat"
            )
        self._texels.address_mode = (*TexDesc.address_modes, *(0,) * 3)[:3]
        self._texels.border = (*TexDesc.border, *(0.0,) * 4)[:4]
        self._texels.filters = TexDesc.filters
        self._texels.reads_normalized = TexDesc.reads_normalized
        self._texels.is_normalized = TexDesc.is_normalized
        self.ptr = ctypes.addressof(self._texels)


class SurfaceObject:
    """What a kernel takes as `cudaSurfaceObject_t`.

    Attributes:
        ptr: its number.
    """

    def __init__(self, ResDesc: ResourceDescriptor) -> None:  # noqa: N803 - CuPy's name
        array = ResDesc.cuArr
        if array is None or not array.flags & CONSTANTS["cudaArraySurfaceLoadStore"]:
            raise CUDARuntimeError(
                "cudaErrorInvalidValue: a surface needs a CUDAarray with cudaArraySurfaceLoadStore "
                "among its flags"
            )
        self.ResDesc = ResDesc
        self._texels = ResDesc.texels
        self.ptr = ctypes.addressof(self._texels)
