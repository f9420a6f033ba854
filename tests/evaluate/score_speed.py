"""How long 100,000 frames take to score, and how much memory: `python -m evaluate.score_speed` in `tests`."""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

from evaluate.people import LAYOUT, honest
from sigmapose.evaluate.frames import Scored
from sigmapose.evaluate.score import score

BLOCK = 5_000


def many(frames: int, clips: int) -> Scored:
    """`honest` in float32, made in blocks so that making it needs no more memory than scoring it."""
    parts = [honest(BLOCK, clips=1, seed=k, missing=0.02) for k in range(frames // BLOCK)]
    fields = ("predicted_mm", "truth_mm", "cov_mm2", "visibility", "root_mm", "tilt_deg")
    whole = {}
    for name in fields:
        kind = np.int64 if name == "visibility" else np.float32
        whole[name] = np.concatenate([getattr(p, name).astype(kind) for p in parts])
        for p in parts:
            object.__setattr__(p, name, None)
    clip = np.arange(frames) // (frames // clips)
    return Scored(cluster=clip, clip=clip, frame=np.arange(frames) % (frames // clips), **whole)


def main() -> None:
    """Print seconds, peak memory and how many numbers came out, as JSON."""
    people = many(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, 200)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin, used = time.perf_counter(), time.process_time()
    numbers = score(people, LAYOUT, workers=2)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {
        "frames": len(people),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - used, 2),
        "peak_rss_mb": round(peak / 1024),
        "rss_before_mb": round(before / 1024),
        "metrics": sum(not k.endswith("_ci") for k in numbers),
        "intervals": sum(k.endswith("_ci") for k in numbers),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
