"""Surfaces that the rasteriser draws, and what they are made of.

All meshes of a picture share one frame: the camera's (x right, y down, z forward, millimetres). Faces wind so
that (b - a) x (c - a) points outwards. Colours are linear RGB in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float, Int, UInt8

Colour = tuple[float, float, float]

KINDS = ("plain", "stripes", "vertical", "checks", "blotches", "halves", "wood", "noise", "picture")
"""Patterns; a material's kind is one of them."""


@dataclass(frozen=True, repr=False)
class Material:
    """A solid texture: two colours and how they alternate over a mesh's `coordinates`."""

    kind: str = "plain"
    base: Colour = (0.5, 0.5, 0.5)
    second: Colour = (0.5, 0.5, 0.5)
    period_m: float = 0.1
    """Length of the pattern; a picture's width."""
    phase: Colour = (0.0, 0.0, 0.0)
    """Shift along the three coordinates, radians of a period."""
    gloss: float = 0.0
    """0 = matt, 1 = polished."""
    fold: float = 0.0
    """Folds, as a tilt of the normals: about 0.1-0.4 for cloth."""
    double_sided: bool = False
    """True for open surfaces (cloth, paper), False for closed ones, whose insides are never seen."""
    picture: UInt8[Array, "height width 3"] | None = None
    """Only of kind "picture": RGB display values, laid over coordinates x and y, y up, and repeated."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"unknown kind of material {self.kind!r}: give one of {', '.join(KINDS)}")
        if (self.kind == "picture") != (self.picture is not None):
            raise DataError("a material of kind 'picture', and no other, needs a picture")

    def __repr__(self) -> str:
        return f"Material({self.kind})"


@dataclass(frozen=True)
class BodyLook:
    """What a body wears, by the coordinates of its atlas (see `BodySurface`)."""

    skin: Colour
    hair: Colour
    upper: Material
    lower: Material
    shoes: Colour
    barefoot: bool
    bald: bool
    hair_line: float
    hair_length: float
    sleeve: float
    """Arm coordinate where the sleeve ends."""
    hem: float
    """Leg coordinate where the trousers end."""
    waist: float
    """Trunk coordinate where the shirt ends."""
    neckline: float
    """Trunk coordinate where the shirt begins."""
    seed: int = 0
    """Decides the folds."""


@dataclass(frozen=True, repr=False)
class BodySurface:
    """What makes a mesh a person's body; the mesh's materials are then not used."""

    atlas: Float[Array, "vertex 6"]
    """Arm, leg, trunk, head x, y, z: the first six channels of `BodyAtlas.coordinates`."""
    part: Int[Array, " face"]
    """TRUNK, HEAD, ARM, HAND, LEG or FOOT."""
    eye: Bool[Array, " face"]
    look: BodyLook


@dataclass(frozen=True, repr=False)
class Mesh:
    """One surface."""

    vertices_mm: Float[Array, "vertex 3"]
    faces: Int[Array, "face 3"]
    materials: tuple[Material, ...] = field(default=(Material(),))
    material: Int[Array, " face"] | None = None
    """Index into `materials` for every face; None: all 0."""
    coordinates: Float[Array, "vertex 3"] | None = None
    """Texture coordinates in metres that move with the surface (a body's rest position, x left, y back, z up;
    a thing's own axes); None: the vertices."""
    normals: Float[Array, "vertex 3"] | None = None
    """Unit, outwards; None: smooth ones are computed. Give duplicated vertices to a mesh with sharp edges."""
    body: BodySurface | None = None

    def __post_init__(self) -> None:
        vertices, faces = self.vertices_mm, self.faces
        if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
            raise DataError(
                f"mesh has vertices {vertices.shape} and faces {faces.shape}: give (V, 3) and (F, 3)"
            )
        for name, size in (
            ("coordinates", len(vertices)),
            ("normals", len(vertices)),
            ("material", len(faces)),
        ):
            values = getattr(self, name)
            if values is not None and len(values) != size:
                raise DataError(f"mesh has {len(values)} {name}, expected {size}")

    def __repr__(self) -> str:
        return f"Mesh({len(self.vertices_mm)} vertices, {len(self.faces)} faces)"
