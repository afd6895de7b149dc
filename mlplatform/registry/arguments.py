"""The command line of promote_model.py. It imports nothing heavy, so that help and usage errors answer at once."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mlplatform.registry.stages import Stage

USAGE_ERROR = 64
"""EX_USAGE of sysexits.h."""
HISTORY = 50
HISTORY_LONGEST = 10_000
VERSION = re.compile(r"[1-9][0-9]{0,8}")
DECISIONS = ("approve", "reject", "revoke")
CHANGES = ("rollback", "history", "delete", *DECISIONS)
"""Options that say what to do; without one of them, `--stage` does."""
REPORTS = (".html", ".json")
EPILOG = """\
examples:
  promote_model.py --model curve_forecaster --stage Production
  promote_model.py --model curve_forecaster --stage Staging --version 7 --reason "better at the long end"
  promote_model.py --model curve_forecaster --version 7 --stage Production --approve
  promote_model.py --model curve_forecaster --rollback --wait-served
  promote_model.py --model curve_forecaster --history
  promote_model.py --model curve_forecaster --version 3 --delete
  promote_model.py verify --repair

who you are: the subject of the token in ML_TOKEN; without one the user of the operating system, or what --actor says.

exit codes:
  0   done, or already so
  2   a gate failed
  3   a precondition failed, such as --expect-current
  4   the approval of another person is missing
  5   the model registry does not answer
  6   done, and serving does not answer with the version (--wait-served)
  64  usage
"""


class Parser(argparse.ArgumentParser):
    """An argument parser that ends with the exit code of usage errors, since 2 says that a gate failed."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and end."""
        self.print_usage()
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line.

    Args:
        argv: Without the name of the program.

    Returns:
        The options, with `command` one of `promote`, `rollback`, `archive`, `delete`, `approve`, `reject`, `revoke`,
        `history`, `verify`.

    Raises:
        SystemExit: The command line makes no sense (64), or asks for help (0).
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    arguments.command = _command(arguments)
    problem = _problem(arguments)
    if problem is not None:
        parser.error(problem)
    return arguments


def _parser() -> Parser:
    parser = Parser(
        prog="promote_model.py",
        description="Move a model version between stages, behind gates and with a history.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("verb", nargs="?", choices=["verify"], help="compare the aliases with the history")
    parser.add_argument("--model", type=_text, metavar="NAME", help="registered model")
    parser.add_argument("--stage", type=_stage, metavar="STAGE", help="where to: Staging, Production or Archived")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--rollback", action="store_true", help="back to the version that was in production before")
    what.add_argument("--history", action="store_true", help="show who moved and approved what, when and why")
    what.add_argument("--approve", action="store_true", help="let another person promote the version")
    what.add_argument("--reject", action="store_true", help="keep the version from being promoted")
    what.add_argument("--revoke", action="store_true", help="take an approval or a rejection back")
    what.add_argument("--delete", action="store_true", help="delete a version that nothing holds")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=_version, metavar="N", help="which version; default: the newest")
    which.add_argument("--run-id", type=_text, metavar="RUN", help="the newest version of this training run")
    parser.add_argument("--reason", type=_text, metavar="TEXT", help="why, for the history")
    parser.add_argument(
        "--expect-current", type=_expected, metavar="N", help="refuse unless this version has the stage, or `none`"
    )
    parser.add_argument("--allow-schema-change", action="store_true", help="callers of the present version may break")
    parser.add_argument(
        "--mode", choices=["enabled", "dry-run"], default="enabled", help="dry-run runs the gates and changes nothing"
    )
    parser.add_argument("--dry-run", action="store_const", const="dry-run", dest="mode", help="the same")
    parser.add_argument("--force", action="store_true", help="archive even the version in production")
    parser.add_argument("--report", type=_report, metavar="FILE", help="write the gate report to a .html or .json file")
    parser.add_argument("--wait-served", action="store_true", help="wait until serving answers with the version")
    parser.add_argument(
        "--actor", type=_text, default=os.environ.get("ML_ACTOR") or None, metavar="WHO", help="your name"
    )
    parser.add_argument("--limit", type=_limit, default=HISTORY, metavar="N", help="rows of --history")
    parser.add_argument("--repair", action="store_true", help="verify: finish or withdraw what was interrupted")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _command(arguments: argparse.Namespace) -> str:
    if arguments.verb is not None:
        return "verify"
    chosen = next((name for name in CHANGES if getattr(arguments, name)), None)
    return chosen or ("archive" if arguments.stage is Stage.ARCHIVED else "promote")


def _problem(arguments: argparse.Namespace) -> str | None:
    """Say what is wrong with options that are right one by one."""
    command, stage = arguments.command, arguments.stage
    asked = stage is not None or any(getattr(arguments, name) for name in CHANGES)
    chosen = arguments.version is not None or arguments.run_id is not None
    gated = command in ("promote", "rollback")
    if command == "verify":
        return "verify takes a --model, --repair and --json, and nothing else to do." if asked else None
    problems = {
        "say what to do: --stage STAGE, --rollback, --history, --approve, --delete, or verify.": not asked,
        "say which model: --model NAME.": arguments.model is None,
        "--repair goes with verify.": arguments.repair,
        f"--stage goes not with --{command}.": stage is not None and command in ("rollback", "history", "delete"),
        f"--{command} is about Staging or Production.": command in DECISIONS and stage is Stage.ARCHIVED,
        f"say which version to {command}: --version N or --run-id RUN.": (
            command in ("archive", "delete", *DECISIONS) and not chosen
        ),
        "--rollback goes to the version before; for another one use --stage Production --version N.": (
            command == "rollback" and chosen
        ),
        "say why: --reason TEXT.": command == "reject" and arguments.reason is None,
        "--force goes with --stage Archived.": arguments.force and command != "archive",
        "--report goes with --stage and --rollback.": arguments.report is not None and not gated,
        "--wait-served goes with --rollback and --stage Production.": arguments.wait_served
        and (not gated or stage is Stage.STAGING),
    }
    return next((problem for problem, present in problems.items() if present), None)


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("must be UTF-8 text") from None
    if not value.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return value


def _stage(value: str) -> Stage:
    try:
        return Stage(value.capitalize())
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(Stage)}, not {value!r}") from None


def _version(value: str) -> str:
    if VERSION.fullmatch(value) is None:
        raise argparse.ArgumentTypeError(f"must be a version number, not {value!r}")
    return value


def _expected(value: str) -> str:
    return value if value == "none" else _version(value)


def _report(value: str) -> Path:
    if Path(value).suffix not in REPORTS:
        raise argparse.ArgumentTypeError("must be the name of a .html or .json file")
    return Path(value)


def _limit(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= len(str(HISTORY_LONGEST))):
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {HISTORY_LONGEST}")
    number = int(value)
    if not 1 <= number <= HISTORY_LONGEST:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {HISTORY_LONGEST}")
    return number
