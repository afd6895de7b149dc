import pytest
from arguments import Arguments, parse_arguments

from mlplatform.training.failures import UsageError


class TestParseArguments:
    def test_only_the_folder_is_needed(self, tmp_path):
        assert parse_arguments([str(tmp_path)]) == Arguments(tmp_path)

    def test_a_model_is_registered_as_what_it_was_made_from_unless_named(self, tmp_path):
        assert parse_arguments([str(tmp_path), "--model", "a"]).registered_name == "a"
        assert parse_arguments([str(tmp_path), "--model", "a", "--model-name", "b"]).registered_name == "b"

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("--version", "newest"),
            ("--held-out", "1.5"),
            ("--negatives", "-1"),
            ("--batch-size", "1"),
            ("--learning-rate", "nan"),
            ("--model-name", "a/b"),
            ("--unknown", "1"),
        ],
    )
    def test_a_wrong_option_is_named(self, tmp_path, option, value):
        with pytest.raises(UsageError, match=option):
            parse_arguments([str(tmp_path), option, value])
