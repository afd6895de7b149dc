"""The command line: what it accepts, and that asking for help is cheap."""

import subprocess
import sys
from pathlib import Path

import pytest
from options import parse_options
from train import main

from mlplatform.training.failures import UsageError

TYPES = ["--curve-type", "yield", "--model-type", "ridge"]
FOLDER = Path(__file__).parents[3] / "training" / "curve_forecaster"


class TestParseOptions:
    def test_defaults(self):
        options = parse_options(TYPES)
        assert (options.seed, options.lookback, options.folds, options.tune) == (7, 20, 5, 0)
        assert options.horizons == tuple(range(1, 11))
        assert (options.experiment, options.model_name) == ("curve_forecaster", "curve_forecaster")
        assert options.data is None
        assert not options.dry_run

    @pytest.mark.parametrize(
        ("text", "horizons"), [("1..3", (1, 2, 3)), ("5", (5,)), ("10,1,5", (1, 5, 10))], ids=["range", "one", "list"]
    )
    def test_horizons(self, text, horizons):
        assert parse_options([*TYPES, "--horizons", text]).horizons == horizons

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--curve-type", "bond", "--model-type", "ridge"], "bond"),
            (["--model-type", "ridge"], "--curve-type"),
            ([*TYPES, "--folds", "0"], "at least 1"),
            ([*TYPES, "--lookback", "2"], "at least 3"),
            ([*TYPES, "--seed", "-1"], "between 0 and"),
            ([*TYPES, "--tune", "many"], "'many' is not a whole number"),
            ([*TYPES, "--horizons", "0..3"], "at least 1"),
            ([*TYPES, "--horizons", "5,5"], "each once"),
            ([*TYPES, "--horizons", "soon"], "neither a range"),
            ([*TYPES, "--model-name", "a/b"], "is not a name"),
            ([*TYPES, "--dry"], "--dry"),
        ],
    )
    def test_refusal_names_what_is_wrong(self, arguments, said):
        with pytest.raises(UsageError, match=said):
            parse_options(arguments)


class TestMain:
    def test_usage_error_ends_with_64(self, capsys):
        assert main([*TYPES, "--folds", "none"]) == 64
        assert "--folds" in capsys.readouterr().err

    def test_help_imports_no_learner(self):
        script = (
            "import sys, train\n"
            "try: train.main(['--help'])\n"
            "except SystemExit: pass\n"
            "sys.exit(any(name in sys.modules for name in ('mlflow', 'numpy', 'pandas', 'rich', 'sklearn')))"
        )
        answer = subprocess.run([sys.executable, "-c", script], cwd=FOLDER, capture_output=True, check=False, text=True)
        assert answer.returncode == 0, answer.stderr
        assert "--curve-type" in answer.stdout
