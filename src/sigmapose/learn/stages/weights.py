"""The stage that writes what ships: calibrator, ONNX files, and a scorecard of the test subjects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from sigmapose.data.shards import whole_file
from sigmapose.data.splits import Split
from sigmapose.learn.convert.convert_blazepose import (
    DETECTOR_FILE,
    export_detector,
    landmark_file,
    load_detector,
    load_encoder,
)
from sigmapose.learn.convert.onnx_export import export_image_model, export_lift_model, save_phi
from sigmapose.learn.convert.onnx_store import store_float16
from sigmapose.learn.data.picture_choice import well_seen
from sigmapose.learn.data.samples import ANSWERED_FLAG, load_pictures
from sigmapose.learn.networks.blazepose import ARCHITECTURES
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.networks.phi import DepthUncertaintyHead
from sigmapose.learn.stages.fine_tuning import Tuned
from sigmapose.learn.stages.fit_calibrator import fit_calibrator
from sigmapose.learn.stages.heldout import lines, scorecard
from sigmapose.learn.stages.training_plan import TrainingPlan
from sigmapose.learn.training.losses import EQ1_TO_STANDARD_DEVIATION

SCORECARD = "scorecard.txt"


def make_weights(plan: TrainingPlan, phi: Head, lift: Head, tuned: Tuned | None = None) -> None:
    """Calibrator on the calibration subjects, one ONNX file per model, and how all that does on the test
    subjects."""
    folder = plan.folder("weights")
    pictures = plan.folder("features") if tuned is None else plan.folder("end-to-end") / "features"
    folder.mkdir(parents=True, exist_ok=True)
    phi, lift = as_stored(phi), as_stored(lift)
    if isinstance(phi, DepthUncertaintyHead) and plan.named_recipe().loss == "eq1":
        phi.config = replace(phi.config, depth_scale=EQ1_TO_STANDARD_DEVIATION)
    fitted_on = f"{plan.pictures} rendered pictures, calibration subjects"
    seen = load_pictures(pictures / "picture", Split.CALIBRATION, least_flag=ANSWERED_FLAG)
    heads = {**dict.fromkeys(ARCHITECTURES, phi), "none": lift}
    calibrator = fit_calibrator(
        heads, well_seen(seen, more_behind_things=np.inf), f"{plan.recipe}-renders", fitted_on
    )
    calibrator.save(folder / "calibrator.json")
    save_phi(phi, folder / "phi.pt")
    save_phi(lift, folder / "lift.pt")
    export_lift_model(lift, folder / "lift.onnx")
    originals = plan.original_models()
    for variant in ARCHITECTURES:
        changed = None if tuned is None else tuned.encoders.get(variant)
        encoder = changed or load_encoder(originals[landmark_file(variant)], variant)
        export_image_model(encoder, phi, folder / f"{variant}.onnx")
    export_detector(load_detector(originals[DETECTOR_FILE]), folder / "detector.onnx")
    store_float16(folder / "detector.onnx", folder / "detector.onnx")
    test = load_pictures(pictures / "picture", Split.TEST, least_flag=ANSWERED_FLAG)
    with whole_file(folder / SCORECARD) as file:
        file.write(lines(scorecard(heads, calibrator, test)).encode())


def as_stored(phi: Head) -> Head:
    """Weights rounded to float16, computed in float32: what the files hold, so what calibration must see."""
    with torch.no_grad():
        for parameter in phi.parameters():
            parameter.copy_(parameter.half().float())
    return phi.eval()
