"""Runs from the command line that need no server."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from train import main

SMALL = ["--rows", "200", "--lookback", "10", "--horizons", "1,5", "--folds", "2"]
DATA = os.environ.get("ML_DATA_DIR")
TREASURY = sorted(Path(DATA, "treasury").glob("*.csv")) if DATA else []


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.setenv("ML_MLFLOW_URL", "http://127.0.0.1:1")


@pytest.fixture
def dry_run(capsys):
    """Train without logging; return the JSON document and what was said."""

    def run(*arguments):
        assert main([*arguments, "--dry-run", "--json"]) == 0
        output = capsys.readouterr()
        return json.loads(output.out), output.err

    return run


class TestDryRun:
    @pytest.mark.parametrize("curve", ["yield", "commodity", "fx"])
    @pytest.mark.parametrize("model", ["ridge", "lightgbm", "random_forest", "ensemble"])
    def test_every_curve_and_model(self, dry_run, curve, model):
        summary, said = dry_run("--curve-type", curve, "--model-type", model, *SMALL)
        assert summary["registered"] is None
        assert summary["metrics"]["rmse"] > 0
        assert sum(summary["weights"].values()) == pytest.approx(1, abs=1e-5)
        assert "… fold 1 of 2" in said
        assert "nothing was logged or registered" in said

    def test_same_seed_same_metrics(self, dry_run):
        command = ["--curve-type", "yield", "--model-type", "ensemble", *SMALL]
        first, second, other = (dry_run(*command, "--seed", seed)[0] for seed in ("3", "3", "4"))
        assert first == second
        assert first["metrics"]["rmse"] != other["metrics"]["rmse"]

    def test_report(self, capsys):
        assert main(["--curve-type", "yield", "--model-type", "ridge", *SMALL, "--dry-run"]) == 0
        said = capsys.readouterr().out
        assert "Yield curve from simulation (seed 7): 200 days, 2021-01-04 to 2021-10-08, 13 tenors" in said
        assert "Walk-forward errors on days not trained on (percentage points)" in said
        assert "Skill is 1 - RMSE / RMSE of holding the last curve." in said
        assert "weights for serving: ridge 1.00" in said

    def test_tuning(self, dry_run):
        _, said = dry_run("--curve-type", "yield", "--model-type", "ridge", "--tune", "2", *SMALL[2:], "--rows", "400")
        assert "… trial 2 of 2" in said
        assert "tuning: 2 trials, 0 failed; best is trial" in said


class TestInterrupt:
    def test_ends_with_130(self, capsys, monkeypatch):
        def interrupted(_):
            raise KeyboardInterrupt

        monkeypatch.setattr("pipeline.run", interrupted)
        assert main(["--curve-type", "yield", "--model-type", "ridge"]) == 130
        assert "interrupted" in capsys.readouterr().err


class TestServer:
    def test_unreachable_ends_with_5_before_training(self, capsys):
        assert main(["--curve-type", "yield", "--model-type", "ridge", *SMALL]) == 5
        output = capsys.readouterr()
        assert "MLflow at http://127.0.0.1:1 does not answer" in output.err
        assert "fold" not in output.out

    def test_setting_of_the_wrong_form_ends_with_64(self, capsys, monkeypatch):
        monkeypatch.setenv("ML_MLFLOW_URL", "nowhere")
        assert main(["--curve-type", "yield", "--model-type", "ridge", *SMALL]) == 64
        assert "ML_MLFLOW_URL" in capsys.readouterr().err


@pytest.mark.skipif(not TREASURY, reason="ML_DATA_DIR names no folder with treasury/*.csv")
class TestTreasury:
    @pytest.fixture(scope="class")
    @staticmethod
    def frame():
        return pd.read_csv(TREASURY[0], index_col="Date", parse_dates=True).sort_index()

    def test_errors_are_on_published_yields_only(self, dry_run, frame):
        """Counted and computed again from the file, for the tenors that have no blanks."""
        summary, said = dry_run("--curve-type", "yield", "--model-type", "ridge", "--data", str(TREASURY[0]))
        whole = frame.loc[:, frame.notna().all()].to_numpy()
        days, first = len(whole), np.linspace(int(0.4 * len(whole)), len(whole), 7).astype(int)[1]
        errors = [
            whole[origin + ahead] - whole[origin] for ahead in range(1, 11) for origin in range(first, days - ahead)
        ]
        for position, tenor in enumerate(frame.columns[frame.notna().all()]):
            name = f"tenor/{tenor.replace(' ', '_')}"
            assert summary["metrics"][f"{name}/observations"] == len(errors)
            expected = np.sqrt(np.mean([error[position] ** 2 for error in errors]))
            assert summary["metrics"][f"{name}/persistence_rmse"] == pytest.approx(expected)
        assert f"{days} days" in said

    def test_tenors_with_blanks(self, dry_run, frame):
        summary, said = dry_run("--curve-type", "yield", "--model-type", "ridge", "--data", str(TREASURY[0]))
        never = [tenor for tenor in frame if not frame[tenor].notna().any()]
        for tenor in never:
            assert f"{tenor}: 0 observations in {len(frame)} days, fewer than 120" in said
            assert f"tenor/{tenor.replace(' ', '_')}/rmse" not in summary["metrics"]
        late = [tenor for tenor in frame if frame[tenor].isna().iloc[0] and tenor not in never]
        for tenor in late:
            observations = summary["metrics"][f"tenor/{tenor.replace(' ', '_')}/observations"]
            assert 0 < observations < summary["metrics"]["tenor/10_Yr/observations"]

    def test_no_claim_beyond_the_evidence(self, dry_run):
        summary, _ = dry_run("--curve-type", "yield", "--model-type", "ensemble", "--data", str(TREASURY[0]))
        metrics = summary["metrics"]
        assert metrics["skill_low"] < metrics["skill"] < metrics["skill_high"]
        assert abs(metrics["skill"]) < 0.05
