from benchmarks.embedding.rate import Rate, medians, slice_of, speed_up


class TestMedians:
    def test_rounds_are_told_too(self):
        rates = [Rate(10.0, 5.0), Rate(30.0, 15.0), Rate(20.0, 10.0)]
        assert medians(rates) == {
            "texts_per_second": 20.0,
            "texts_per_processor_second": 10.0,
            "rounds": [10.0, 30.0, 20.0],
        }


class TestSpeedUp:
    def test_is_the_median_of_the_ratios_of_each_round(self):
        own = [Rate(100.0, 10.0), Rate(10.0, 10.0), Rate(60.0, 10.0)]
        others = [Rate(10.0, 10.0), Rate(5.0, 2.0), Rate(10.0, 5.0)]
        assert speed_up(own, others) == {"clock": 6.0, "processor": 2.0}


class TestSliceOf:
    def test_rounds_take_other_texts_and_begin_anew_at_the_end(self):
        texts = list("abcde")
        assert [slice_of(texts, number, 2) for number in range(3)] == [["a", "b"], ["c", "d"], ["e", "a"]]
