"""Cameras, as files and as words."""

from __future__ import annotations

from hostile.case import Case
from hostile.files import DEEP, camera, data, fifo, link, openpose, several, sparse

CAMERA = "lift f_000000_keypoints.json --out out --image-size 640x480 --camera c.json"

CAMERAS = [
    Case("camera missing", openpose(), CAMERA, r"c\.json: no such file"),
    Case("camera empty", several(openpose(), data("c.json", "")), CAMERA, r"c\.json"),
    Case("camera deep", several(openpose(), data("c.json", DEEP)), CAMERA, "nested too deeply"),
    Case("camera a fifo", several(openpose(), fifo("c.json")), CAMERA, "no regular file"),
    Case("camera /dev/zero", several(openpose(), link("c.json", "/dev/zero")), CAMERA, "no regular file"),
    Case("camera 20 GB", several(openpose(), sparse("c.json", 20 << 30)), CAMERA, "has 20480 MB"),
    Case("camera of 400 digits", camera(fx=10**400), CAMERA, "too large|fx"),
    Case("focal length 1e-300", camera(fx=1e-300, fy=1e-300), CAMERA, r"c\.json: camera focal length 1e-300"),
    Case("focal length 1e300", camera(fx=1e300), CAMERA, r"c\.json: fx"),
    Case("focal length 0", camera(fx=0), CAMERA, r"c\.json: fx"),
    Case("focal length negative", camera(fy=-500.0), CAMERA, r"c\.json: fy"),
    Case("focal length NaN", camera(fx=float("nan")), CAMERA, r"c\.json"),
    Case("focal length a word", camera(fx="long"), CAMERA, r"c\.json"),
    Case("focal lengths differ", camera(fy=5000.0), CAMERA, r"c\.json: camera focal length"),
    Case("cx 1e9", camera(cx=1e9), CAMERA, r"c\.json: cx"),
    Case("cx outside", camera(cx=5000.0), CAMERA, "principal point"),
    Case("distortion 1e6", camera(distortion=[1e6, 0, 0, 0]), CAMERA, "distortion 1e"),
    Case("distortion of 3", camera(distortion=[0.1, 0, 0]), CAMERA, "distortion"),
    Case("distortion a word", camera(distortion="barrel"), CAMERA, r"c\.json"),
    Case("fisheye", camera(model="fisheye"), CAMERA, "fisheye"),
    Case("size infinite", camera(width=float("inf"), height=480), CAMERA, r"c\.json: .*width"),
    Case("size of another shape", camera(width=480, height=640), CAMERA, "made for pictures of 480x640"),
    Case("unknown key of a lens", camera(distortion_k7=0.5), CAMERA, "distortion_k7"),
    Case(
        "yaml bomb",
        several(openpose(), data("c.yaml", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n")),
        CAMERA.replace(
            "json --out out --image-size 640x480 --camera c.json",
            "json --out out --image-size 640x480 --camera c.yaml",
        ),
        r"c\.yaml",
    ),
    Case(
        "xml with an outside entity",
        several(
            openpose(), data("c.xml", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')
        ),
        "lift f_000000_keypoints.json --out out --image-size 640x480 --camera c.xml",
        r"c\.xml",
    ),
    Case(
        "xml of a billion laughs",
        several(
            openpose(),
            data(
                "c.xml",
                "<!DOCTYPE a [<!ENTITY a 'ha'>"
                + "".join(f"<!ENTITY {chr(98 + k)} '{('&' + chr(97 + k) + ';') * 50}'>" for k in range(9))
                + "]><a>&j;</a>",
            ),
        ),
        "lift f_000000_keypoints.json --out out --image-size 640x480 --camera c.xml",
        r"c\.xml",
    ),
    Case(
        "toml broken",
        several(openpose(), data("c.toml", "[cam\nmatrix = 1")),
        "lift f_000000_keypoints.json --out out --image-size 640x480 --camera c.toml",
        r"c\.toml",
    ),
    *(
        Case(
            f"--camera {text}",
            openpose(),
            f"lift f_000000_keypoints.json --out out --image-size 640x480 --camera {text}",
            "camera",
        )
        for text in (
            "fov=180",
            "fov=0",
            "fov=-5",
            "fov=nan",
            "fov=1e-300",
            "fov=179.99999",
            "f=0",
            "f=1e9",
            "f=1e-9",
            "f=inf",
            "f=",
            "k=",
            "zoom=3",
            "fov=60;rm",
        )
    ),
]
