"""Drawn scenes."""

import numpy as np
import pytest
from scenes import LABELS, MOST_OVERLAP, digest, draw_scenes, iou


@pytest.fixture(scope="module")
def scenes():
    return draw_scenes(30, 64, seed=3, advance=lambda _: None)


class TestDrawScenes:
    def test_the_seed_decides_all(self, scenes):
        assert digest(draw_scenes(30, 64, seed=3, advance=lambda _: None)) == digest(scenes)
        assert digest(draw_scenes(30, 64, seed=4, advance=lambda _: None)) != digest(scenes)

    def test_boxes_are_inside_and_hardly_overlap(self, scenes):
        for scene in scenes:
            assert 1 <= len(scene.boxes) == len(scene.classes) <= 5
            assert (scene.boxes >= 0).all()
            assert (scene.boxes <= 1).all()
            assert (scene.boxes[:, 2:] > scene.boxes[:, :2]).all()
            apart = iou(scene.boxes, scene.boxes) - np.eye(len(scene.boxes))
            assert apart.max() <= MOST_OVERLAP + 1e-9

    def test_every_class_occurs(self, scenes):
        assert set(np.concatenate([scene.classes for scene in scenes])) == set(range(len(LABELS)))


class TestIou:
    def test_known_overlaps(self):
        one = np.array([[0.0, 0.0, 0.5, 0.5]])
        others = np.array([[0.0, 0.0, 0.5, 0.5], [0.25, 0.0, 0.75, 0.5], [0.5, 0.5, 1.0, 1.0]])
        assert iou(one, others)[0] == pytest.approx([1, 1 / 3, 0])
