from benchmarks.serving.environments import REQUIREMENTS, cuda_packages


class TestCudaPackages:
    def test_names_what_brings_cuda(self):
        output = (
            "Collecting torch\nWould install nvidia-cublas-cu12-12.8.4.1 numpy-2.4.6 triton-3.5.0 cuda-bindings-12.9\n"
        )
        assert cuda_packages(output) == ["nvidia-cublas-cu12", "triton", "cuda-bindings"]

    def test_reader_of_a_cards_state_is_allowed(self):
        assert cuda_packages("Would install nvidia-ml-py-13.615.71 numpy-2.4.6 nvtx-0.2\n") == []

    def test_nothing_to_install(self):
        assert cuda_packages("Requirement already satisfied: numpy\n") == []


class TestRequirements:
    def test_every_version_is_pinned(self):
        lists = {path.name: path.read_text().splitlines() for path in REQUIREMENTS.glob("*.txt")}
        assert len(lists) == 5
        loose = [
            (name, line)
            for name, lines in lists.items()
            for line in lines
            if not line.startswith("#") and "==" not in line
        ]
        assert loose == []
