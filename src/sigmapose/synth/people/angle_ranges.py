"""Ranges of joint angles in degrees: the limits of joints, and what arms do."""

from __future__ import annotations

Range = tuple[float, float]

LIMITS_DEG: dict[str, Range] = {
    "spine_flexion": (-25, 75), "spine_side": (-30, 30), "spine_twist": (-40, 40),
    "neck_flexion": (-40, 45), "neck_side": (-30, 30), "neck_twist": (-65, 65),
    "shoulder_plane": (-35, 115), "shoulder_elevation": (0, 175), "shoulder_twist": (-60, 60),
    "elbow": (0, 145), "forearm_twist": (-70, 70), "wrist_flexion": (-55, 60), "wrist_side": (-20, 25),
    "hip_flexion": (-20, 122), "hip_abduction": (-18, 48), "hip_rotation": (-35, 60), "hip_spread": (-18, 50),
    "knee": (0, 148), "ankle": (-48, 22), "foot_turn": (-15, 15), "collar_lift": (-5, 22), "toes": (-15, 45),
}  # fmt: skip
"""Joint ranges of healthy adults, rounded and mostly kept inside the means. Hip flexion and extension, knee,
ankle, shoulder flexion, elbow, forearm: Soucie et al. 2011 (Haemophilia 17:500), means of ages 20 to 44. Hip
abduction and rotation, wrist, trunk, neck, toes: American Academy of Orthopaedic Surgeons, Joint Motion
(1965). The knee adds what body weight bends it further in a deep squat, the ankle what the midfoot gives.
Elevation counts from the arm hanging; plane 0 is forward, 90 sideways. `hip_spread` opens a lifted thigh
sideways about the body's long axis. Hip rotation goes beyond the 45 degrees of the table, as in people who
sit cross-legged; of a lifted thigh, abduction turns the shin outward."""
SIDED_ANGLES = tuple(name for name in LIMITS_DEG if not name.startswith(("spine", "neck")))
ROOT_ANGLES = ("pitch", "roll", "yaw")
WORLD_ANGLES = ("thigh_lift", "shin_back", "sole", "arm_lift")

ARMS: dict[str, dict[str, Range]] = {
    "down": {"shoulder_plane": (20, 100), "shoulder_elevation": (2, 22), "elbow": (2, 45)},
    "swing": {"shoulder_plane": (-30, 60), "shoulder_elevation": (5, 55), "elbow": (10, 100)},
    "front": {"shoulder_plane": (-10, 50), "shoulder_elevation": (35, 110), "elbow": (0, 115)},
    "side": {"shoulder_plane": (60, 110), "shoulder_elevation": (40, 110), "elbow": (0, 90)},
    "up": {"shoulder_plane": (0, 100), "shoulder_elevation": (110, 172), "elbow": (0, 80),
           "collar_lift": (5, 22)},
    "hip": {"shoulder_plane": (70, 105), "shoulder_elevation": (35, 55), "elbow": (80, 115),
            "shoulder_twist": (35, 60)},
    "lap": {"shoulder_plane": (-5, 40), "shoulder_elevation": (15, 50), "elbow": (35, 95),
            "shoulder_twist": (-30, 30)},
    "face": {"shoulder_plane": (-10, 45), "shoulder_elevation": (25, 70), "elbow": (105, 145)},
    "behind": {"shoulder_plane": (80, 115), "shoulder_elevation": (12, 40), "elbow": (0, 60),
               "shoulder_twist": (-60, 0)},
    "folded": {"shoulder_plane": (-5, 20), "shoulder_elevation": (25, 50), "elbow": (95, 125),
               "shoulder_twist": (-60, -35)},
    "prop": {"shoulder_plane": (-10, 35), "arm_lift": (-15, 20), "elbow": (0, 25), "wrist_flexion": (-20, 20),
             "collar_lift": (0, 10)},
    "forearms": {"shoulder_plane": (0, 25), "arm_lift": (-10, 25), "elbow": (75, 105)},
    "reach": {"shoulder_plane": (-20, 110), "shoulder_elevation": (60, 175), "elbow": (0, 25),
              "collar_lift": (0, 22)},
    "handstand": {"shoulder_plane": (0, 40), "shoulder_elevation": (155, 175), "elbow": (0, 15),
                  "collar_lift": (10, 22)},
    "headstand": {"shoulder_plane": (0, 40), "shoulder_elevation": (110, 150), "elbow": (80, 125)},
    "hang": {"shoulder_plane": (0, 90), "shoulder_elevation": (140, 175), "elbow": (0, 50),
             "collar_lift": (10, 22)},
    "pull": {"shoulder_plane": (20, 80), "shoulder_elevation": (60, 140), "elbow": (50, 135)},
    "guard": {"shoulder_plane": (0, 45), "shoulder_elevation": (30, 75), "elbow": (80, 130)},
    "swing_club": {"shoulder_plane": (-35, 0), "shoulder_elevation": (30, 100), "elbow": (0, 50)},
    "throw": {"shoulder_plane": (70, 115), "shoulder_elevation": (75, 130), "elbow": (40, 115),
              "shoulder_twist": (20, 60)},
    "any": {n: LIMITS_DEG[n] for n in ("shoulder_plane", "shoulder_elevation", "elbow", "shoulder_twist")},
}  # fmt: skip
