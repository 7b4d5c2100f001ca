"""Names and orders of hand joints: MANO's sixteen joints, and the twenty-one keypoints of OpenPose.

Sources: MANO (Romero et al., 2017) for the joint order; OpenPose's hand model for the keypoint order.
"""

MANO_JOINTS = (
    "wrist",
    "index1", "index2", "index3",
    "middle1", "middle2", "middle3",
    "pinky1", "pinky2", "pinky3",
    "ring1", "ring2", "ring3",
    "thumb1", "thumb2", "thumb3",
)  # fmt: skip

MANO_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)

FINGERS = ("thumb", "index", "middle", "ring", "pinky")

# MANO joint indices of each finger, from the knuckle outwards.
FINGER_JOINTS = {
    "thumb": (13, 14, 15),
    "index": (1, 2, 3),
    "middle": (4, 5, 6),
    "ring": (10, 11, 12),
    "pinky": (7, 8, 9),
}

KEYPOINTS = ("wrist",) + tuple(f"{finger}{k}" for finger in FINGERS for k in (1, 2, 3, 4))

# MANO's sixteen joints followed by the five tips (thumb, index, middle, ring, pinky), picked into OpenPose order.
OPENPOSE_FROM_MANO = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)

KEYPOINT_BONES = tuple((0 if k == 0 else 4 * finger + k, 4 * finger + k + 1) for finger in range(5) for k in range(4))

# Vertex ids of the fingertips on the 778-vertex MANO mesh, in FINGERS order. Two sets are in use in the field:
# "smplx" (also HaMeR and WiLoR) and "manopth" (also FreiHAND-era code, MeshGraphormer and HandRefiner).
MANO_TIP_VERTICES = {
    "smplx": (744, 320, 443, 554, 671),
    "manopth": (745, 317, 444, 556, 673),
}
