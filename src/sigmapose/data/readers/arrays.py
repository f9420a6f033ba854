"""Array files of data sets: `.npz` and `.pkl` with pickled dictionaries, MATLAB v5 and v7.3.

A pickle can run any code when it is read. These readers admit numpy's arrays and plain Python values and
refuse everything else, so that a file from somewhere is no more than data.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from sigmapose.errors import DataError
from sigmapose.shapes import Array

EXTRA = "install it with: pip install 'sigmapose[datasets]'"
_ENCODINGS = ("latin1", "latin-1", "iso-8859-1")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How pickle protocol 2 writes bytes."""
    if encoding not in _ENCODINGS:
        raise pickle.UnpicklingError(f"bytes in encoding {encoding!r}")
    return text.encode("latin1")


def _admitted() -> dict[tuple[str, str], Any]:
    """What a pickled array refers to, under its names in numpy 1 and 2."""
    core = np._core  # pyright: ignore[reportAttributeAccessIssue]
    table: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _encode,
    }
    for home in ("numpy.core", "numpy._core"):
        table[f"{home}.multiarray", "_reconstruct"] = core.multiarray._reconstruct
        table[f"{home}.multiarray", "scalar"] = core.multiarray.scalar
        table[f"{home}.numeric", "_frombuffer"] = core.numeric._frombuffer
    return table


class _DataUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _admitted()[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"an object of kind {module_name}.{global_name}") from None


def _unpickle(stream: IO[bytes], where: str) -> Any:
    try:
        return _DataUnpickler(stream, encoding="latin1").load()
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{where}: holds {error}; only numbers and numpy arrays are read: give the original file"
        ) from None
    except (EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise DataError(f"{where}: damaged or cut short ({error}): copy or download it again") from None


def load_pickle(path: Path) -> Any:
    """What a pickle holds, Python 2 or 3, numbers and numpy arrays only.

    Raises:
        DataError: the file is missing, damaged, or holds anything else.
    """
    try:
        with path.open("rb") as stream:
            return _unpickle(stream, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check the path") from None


def load_npz(path: Path) -> dict[str, Any]:
    """Entries of an `.npz`; a pickled dictionary comes as that dictionary.

    Raises:
        DataError: the file is missing, damaged, or holds pickled objects other than arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(".npy")]
            return {name[: -len(".npy")]: _load_npy(archive, name, path) for name in names}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise DataError(f"{path}: damaged or no .npz ({error}): copy or download it again") from None


def _load_npy(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    with archive.open(name) as stream:
        version = np.lib.format.read_magic(stream)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if header is None:
            raise ValueError(f"array format {version}")
        _, _, dtype = header(stream)
        if dtype.hasobject:
            value = _unpickle(stream, f"{path}: '{name}'")
            return value.item() if isinstance(value, np.ndarray) and value.shape == () else value
    with archive.open(name) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def load_mat(path: Path) -> dict[str, Any]:
    """Variables of a MATLAB file up to v7.2; cell arrays come as object arrays.

    Raises:
        DataError: scipy is not installed; the file is missing, damaged, or v7.3.
    """
    try:
        from scipy.io import loadmat
    except ModuleNotFoundError:
        raise DataError(f"{path}: reading MATLAB files needs scipy: {EXTRA}") from None
    try:
        with path.open("rb") as stream:
            return loadmat(stream)
    except NotImplementedError:
        raise DataError(f"{path}: is MATLAB v7.3 (HDF5), expected v5: was the file saved anew?") from None
    except Exception as error:  # scipy raises many kinds for damaged files
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"{path}: cannot be read ({error.strerror}): check the path") from None
        raise DataError(f"{path}: damaged or no MATLAB file ({error}): copy or download it again") from None


def load_mat73(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """Variables of a MATLAB v7.3 file, with the axes in reverse order, as HDF5 has them.

    Raises:
        DataError: h5py is not installed; the file is missing or damaged, or lacks one of `names`.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise DataError(f"{path}: reading MATLAB v7.3 files needs h5py: {EXTRA}") from None
    if not path.is_file():
        raise DataError(f"{path}: no such file: check the path")
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in names if name not in file]
            if missing:
                raise DataError(f"{path}: has no {', '.join(missing)}, only {', '.join(sorted(file))}")
            return {name: np.asarray(file[name]) for name in names}
    except OSError as error:
        raise DataError(f"{path}: damaged or no MATLAB v7.3 file ({error}): download it again") from None
