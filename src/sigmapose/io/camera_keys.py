"""What the keys of a camera file mean: matrix, distortion, size and lens, whoever wrote them.

Known: OpenCV (FileStorage, and the `mtx`/`dist` of its tutorial), ROS camera_info, Pose2Sim, Anipose,
Caliscope, kalibr, NeRF's transforms, and this program's own. A key that is not known but looks as if it
described lens or picture size is an error, because leaving it out would be a wrong camera in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_MATRIX = {"k", "matrix", "cameramatrix", "mtx", "intrinsicmatrix", "intrinsics", "intrinsic", "kmatrix"}
_MATRIX |= {"cammatrix", "intrinsicsmatrix"}
_DISTORTION = {
    "d", "dist", "distortion", "distortions", "distcoeffs", "distcoeff", "distcoefs", "distcoef",
    "distortioncoefficients", "distortioncoeffs", "distortioncoefs", "distortionparams",
    "distortionparameters",
    "distortioncoeff", "distortioncoefficient", "distvec", "distcoefficients", "coeffs",
}  # fmt: skip
_SIZE = {"size", "imagesize", "imgsize", "resolution", "imsize", "framesize", "videosize", "imageresolution"}
_SHAPE = {"shape", "imageshape", "imgshape", "frameshape"}
_WIDTH = {"width", "imagewidth", "imgwidth", "w", "framewidth", "imwidth"}
_HEIGHT = {"height", "imageheight", "imgheight", "h", "frameheight", "imheight"}
_SCALARS = {
    "fx": "fx",
    "fy": "fy",
    "cx": "cx",
    "cy": "cy",
    "flx": "fx",
    "fly": "fy",
    "ppx": "cx",
    "ppy": "cy",
}
_MODEL = {
    "model",
    "cameramodel",
    "distortionmodel",
    "fisheye",
    "isfisheye",
    "lens",
    "lensmodel",
    "projection",
}
_MODEL |= {"cameratype", "projectionmodel", "projectiontype", "distortiontype"}
_LENS_TABLE: dict[str, str] = {
    **{name: "distortion" for name in ("coefficients", "coefs", "parameters", "params", "values")},
    **{name: "distortion_model" for name in ("type", "name")},
}
"""What entries mean in a table of the lens, beside the names that they have elsewhere."""
_RADIAL, _TANGENTIAL = {"radial", "radialdistortion"}, {"tangential", "tangentialdistortion"}
_PLAIN = {
    "pinhole", "plumbbob", "opencv", "radtan", "radialtangential", "brown", "brownconrady", "perspective",
    "standard", "none", "normal", "rectilinear", "false", "fullopencv", "rationalpolynomial", "frame",
    "regular",
    "inversebrownconrady", "distortionbrownconrady", "", "0", "00",
}  # fmt: skip
_LENS = re.compile(
    r"dist|lens|^k\d|^p\d|^s\d|radial|tangen|focal|fov|fish|size|width|height|resol|skew|matrix|intrin|princip|"
    r"cent(er|re)|pixel|sensor|crop|binning|^roi|zoom|scale|aspect|omni|^xi$|^gamma$|^alpha$|^f$|^c$|^fc$|^cc$|^kc$"
)
_HARMLESS = re.compile(
    r"^(board|square|marker|chess|pattern|grid|charuco|aruco|tag|corner|calib|target)|^new|^optimal|error|rms|"
    r"^(rectificationmatrix|projectionmatrix|rotationmatrix|extrinsicmatrix|transformmatrix|worldmatrix)$|"
    r"^(distancetocamera|boundingbox)|^stddev|uncertainty|^verifiedresolutions"
)


class NoCameraError(ValueError):
    """Nothing in a mapping says that it is a camera."""


def intrinsics_of(told: dict[str, Any]) -> dict[str, Any]:
    """fx, fy, cx, cy, distortion and size (None where unknown) of one camera's mapping.

    Raises:
        NoCameraError: it has no matrix. ValueError: it has, but what it says cannot be used.
    """
    told = _with_tables(told)
    found: dict[str, Any] = {}
    for key, value in told.items():
        plain = _plain(key)
        if describes_lens_or_size(key) and found.get(plain, value) != value:
            raise ValueError(f"says {str(key)[:40]!r} twice, and not the same")
        found[plain] = value
    matrix = _matrix(found)
    _check_model(found)
    size = _size(found)
    distortion = _distortion(found)
    _check_the_rest(told)
    return {**matrix, "distortion": distortion, "size": size}


def looks_like_camera(told: Any) -> bool:
    """Whether a mapping has a matrix, or the numbers of one."""
    keys = {_plain(key) for key in told} if isinstance(told, dict) else set()
    return bool(keys & _MATRIX) or {"cx", "cy"} <= {_SCALARS.get(key, key) for key in keys}


def describes_lens_or_size(key: Any) -> bool:
    """Whether what stands under that key belongs to a camera."""
    return _plain(key) in _MATRIX | _DISTORTION | _SIZE | _SHAPE | _WIDTH | _HEIGHT | _MODEL | set(_SCALARS)


def _with_tables(told: dict[str, Any]) -> dict[str, Any]:
    """The mapping with what stands in tables of the matrix and of the lens as entries of its own."""
    flat: dict[str, Any] = {}

    def add(key: str, value: Any) -> None:
        if key in flat and flat[key] != value:
            raise ValueError(f"says {key[:40]!r} twice, and not the same")
        flat[key] = value

    for key, value in told.items():
        plain = _plain(key)
        table = isinstance(value, dict) and not {"data", "rows"} & set(value)
        if table and plain in _MATRIX:
            for name, inner in _with_tables(value).items():
                add(str(name), inner)
        elif table and plain in _DISTORTION:
            for name, inner in value.items():
                add(_LENS_TABLE.get(_plain(name), str(name)), inner)
        else:
            add(str(key), value)
    return flat


def _plain(key: Any) -> str:
    return re.sub(r"[\W_]", "", str(key)).lower()


def _matrix(found: dict[str, Any]) -> dict[str, float]:
    tables = [(k, v) for k, v in found.items() if k in _MATRIX and v is not None]
    told = []
    for key, value in tables:
        numbers = _flat(value, key)
        if len(numbers) == 12 and len(tables) > 1:  # OpenPose: CameraMatrix is the camera's place
            continue
        if len(numbers) == 4 and key.startswith("intrinsic") and not any(isinstance(v, list) for v in value):
            told.append(tuple(numbers))  # kalibr
        elif len(numbers) == 9:
            told.append(_of_matrix(numbers))
        else:
            raise ValueError(f"{key!r} has {len(numbers)} numbers, expected the 9 of a 3x3 matrix")
    scalars = {_SCALARS[key]: value for key, value in found.items() if key in _SCALARS}
    if len(scalars) == 4:
        told.append(tuple(_flat([scalars[name] for name in ("fx", "fy", "cx", "cy")], "fx, fy, cx, cy")))
    if not told:
        raise NoCameraError("has no camera matrix")
    if any(other != told[0] for other in told):
        raise ValueError("says two different camera matrices")
    return dict(zip(("fx", "fy", "cx", "cy"), told[0], strict=True))


def _of_matrix(numbers: list[float]) -> tuple[float, ...]:
    a, skew, cx, b, fy, cy, c, d, last = numbers
    if last == 0 or a == 0 or fy == 0:
        raise ValueError("its camera matrix is singular")
    if max(abs(skew), abs(b), abs(c), abs(d)) > 1e-3 * abs(a):
        raise ValueError("its camera matrix must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] without skew")
    return a / last, fy / last, cx / last, cy / last


def _distortion(found: dict[str, Any]) -> tuple[float, ...]:
    told = [_five(_flat(v, k), k) for k, v in found.items() if k in _DISTORTION and v is not None]
    names = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
    if any(name in found for name in names):
        told.append(_five(_flat([found.get(name) or 0.0 for name in names], "k1, k2, ..."), "k1, k2, ..."))
    radial = [_flat(v, k) for k, v in found.items() if k in _RADIAL and v is not None]
    tangential = [_flat(v, k) for k, v in found.items() if k in _TANGENTIAL and v is not None]
    if radial or tangential:
        told.append(_two_and_two(*(lists[0] if lists else [0.0, 0.0] for lists in (radial, tangential))))
    if any(other != told[0] for other in told):
        raise ValueError("says two different distortions")
    return told[0] if told else ()


def _two_and_two(radial: list[float], tangential: list[float]) -> tuple[float, ...]:
    """k1, k2[, k3] and p1, p2, as they are written apart."""
    if len(radial) not in (2, 3) or len(tangential) not in (0, 2):
        raise ValueError(
            f"has {len(radial)} radial and {len(tangential)} tangential coefficients, expected k1, k2[, k3] "
            "and p1, p2"
        )
    return _five([*radial[:2], *(tangential or (0.0, 0.0)), *radial[2:]], "radial and tangential")


def _five(numbers: list[float], key: str) -> tuple[float, ...]:
    """OpenCV's k1, k2, p1, p2, k3; longer lists are used if the rest is zero."""
    if any(numbers[5:]):
        raise ValueError(f"{key!r} has more than five coefficients that are not zero: calibrate with five")
    if len(numbers) not in (0, 4, 5, 8, 12, 14):
        raise ValueError(f"{key!r} has {len(numbers)} numbers, expected k1, k2, p1, p2[, k3]")
    used = (*numbers, 0.0)[:5] if len(numbers) >= 4 else ()
    return used if any(used) else ()


