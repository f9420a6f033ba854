"""Every metric by name: unit, which way is better, and what it is. One place for tables and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sigmapose.evaluate.angle_bias import BIAS_BINS
from sigmapose.evaluate.stated_intervals import KINDS

Better = Literal["low", "high", "nominal", "neither"]


@dataclass(frozen=True)
class Metric:
    """What a number is. `nominal`: best at `target`; `neither`: describes, and is not to be won."""

    unit: str
    better: Better
    meaning: str
    target: float | None = None


def _by_threshold() -> dict[str, Metric]:
    result = {}
    for tau in (50, 100, 150):
        rate = "" if tau == 100 else f"_{tau}mm"
        result |= {
            f"wrong_rate{rate}": Metric("1", "low", f"joints more than {tau} mm wrong"),
            f"confident_rate{rate}": Metric(
                "1", "neither", f"joints retained: 90 % radius at most {tau} mm, or high score"
            ),
            f"vouched_when_wrong_rate{rate}": Metric("1", "low", f"P(confident | wrong by > {tau} mm)"),
            f"false_positive_rate{rate}": Metric(
                "1", "low", f"false positives: P(wrong by > {tau} mm | confident)"
            ),
            f"auroc_{tau}mm": Metric("1", "high", f"AUROC of the stated uncertainty for errors > {tau} mm"),
            f"fpr_95tpr_{tau}mm": Metric(
                "1", "low", f"false alarms when 95 % of errors > {tau} mm are flagged"
            ),
            f"aurc_{tau}mm": Metric("1", "low", f"area under share wrong by > {tau} mm against coverage"),
        }
    return result


def _motion() -> dict[str, Metric]:
    result = {}
    for per in ("frame", "s"):
        result |= {
            f"acceleration_error_mm_{per}2": Metric(f"mm/{per}^2", "low", "error of the acceleration (HMMR)"),
            f"jitter_mm_{per}3": Metric(
                f"mm/{per}^3", "nominal", "jerk of the prediction; best when equal to the truth's"
            ),
            f"true_jitter_mm_{per}3": Metric(
                f"mm/{per}^3", "neither", "jerk of the truth in the same frames"
            ),
        }
    return result


def _intervals() -> dict[str, Metric]:
    result = {}
    for prefix, how in (("", ""), ("joint_", ", from each joint's own covariance alone")):
        for kind, unit in KINDS.items():
            what = f"90 % intervals of {kind.replace('_', ' ')}{how}"
            result |= {
                f"{prefix}interval_coverage_90_{kind}": Metric("1", "nominal", f"coverage of {what}", 0.9),
                f"{prefix}interval_width_90_{kind}_{unit}": Metric(unit, "low", f"mean width of {what}"),
            }
    return result


def _bias() -> dict[str, Metric]:
    return {
        name: Metric(
            "deg", "nominal", f"mean signed error of {angle} angles of {low:.0f} to {high:.0f} deg", 0.0
        )
        for name, (angle, low, high) in BIAS_BINS.items()
    }


METRICS: dict[str, Metric] = {
    "mpjpe_mm": Metric("mm", "low", "joint error, roots aligned"),
    "n_mpjpe_mm": Metric("mm", "low", "joint error after the best scale (Rhodin 2018)"),
    "pa_mpjpe_mm": Metric("mm", "low", "joint error after Procrustes alignment (similarity)"),
    "pck_150mm": Metric("1", "high", "joints nearer than 150 mm (MPI-INF-3DHP)"),
    "auc_150mm": Metric("1", "high", "mean PCK over 0, 5, ..., 150 mm (MPI-INF-3DHP)"),
    "mpjae_deg": Metric("deg", "low", "error of interior joint angles"),
    **_bias(),
    "segment_angle_deg": Metric("deg", "low", "angle between true and predicted bones"),
    "bone_length_error_mm": Metric("mm", "low", "error of bone lengths"),
    **_motion(),
    "nll": Metric("nat", "low", "negative log density per dimension, lengths in mm"),
    "crps_mm": Metric("mm", "low", "CRPS, mean of the three axes"),
    "crps_x_mm": Metric("mm", "low", "CRPS, to the right"),
    "crps_y_mm": Metric("mm", "low", "CRPS, downwards"),
    "crps_z_mm": Metric("mm", "low", "CRPS, forwards"),
    "crps_ray_mm": Metric("mm", "low", "CRPS along the viewing ray"),
    "energy_score_mm": Metric("mm", "low", "energy score per joint"),
    "energy_score_pose_mm": Metric("mm", "low", "energy score of the whole pose, joints independent"),
    **{
        f"coverage_{p}": Metric("1", "nominal", f"joints inside their {p} % ellipsoid", p / 100)
        for p in (50, 80, 90, 95)
    },
    "worst_group_coverage_90": Metric("1", "nominal", "coverage at 90 % of the worst large group", 0.9),
    "coverage_90_found": Metric("1", "nominal", "coverage at 90 % of the joints that were found", 0.9),
    "least_group_coverage_90": Metric(
        "1", "nominal", "lowest coverage at 90 % of joint group x true visibility", 0.9
    ),
    "most_group_coverage_90": Metric("1", "nominal", "the highest of the same groups", 0.9),
    "least_predicted_group_coverage_90": Metric(
        "1", "nominal", "lowest coverage at 90 % of joint group x visibility as stated", 0.9
    ),
    "most_predicted_group_coverage_90": Metric("1", "nominal", "the highest of the same groups", 0.9),
    **_intervals(),
    "volume_90_mm3": Metric("mm^3", "low", "sharpness: volume of the 90 % ellipsoid"),
    "volume_ratio_constant": Metric(
        "1", "low", "mean volume over that of the best constant covariance, equal coverage in every joint"
    ),
    "typical_volume_ratio_constant": Metric("1", "low", "the same with geometric means"),
    "radius_90_mm": Metric("mm", "low", "longest semi-axis of the 90 % ellipsoid"),
    "sigma_mm": Metric("mm", "low", "stated root mean square error per axis"),
    "ece": Metric("1", "low", "calibration error over the ellipsoids of all levels (Kuleshov 2018)"),
    "ece_axes": Metric("1", "low", "calibration error of the axis marginals (Kuleshov 2018)"),
    "distance2_ks": Metric("1", "low", "Kolmogorov-Smirnov distance of d^2 from chi-square(3)"),
    "distance2_over_3": Metric("1", "nominal", "mean squared Mahalanobis distance over 3", 1.0),
    "ause": Metric("1", "low", "area under the sparsification error, in mean errors (Ilg 2018)"),
    "ause_ratio_constant": Metric("1", "low", "AUSE over that of one constant sigma"),
    "ause_ratio_constant_found": Metric("1", "low", "the same among the joints that were found"),
    "ause_ratio_joint_constant": Metric("1", "low", "AUSE over that of the best constant sigma per joint"),
    "aurc_mm": Metric("mm", "low", "area under risk-coverage, risk = error (Geifman 2017)"),
    "spearman": Metric("1", "high", "rank correlation of stated uncertainty and error"),
    **_by_threshold(),
    "auroc_100mm_found": Metric(
        "1", "high", "AUROC of the stated uncertainty for errors > 100 mm, joints that were found"
    ),
    "false_positive_rate_half": Metric("1", "low", "P(wrong by > 100 mm | least uncertain half)"),
    "retained_at_2_percent_wrong": Metric(
        "1", "high", "largest share, least uncertain first, of which 2 % are wrong by > 100 mm"
    ),
    "retained_at_8_percent_wrong": Metric("1", "high", "the same for 8 % wrong"),
    "missed_rate": Metric("1", "low", "joints not found"),
    "unstated_rate": Metric("1", "low", "joints without a usable covariance"),
    "fps": Metric("1/s", "high", "frames per second"),
}
"""All that `score` can give. Each but fps has an interval beside it, `NAME_ci`."""
