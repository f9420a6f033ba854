"""The renderer on the real body model, whose first load on a machine takes minutes."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.skeleton import BODY_26
from sigmapose.synth.people.bodies import BodyCorpus, build_bodies, load_meshes
from sigmapose.synth.render.appearance import ARM, FOOT, HAND, HEAD, LEG, TRUNK, BodyAtlas
from sigmapose.synth.render.cameras import ViewRange, sample_crops, sample_views
from sigmapose.synth.render.cutouts import PictureFolder
from sigmapose.synth.render.studio import SceneRange, Studio

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> BodyCorpus:
    return build_bodies(None, 6, 0, tmp_path_factory.mktemp("corpus"))


def test_every_part_of_the_body_has_a_name() -> None:
    atlas = BodyAtlas.load()
    share = np.bincount(atlas.face_part, minlength=6) / len(atlas.faces)
    assert (share[[TRUNK, HEAD, ARM, HAND, LEG, FOOT]] > 0.02).all()
    rest = atlas.coordinates[:, 6:]
    assert rest[atlas.vertex_part == HEAD, 2].min() > rest[atlas.vertex_part == LEG, 2].max()
    assert np.abs(rest[atlas.vertex_part == HAND, 0]).min() > np.abs(rest[atlas.vertex_part == HEAD, 0]).max()


def test_joints_lie_on_the_rendered_person(corpus: BodyCorpus) -> None:
    studio = Studio(BodyAtlas.load(), PictureFolder(), PictureFolder(), SceneRange(clean=True))
    views = sample_views(np.random.default_rng(0), corpus.joints_mm, ViewRange(inside_share=1.0))
    crops = sample_crops(np.random.default_rng(0), views.points_px)
    meshes = load_meshes(corpus, np.arange(6)).vertices_mm
    points = crops.to_crop(views.points_px)
    inner = [
        j for j, n in enumerate(BODY_26.joints) if n.endswith(("knee", "hip", "shoulder", "neck", "ankle"))
    ]
    on = []
    for i in range(6):
        shot = studio.shoot(np.random.default_rng(i), meshes[i], views, crops, i, float(corpus.stature_mm[i]))
        cell = np.floor((points[i, inner] + 0.5) * 256).astype(int)
        cell = cell[((cell >= 0) & (cell < 256)).all(1)]
        on.append(shot.person[cell[:, 1], cell[:, 0]])
    assert np.concatenate(on).mean() > 0.97
