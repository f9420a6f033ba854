"""From raw mocap to weights: bodies, pictures as Θ sees them, Φ, calibrator, ONNX. Every stage resumes.

sigmapose train --mocap DIR --out DIR

With photos that nobody annotated there are two rounds: Φ learned from rendered people is the head of the
teacher, and Φ learned again from both is what ships.
"""

from __future__ import annotations

from pathlib import Path

from sigmapose.learn.stages.encoder import see_again, tune
from sigmapose.learn.stages.head import fit, fit_lift
from sigmapose.learn.stages.material import make_bodies, make_encoders, make_pictures
from sigmapose.learn.stages.photos import teach
from sigmapose.learn.stages.training_plan import TrainingPlan
from sigmapose.learn.stages.weights import make_weights
from sigmapose.learn.training.engine import accelerator_for, one_after_another


def run(plan: TrainingPlan) -> Path:
    """All stages in order; returns the folder with the ONNX files and the calibrator.

    A stage takes the plan and what the stages before hold in memory, and finds their files in the plan's
    folders. Under ``accelerate launch`` the main process makes the data and the weights, and all of them
    train.
    """
    processes = accelerator_for()
    if processes.is_main_process:
        make_encoders(plan)
        make_bodies(plan)
        make_pictures(plan)
    processes.wait_for_everyone()
    phi = fit(plan)
    if plan.unlabelled is not None:
        taught = one_after_another(processes, lambda: teach(plan, phi))
        phi = phi if taught is None else fit(plan, taught)
    lift = fit_lift(plan)
    tuned = tune(plan, phi) if plan.end_to_end else None
    if processes.is_main_process:
        if tuned is not None:
            phi = tuned.phi
            see_again(plan, tuned)
        make_weights(plan, phi.cpu(), lift.cpu(), tuned)
    processes.wait_for_everyone()
    return plan.folder("weights")
