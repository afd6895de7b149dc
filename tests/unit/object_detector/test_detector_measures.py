"""Average precision and confidence."""

import numpy as np
import pytest
from detector_measures import fit_confidence, match, measure
from scenes import LABELS, Scene, draw_scenes


def scene_of(*boxes, classes):
    return Scene(np.zeros((8, 8, 3), dtype=np.uint8), np.array(boxes), np.array(classes, dtype=np.intp))


def found(*rows):
    return np.array(rows, dtype=float)


LEFT, RIGHT = (0.0, 0.0, 0.4, 0.4), (0.6, 0.6, 1.0, 1.0)


class TestMatch:
    def test_an_object_is_found_once_by_the_surest(self):
        scene = scene_of(LEFT, classes=[0])
        right = match(scene, found((*LEFT, 0, 0.5), (*LEFT, 0, 0.9), (*LEFT, 1, 0.95), (*RIGHT, 0, 0.99)))
        assert right.tolist() == [False, True, False, False]


class TestMeasure:
    def test_boxes_as_they_are_have_full_marks(self):
        scenes = draw_scenes(20, 64, seed=1, advance=lambda _: None)
        answers = np.zeros((20, 5, 6))
        for place, scene in enumerate(scenes):
            answers[place, : len(scene.boxes)] = [
                (*box, kind, 1.0) for box, kind in zip(scene.boxes, scene.classes, strict=True)
            ]
        assert measure(scenes, answers).metrics() == {
            "map_50": pytest.approx(1),
            "precision": 1.0,
            "recall": 1.0,
            "calibration_error": pytest.approx(0),
            **{f"ap_50.{label}": pytest.approx(1) for label in LABELS},
        }

    def test_average_precision_by_hand(self):
        scene = scene_of(LEFT, RIGHT, classes=[0, 0])
        first = measure([scene], found((*LEFT, 0, 0.9), (0.4, 0.0, 0.6, 0.2, 0, 0.8), (*RIGHT, 0, 0.7))[None]).curves[0]
        assert first.precision == pytest.approx([1, 1 / 2, 2 / 3])
        assert first.recall == pytest.approx([1 / 2, 1 / 2, 1])
        assert first.average == pytest.approx(1 / 2 + 2 / 3 / 2)

    def test_nothing_found(self):
        found_nothing = measure([scene_of(LEFT, classes=[0])], np.zeros((1, 4, 6)))
        assert found_nothing.metrics()["map_50"] == 0
        assert found_nothing.recall == 0


class TestFitConfidence:
    def test_confidence_that_is_too_low_is_raised(self):
        chance = np.random.default_rng(1)
        scenes = [scene_of(LEFT, classes=[0])] * 600
        boxes = [LEFT if chance.random() < 0.8 else RIGHT for _ in scenes]
        answers = np.array([[(*box, 0, 0.3 + 0.01 * chance.random())] for box in boxes])
        scale, shift = fit_confidence(scenes, answers)
        middle = np.log(0.305 / 0.695)
        assert 1 / (1 + np.exp(-(scale * middle + shift))) == pytest.approx(0.8, abs=0.05)

    def test_nothing_to_learn_from(self):
        assert fit_confidence([scene_of(LEFT, classes=[0])], found((*LEFT, 0, 0.9))[None]) == (1.0, 0.0)