def _size(found: dict[str, Any]) -> tuple[int, int] | None:
    told = [_pair(v, k) for k, v in found.items() if k in _SIZE and v is not None]
    told += [_pair(v, k, shape=True) for k, v in found.items() if k in _SHAPE and v is not None]
    width, height = (next((found[k] for k in keys if k in found), None) for keys in (_WIDTH, _HEIGHT))
    if (width is None) != (height is None):
        raise ValueError("says only one of width and height")
    if width is not None:
        told.append(_pair([width, height], "width and height"))
    if any(other != told[0] for other in told):
        raise ValueError(f"says two different picture sizes, {told[0]} and {told[-1]}")
    return told[0] if told and told[0] != (0, 0) else None  # 0x0 is ROS's word for unknown


def _pair(value: Any, key: str, shape: bool = False) -> tuple[int, int]:
    if isinstance(value, dict):
        value = [next((value[k] for k in keys if k in value), None) for keys in (_WIDTH, _HEIGHT)]
    if isinstance(value, str):
        value = [int(part) for part in re.findall(r"[0-9]{1,6}", value)]
    numbers = _flat(value, key)
    numbers = numbers[1::-1] if shape else numbers
    if len(numbers) != 2 or not all(0 <= n < 1e6 and n == int(n) for n in numbers):
        raise ValueError(f"{key!r} is {str(value)[:40]}, expected the width and height of the pictures")
    return int(numbers[0]), int(numbers[1])


