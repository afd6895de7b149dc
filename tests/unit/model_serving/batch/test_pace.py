"""What is remembered of the time that items take."""

from services.model_serving.batch.scoring.pace import MOST_KNOWN, Paces


class TestPaces:
    def test_jobs_have_their_own(self) -> None:
        paces = Paces()
        paces.of("slow").note(1, 9.0)
        assert not paces.of("slow").suffices(1, 1.0)
        paces.of("fast").note(1, 0.1)
        assert paces.of("fast").suffices(1, 1.0)

    def test_jobs_of_long_ago_are_forgotten(self) -> None:
        paces = Paces()
        kept, gone = paces.of("kept"), paces.of("gone")
        for number in range(MOST_KNOWN - 1):
            paces.of(str(number))
            assert paces.of("kept") is kept
        assert paces.of("gone") is not gone
