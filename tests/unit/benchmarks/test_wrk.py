import pytest

from benchmarks.serving.wrk import WrkError, parse

REPORT = (
    '{"requests":1000,"microseconds":2000000,"p50":1500,"p90":2000,"p99":9250,"longest":20000,'
    '"refused":10,"broken":2,"timeouts":1}'
)


class TestParse:
    def test_reads_the_report_among_other_output(self):
        load = parse(f"Running 2s test\n  1 threads and 8 connections\n{REPORT}\n")
        assert load.requests_per_second == 495  # the refused ones are no predictions
        assert (load.p50, load.p99) == (1.5, 9.25)
        assert load.failed == 13

    def test_output_without_a_report(self):
        with pytest.raises(WrkError, match="unable to connect"):
            parse("unable to connect to 127.0.0.1:1 Connection refused\n")
