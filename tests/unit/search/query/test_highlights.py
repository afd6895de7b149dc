from services.search.query.highlights import GAP, START, STOP, read_highlights


def marked(highlight):
    return [highlight["text"][start:end] for start, end in highlight["marks"]]


class TestReadHighlights:
    def test_marks_are_places_in_the_plain_text(self):
        (found,) = read_highlights(f"a {START}red{STOP} and {START}round{STOP} apple")

        assert found["text"] == "a red and round apple"
        assert marked(found) == ["red", "round"]

    def test_passages_without_a_mark_are_left_out(self):
        found = read_highlights(f"nothing here{GAP}a {START}red{STOP} apple")

        assert [highlight["text"] for highlight in found] == ["a red apple"]

    def test_markup_of_the_text_stays_text(self):
        (found,) = read_highlights(f"<script>{START}alert{STOP}</script>")

        assert (found["text"], marked(found)) == ("<script>alert</script>", ["alert"])

    def test_places_count_code_points(self):
        (found,) = read_highlights(f"😀 {START}café{STOP}")

        assert found["marks"] == [(2, 6)]

    def test_no_headline_gives_none(self):
        assert read_highlights("") == []
