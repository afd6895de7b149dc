from benchmarks.search.peers import PEERS, REQUIREMENTS


class TestRequirements:
    def test_every_version_is_pinned(self):
        lines = [line for path in REQUIREMENTS.glob("*.txt") for line in path.read_text().splitlines()]
        assert [line for line in lines if not line.startswith("#") and "==" not in line] == []

    def test_every_list_is_of_a_peer(self):
        assert {path.stem for path in REQUIREMENTS.glob("*.txt")} == {
            peer.requirements for peer in PEERS if peer.requirements
        }


class TestPeers:
    def test_variants_have_names_of_their_own(self):
        names = [variant.name for peer in PEERS for variant in peer.variants]
        assert len(set(names)) == len(names)
