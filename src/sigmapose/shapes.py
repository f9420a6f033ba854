"""Names for array annotations: `Float[Array, "*batch 3"]`.

jaxtyping checks shapes in the tests and nowhere else, so it is no runtime dependency. Annotations are never
evaluated (`from __future__ import annotations`) unless the jaxtyping import hook is active, and then
jaxtyping is loaded already.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

Array = np.ndarray

if TYPE_CHECKING:
    from jaxtyping import Bool as Bool
    from jaxtyping import Float as Float
    from jaxtyping import Int as Int
    from jaxtyping import UInt8 as UInt8
    from jaxtyping import UInt16 as UInt16
elif "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Int, UInt8, UInt16
else:
    Bool = Float = Int = UInt8 = UInt16 = None

__all__ = ["Array", "Bool", "Float", "Int", "UInt8", "UInt16"]
