"""What the decisions on a version come to."""

from mlplatform.registry.approvals.approval import Decision, judge
from tests.unit.registry.promotions import decision

NOBODY: frozenset[str] = frozenset()


class TestJudge:
    def test_nobody_decided(self):
        verdict = judge([], "ada", NOBODY)
        assert (verdict.approval, verdict.message) == (None, "Nobody approved it.")

    def test_somebody_else_approved(self):
        yes = decision("eve")
        assert judge([yes], "ada", frozenset({"bob"})).approval is yes

    def test_nobody_approves_what_they_promote(self):
        verdict = judge([decision("Ada@example.org")], "ada", NOBODY)
        assert verdict.approval is None
        assert "cannot be the one who promotes it" in verdict.message

    def test_nobody_approves_what_they_made(self):
        verdict = judge([decision("bob")], "ada", frozenset({"bob"}))
        assert verdict.approval is None
        assert "bob approved it and made it" in verdict.message

    def test_an_approval_expires(self):
        verdict = judge([decision("eve", expired=True)], "ada", NOBODY)
        assert verdict.approval is None
        assert "expired on 2026-01-08 00:00 UTC" in verdict.message

    def test_what_does_not_count_leaves_the_decision_before(self):
        good = decision("eve")
        assert judge([decision("ada"), decision("kim", expired=True), good], "ada", NOBODY).approval is good

    def test_the_newest_decision_wins(self):
        no = decision("kim", Decision.REJECTED, reason="it leaks the target")
        verdict = judge([no, decision("eve")], "ada", NOBODY)
        assert verdict.approval is None
        assert "kim rejected it" in verdict.message
        assert "it leaks the target" in verdict.message
        yes = decision("eve")
        assert judge([yes, no], "ada", NOBODY).approval is yes

    def test_what_was_taken_back_does_not_count(self):
        verdict = judge([decision("eve", Decision.REVOKED), decision("eve")], "ada", NOBODY)
        assert verdict.approval is None
        assert "eve revoked it" in verdict.message
