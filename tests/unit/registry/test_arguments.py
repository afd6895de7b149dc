"""The command line of promote_model.py."""

import pytest

from mlplatform.registry.arguments import USAGE_ERROR, parse
from mlplatform.registry.stages import Stage


class TestParse:
    def test_a_promotion(self):
        arguments = parse(["--model", "m", "--stage", "production", "--version", "7", "--expect-current", "none"])
        assert arguments.command == "promote"
        assert arguments.stage is Stage.PRODUCTION
        assert (arguments.version, arguments.expect_current, arguments.mode) == ("7", "none", "enabled")

    @pytest.mark.parametrize(
        ("options", "command"),
        [
            (["--model", "m", "--rollback"], "rollback"),
            (["--model", "m", "--history"], "history"),
            (["--model", "m", "--stage", "Archived", "--run-id", "r"], "archive"),
            (["--model", "m", "--version", "1", "--approve"], "approve"),
            (["--model", "m", "--version", "1", "--stage", "Staging", "--approve"], "approve"),
            (["--model", "m", "--version", "1", "--reject", "--reason", "no"], "reject"),
            (["--model", "m", "--version", "1", "--revoke"], "revoke"),
            (["--model", "m", "--version", "1", "--delete"], "delete"),
            (["verify", "--repair"], "verify"),
            (["verify", "--model", "m"], "verify"),
        ],
    )
    def test_the_other_commands(self, options, command):
        assert parse(options).command == command

    def test_a_dry_run_has_two_spellings(self):
        for spelling in (["--dry-run"], ["--mode", "dry-run"]):
            assert parse(["--model", "m", "--stage", "Staging", *spelling]).mode == "dry-run"

    def test_the_actor_may_come_from_the_environment(self, monkeypatch):
        monkeypatch.setenv("ML_ACTOR", "release-bot")
        assert parse(["verify"]).actor == "release-bot"

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ([], "say what to do"),
            (["--model", "m"], "say what to do"),
            (["--stage", "Production"], "say which model"),
            (["--model", "m", "--stage", "Prod"], "must be one of Staging, Production, Archived"),
            (["--model", "", "--rollback"], "must not be empty"),
            (["--model", "\udcff", "--rollback"], "must be UTF-8 text"),
            (["--model", "m", "--stage", "Staging", "--rollback"], "--stage goes not with --rollback"),
            (["--model", "m", "--history", "--rollback"], "not allowed with"),
            (["--model", "m", "--approve"], "say which version to approve"),
            (["--model", "m", "--approve", "--version", "1", "--stage", "Archived"], "about Staging or Production"),
            (["--model", "m", "--reject", "--version", "1"], "say why"),
            (["--model", "m", "--delete"], "say which version to delete"),
            (["--model", "m", "--stage", "Staging", "--wait-served"], "--wait-served goes with"),
            (["--model", "m", "--history", "--report", "r.html"], "--report goes with"),
            (["--model", "m", "--rollback", "--report", "r.pdf"], "must be the name of a .html or .json file"),
            (["--model", "m", "--stage", "Staging", "--version", "one"], "must be a version number"),
            (["--model", "m", "--stage", "Staging", "--version", "9999999999"], "must be a version number"),
            (["--model", "m", "--stage", "Staging", "--version", "1", "--run-id", "r"], "not allowed with"),
            (["--model", "m", "--stage", "Archived"], "say which version to archive"),
            (["--model", "m", "--stage", "Staging", "--force"], "--force goes with"),
            (["--model", "m", "--rollback", "--version", "1"], "goes to the version before"),
            (["--model", "m", "--rollback", "--repair"], "--repair goes with verify"),
            (["--model", "m", "--history", "--limit", "0"], "must be a number from 1"),
            (["--model", "m", "--history", "--limit", "many"], "must be a number from 1"),
            (["verify", "--rollback"], "nothing else to do"),
            (["--model", "m", "--stage", "Production", "--mode", "maybe"], "invalid choice"),
            (["--model", "m", "--stage", "Production", "--what"], "unrecognized arguments"),
        ],
    )
    def test_what_makes_no_sense_ends_with_the_usage_code(self, options, complaint, capsys):
        with pytest.raises(SystemExit) as ended:
            parse(options)
        assert ended.value.code == USAGE_ERROR
        assert complaint in capsys.readouterr().err

    def test_help_names_the_exit_codes(self, capsys):
        with pytest.raises(SystemExit) as ended:
            parse(["--help"])
        assert ended.value.code == 0
        assert "64  usage" in capsys.readouterr().out