def _check_model(found: dict[str, Any]) -> None:
    for key in _MODEL & set(found):
        named = _plain("" if found[key] is None else found[key])
        if named not in _PLAIN:
            lens = "fisheye" if key in ("fisheye", "isfisheye") else str(found[key])[:40]
            raise ValueError(
                f"is the calibration of a {lens!r} lens, and only pinhole lenses with k1, k2, p1, p2, k3 are "
                "known: undistort the pictures first"
            )


def _check_the_rest(told: dict[str, Any]) -> None:
    known = _MATRIX | _DISTORTION | _SIZE | _SHAPE | _WIDTH | _HEIGHT | _MODEL | set(_SCALARS)
    known |= {"k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"} | _RADIAL | _TANGENTIAL
    for key, value in told.items():
        plain = _plain(key)
        if (
            plain in known
            or _HARMLESS.search(plain)
            or not _LENS.search(plain)
            or _says_nothing(plain, value)
        ):
            continue
        raise ValueError(
            f"says {str(key)[:40]!r}, which may describe lens or picture size and is not understood: write "
            "K, distortion, width and height, or remove it"
        )


def _says_nothing(key: str, value: Any) -> bool:
    """A skew of 0, a binning of 1, a region of interest that is empty: as if the key were not there."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    neutral = (
        (0, 1, None, False, "") if key.startswith("binning") or "aspect" in key else (0, None, False, "")
    )
    return all(v in neutral for v in values if not isinstance(v, list | dict))


def _flat(value: Any, key: str) -> list[float]:
    if isinstance(value, dict):
        value = value.get("data")
    try:
        return [float(number) for number in _leaves(value)]
    except (TypeError, ValueError):
        raise ValueError(f"{key!r} must be numbers, got {str(value)[:40]}") from None


def _leaves(value: Any, depth: int = 0) -> Iterable[Any]:
    if isinstance(value, list) and depth < 5:
        for inner in value:
            yield from _leaves(inner, depth + 1)
    elif isinstance(value, bool) or value is None:
        raise TypeError
    else:
        yield value
