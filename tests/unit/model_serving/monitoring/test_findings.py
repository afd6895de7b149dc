"""What is stored about the columns of a window."""

from dataclasses import replace

import pandas as pd

from mlplatform.monitoring.columns import to_columns
from mlplatform.monitoring.drift import compare
from mlplatform.monitoring.profile import make_profile
from services.model_serving.monitoring.findings import column_findings


class TestColumns:
    def test_one_whose_figures_are_no_numbers_is_left_out(self) -> None:
        frame = pd.DataFrame({"a": [float(n) for n in range(100)], "b": [float(n) / 3 for n in range(100)]})
        profile = make_profile(frame)
        [first, second] = compare(profile, to_columns(frame), {})
        found = column_findings(profile, [replace(first, statistic=float("nan"), p=float("nan")), second])
        assert [column["name"] for column in found] == ["b"]
