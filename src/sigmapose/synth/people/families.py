"""Kinds of poses that motion capture lacks, as ranges of joint angles in degrees.

Besides the joints' own angles a family may name angles in the world, seen from the person's side, because
what makes somebody sit, kneel or squat is how limbs lie on the ground: `thigh_lift` (0 hanging, 90 forward),
`shin_back` (0 hanging, 90 pointing backward), `sole` (0 flat, positive toes up), `arm_lift` (0 hanging, 90
forward). They become hip, knee, ankle and shoulder angles for the pitch of the pelvis. Pitch leans forward,
roll to the left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sigmapose.synth.people.angle_ranges import LIMITS_DEG, Range


@dataclass(frozen=True)
class Family:
    """Ranges of the angles of a kind of pose.

    Angles not named keep near rest. `left` and `right` override `both`; the sides swap at random. Arms are
    drawn from those named in `arms`.
    """

    share: float
    arms: str
    both: dict[str, Range] = field(default_factory=dict)
    left: dict[str, Range] = field(default_factory=dict)
    right: dict[str, Range] = field(default_factory=dict)
    trunk: dict[str, Range] = field(default_factory=dict)
    rests_deg: float = 0.0
    """How far the body may turn as a whole until it rests on the ground by itself; 0: it does not."""


_FREE = "down swing front side up hip lap face folded behind any any"
_FOOT = {"shin_back": (0, 14), "sole": (-4, 4)}

FAMILIES: dict[str, Family] = {
    "stand": Family(
        0.06, _FREE,
        {"thigh_lift": (-4, 8), "shin_back": (-3, 8), "sole": (-3, 3), "hip_abduction": (-2, 16),
         "hip_rotation": (-5, 30)},
        trunk={"spine_flexion": (-10, 18), "spine_side": (-10, 10), "spine_twist": (-25, 25),
               "pitch": (-6, 8), "neck_twist": (-60, 60)}),
    "reach": Family(
        0.06, "reach reach reach down front",
        {"thigh_lift": (-12, 30), "shin_back": (-5, 20), "sole": (-35, 3), "hip_abduction": (-2, 25)},
        trunk={"spine_flexion": (-20, 30), "spine_side": (-30, 30), "spine_twist": (-40, 40),
               "pitch": (-10, 50), "neck_flexion": (-40, 10)}),
    "stride": Family(
        0.05, "swing swing down front",
        left={"thigh_lift": (10, 60), "shin_back": (-15, 30), "sole": (-5, 20)},
        right={"thigh_lift": (-28, 0), "shin_back": (20, 90), "sole": (-70, -10)},
        trunk={"spine_twist": (-20, 20), "pitch": (-2, 20)}),
    "bend": Family(
        0.05, "down front swing reach any",
        {"thigh_lift": (-8, 40), "shin_back": (-5, 18), "sole": (-3, 3), "hip_abduction": (0, 20)},
        trunk={"spine_flexion": (5, 60), "spine_twist": (-30, 30), "pitch": (30, 85),
               "neck_flexion": (-30, 15)}),
    "squat": Family(
        0.05, "front down up lap reach any",
        {"thigh_lift": (60, 118), "shin_back": (8, 30), "sole": (-25, 2), "hip_spread": (-4, 45),
         "hip_rotation": (0, 20)},
        trunk={"spine_flexion": (0, 40), "pitch": (5, 45)}),
    "lunge": Family(
        0.04, _FREE, left={"thigh_lift": (50, 95), **_FOOT},
        right={"thigh_lift": (-28, 5), "shin_back": (20, 70), "sole": (-80, -40), "toes": (10, 45)},
        trunk={"pitch": (-5, 40), "spine_twist": (-30, 30)}),
    "side_lunge": Family(
        0.02, _FREE, left={"thigh_lift": (45, 95), "hip_spread": (15, 50), **_FOOT},
        right={"thigh_lift": (-5, 20), "hip_abduction": (30, 48), "knee": (0, 10)},
        trunk={"pitch": (5, 45), "roll": (-5, 15)}),
    "kick": Family(
        0.03, _FREE + " guard guard",
        left={"hip_flexion": (20, 122), "hip_abduction": (0, 48), "hip_spread": (0, 50), "knee": (0, 110)},
        right={"thigh_lift": (-5, 20), "shin_back": (0, 18), "sole": (-3, 3)},
        trunk={"spine_twist": (-40, 40), "pitch": (-30, 20), "roll": (-30, 20)}),
    "guard": Family(
        0.02, "guard",
        left={"thigh_lift": (15, 40), **_FOOT}, right={"thigh_lift": (-18, 10), "shin_back": (15, 40)},
        trunk={"spine_twist": (-40, 40), "pitch": (0, 20), "spine_flexion": (0, 25)}),
    "throw": Family(
        0.03, "throw throw swing_club reach",
        left={"thigh_lift": (10, 60), "shin_back": (-20, 20)},
        right={"thigh_lift": (-20, 15), "shin_back": (5, 50), "sole": (-50, 0)},
        both={"hip_abduction": (5, 30)},
        trunk={"spine_twist": (-40, 40), "spine_side": (-25, 25), "pitch": (-15, 35)}),
    "club": Family(
        0.02, "swing_club", {"thigh_lift": (5, 35), "shin_back": (3, 18), "sole": (-3, 3),
                             "hip_abduction": (5, 20)},
        trunk={"spine_twist": (-40, 40), "spine_flexion": (0, 30), "pitch": (10, 40)}),
    "jump": Family(
        0.03, "up side swing reach any",
        {"hip_flexion": (-20, 100), "hip_abduction": (0, 40), "knee": (0, 110), "ankle": (-45, -10)},
        trunk={"spine_flexion": (-25, 20), "pitch": (-20, 25), "roll": (-15, 15)}),
    "cycle": Family(
        0.02, "front", {"hip_abduction": (-2, 8)}, left={"thigh_lift": (70, 95), "shin_back": (0, 35)},
        right={"thigh_lift": (15, 45), "shin_back": (0, 30)},
        trunk={"pitch": (20, 60), "spine_flexion": (10, 40), "neck_flexion": (-40, -5)}),
    "balance": Family(
        0.02, "up side reach folded hip", right={"thigh_lift": (-3, 8), "shin_back": (-2, 6)},
        left={"thigh_lift": (-20, 100), "knee": (20, 140), "hip_spread": (0, 50), "hip_rotation": (0, 45)},
        trunk={"pitch": (-5, 60), "spine_side": (-10, 10)}),
    "chair": Family(
        0.09, "lap lap front face hip down folded any",
        {"thigh_lift": (78, 100), "shin_back": (-40, 32), "sole": (-20, 8), "hip_spread": (-4, 28)},
        trunk={"spine_flexion": (-10, 35), "pitch": (-25, 15), "spine_twist": (-30, 30)}),
    "chair_lean": Family(
        0.03, "forearms lap face front",
        {"thigh_lift": (80, 98), "shin_back": (-15, 25), "sole": (-10, 5), "hip_spread": (4, 30)},
        trunk={"spine_flexion": (15, 60), "pitch": (5, 24), "neck_flexion": (-30, 30)}),
    "chair_crossed": Family(
        0.03, "lap folded face hip down",
        left={"thigh_lift": (92, 115), "hip_spread": (-18, -10), "shin_back": (-30, 10)},
        right={"thigh_lift": (78, 90), "hip_spread": (-8, 4), "shin_back": (-5, 20), "sole": (-10, 5)},
        trunk={"spine_flexion": (-5, 35), "pitch": (-20, 5), "spine_twist": (-20, 20)}),
    "floor": Family(
        0.04, "lap front behind behind face any",
        {"thigh_lift": (80, 112), "shin_back": (-88, -10), "sole": (-10, 80), "hip_spread": (0, 45),
         "hip_rotation": (0, 40)},
        trunk={"spine_flexion": (5, 50), "pitch": (-25, 20)}, rests_deg=25),
    "cross_legged": Family(
        0.04, "lap lap front face folded",
        {"thigh_lift": (82, 100), "hip_spread": (30, 48), "hip_rotation": (45, 60), "knee": (118, 146),
         "hip_abduction": (-18, -8)},
        trunk={"spine_flexion": (5, 45), "pitch": (-5, 22)}, rests_deg=8),
    "hug_knees": Family(
        0.02, "front lap forearms",
        {"thigh_lift": (118, 136), "shin_back": (-45, -15), "sole": (-10, 5), "hip_spread": (0, 15)},
        trunk={"spine_flexion": (25, 60), "pitch": (-24, -6), "neck_flexion": (0, 40)}, rests_deg=8),
    "side_sit": Family(
        0.02, "prop lap behind", left={"hip_flexion": (70, 100), "hip_rotation": (40, 60),
                                       "hip_spread": (20, 45), "knee": (95, 135),
                                       "hip_abduction": (-18, 0)},
        right={"hip_flexion": (60, 100), "hip_rotation": (-35, -15), "hip_spread": (10, 40),
               "hip_abduction": (10, 40), "knee": (95, 140)},
        trunk={"spine_side": (-20, 20), "spine_twist": (-30, 30), "spine_flexion": (5, 35),
               "pitch": (-5, 20)}, rests_deg=20),
    "kneel": Family(
        0.03, _FREE, {"thigh_lift": (4, 24), "shin_back": (82, 95), "ankle": (-48, -25),
                      "hip_abduction": (-2, 20)},
        trunk={"spine_flexion": (-10, 30), "spine_twist": (-30, 30), "pitch": (-8, 14)}, rests_deg=8),
    "sit_on_heels": Family(
        0.03, "lap lap front prop face", {"thigh_lift": (48, 62), "knee": (136, 148), "ankle": (-48, -30),
                                          "hip_spread": (-2, 22)},
        trunk={"spine_flexion": (0, 40), "pitch": (-10, 40)}, rests_deg=25),
    "half_kneel": Family(
        0.04, _FREE, left={"thigh_lift": (70, 105), **_FOOT},
        right={"thigh_lift": (-12, 15), "shin_back": (80, 98), "ankle": (-45, 10), "toes": (-10, 45)},
        trunk={"spine_flexion": (-5, 35), "spine_twist": (-25, 25), "pitch": (-5, 40)}, rests_deg=10),
    "crawl": Family(
        0.05, "prop prop prop forearms",
        {"thigh_lift": (-15, 30), "shin_back": (85, 100), "ankle": (-48, -20), "hip_abduction": (-2, 18)},
        trunk={"spine_flexion": (-20, 20), "pitch": (70, 95), "neck_flexion": (-40, 15)}, rests_deg=30),
    "plank": Family(
        0.03, "prop prop forearms", {"hip_flexion": (-8, 75), "knee": (0, 40), "ankle": (-10, 22),
                                     "toes": (10, 45), "hip_abduction": (-2, 20)},
        trunk={"spine_flexion": (-15, 20), "pitch": (60, 100), "neck_flexion": (-35, 20)}, rests_deg=45),
    "supine": Family(
        0.05, _FREE, {"hip_flexion": (-12, 100), "knee": (0, 130), "hip_abduction": (-3, 30),
                      "hip_rotation": (-5, 45), "ankle": (-42, 5)},
        trunk={"spine_flexion": (-10, 25), "pitch": (-100, -80), "roll": (-15, 15)}, rests_deg=60),
    "prone": Family(
        0.04, "up front prop forearms down face any", {"hip_flexion": (-15, 30), "knee": (0, 110),
                                                       "hip_abduction": (-3, 40), "ankle": (-48, -10)},
        trunk={"spine_flexion": (-25, 10), "pitch": (80, 100), "neck_flexion": (-40, 5),
               "neck_twist": (-65, 65), "roll": (-15, 15)}, rests_deg=60),
    "side_lying": Family(
        0.04, "front face lap up any", {"hip_flexion": (-5, 90), "knee": (0, 120), "ankle": (-40, 5)},
        trunk={"spine_flexion": (-10, 35), "spine_side": (-15, 15), "spine_twist": (-25, 25),
               "roll": (75, 105)}, rests_deg=60),
    "curled": Family(
        0.03, "front face lap", {"hip_flexion": (85, 122), "knee": (90, 146), "ankle": (-40, 5)},
        trunk={"spine_flexion": (25, 65), "neck_flexion": (5, 40), "roll": (70, 110)}, rests_deg=60),
    "handstand": Family(
        0.03, "handstand", {"hip_flexion": (-15, 40), "knee": (0, 50), "ankle": (-48, -10),
                            "hip_abduction": (-2, 30)},
        left={"hip_flexion": (-20, 80)},
        trunk={"spine_flexion": (-25, 10), "pitch": (160, 200), "neck_flexion": (-40, 5)}),
    "headstand": Family(
        0.02, "headstand", {"hip_flexion": (-12, 90), "knee": (0, 120), "hip_abduction": (-2, 35)},
        trunk={"spine_flexion": (-15, 15), "pitch": (165, 195), "neck_flexion": (-10, 15)}),
    "cartwheel": Family(
        0.02, "handstand handstand up",
        {"hip_abduction": (25, 48), "hip_flexion": (-15, 25), "knee": (0, 20), "ankle": (-48, -15)},
        trunk={"spine_side": (-30, 30), "roll": (60, 200), "pitch": (-15, 15)}),
    "shoulder_stand": Family(
        0.02, "behind down hip", {"hip_flexion": (-10, 110), "knee": (0, 60), "ankle": (-45, 5)},
        trunk={"spine_flexion": (20, 60), "pitch": (-185, -135), "neck_flexion": (30, 45)}),
    "climb": Family(
        0.03, "hang reach pull pull",
        left={"hip_flexion": (40, 122), "hip_spread": (5, 50), "knee": (40, 130)},
        right={"hip_flexion": (-15, 70), "hip_abduction": (5, 40), "hip_rotation": (0, 45),
               "knee": (5, 90)},
        both={"ankle": (-30, 20)},
        trunk={"spine_side": (-25, 25), "spine_twist": (-30, 30), "pitch": (-15, 30),
               "neck_flexion": (-40, 10)}),
    "hang": Family(
        0.02, "hang", {"hip_flexion": (-15, 80), "hip_abduction": (-3, 30), "knee": (0, 110),
                       "ankle": (-45, -5)},
        trunk={"spine_flexion": (-20, 20), "pitch": (-25, 20), "roll": (-15, 15)}),
    "any": Family(
        0.06, "any",
        {n: LIMITS_DEG[n] for n in ("hip_flexion", "hip_abduction", "hip_rotation", "knee", "ankle")},
        trunk={"spine_flexion": (-25, 60), "spine_side": (-30, 30), "spine_twist": (-40, 40),
               "neck_twist": (-60, 60), "pitch": (-60, 90), "roll": (-45, 45)}),
}  # fmt: skip
"""Kinds of poses and the share of each among the invented ones (normalised)."""
