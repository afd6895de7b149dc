"""The versions in memory."""

from services.model_serving.versions.store import LoadedModels
from tests.unit.model_serving.doubles import model_of


class TestSwap:
    def test_a_reader_of_before_sees_the_version_of_before(self) -> None:
        store = LoadedModels(extra_versions=1)
        store.swap(model_of(version="1"))
        before = store.production
        store.swap(model_of(version="2"))
        assert before["model"].identity.version == "1"
        assert store.production["model"].identity.version == "2"

    def test_the_replaced_version_stays_while_there_is_room(self) -> None:
        store = LoadedModels(extra_versions=1)
        first = model_of(version="1")
        store.swap(first)
        assert store.swap(model_of(version="2")) == []
        assert store.find("model", "1") is first

    def test_without_room_the_replaced_version_falls_out(self) -> None:
        store = LoadedModels(extra_versions=0)
        first = model_of(version="1")
        store.swap(first)
        assert store.swap(model_of(version="2")) == [first]
        assert store.find("model", "1") is None

    def test_a_version_that_was_an_extra_one_is_not_kept_twice(self) -> None:
        store = LoadedModels(extra_versions=2)
        store.swap(model_of(version="1"))
        extra = model_of(version="2")
        store.keep(extra)
        fresh = model_of(version="2")
        assert store.swap(fresh) == [extra]
        assert store.find("model", "2") is fresh
        assert [(model.identity.version, role) for model, role in store.loaded()] == [
            ("2", "production"),
            ("1", "extra"),
        ]

    def test_a_version_registered_anew_replaces_the_one_of_its_number(self) -> None:
        store = LoadedModels(extra_versions=2)
        old, new = model_of(version="1"), model_of(version="1")
        store.swap(old)
        assert store.swap(new) == [old]
        assert [model for model, _ in store.loaded()] == [new]


class TestExtras:
    def test_the_least_recently_used_falls_out(self) -> None:
        store = LoadedModels(extra_versions=2)
        first, second, third = (model_of(version=number) for number in "123")
        store.keep(first)
        store.keep(second)
        store.find("model", "1")
        assert store.keep(third) == [second]
        assert store.find("model", "1") is first

    def test_an_unknown_version_is_not_found(self) -> None:
        store = LoadedModels(extra_versions=2)
        store.swap(model_of(version="1"))
        assert store.find("model", "2") is None
        assert store.find("other", "1") is None


class TestHold:
    def test_held_versions_do_not_count_towards_the_number(self) -> None:
        store = LoadedModels(extra_versions=0)
        store.hold({("model", "1"), ("model", "2")})
        assert store.keep(model_of(version="1")) == []
        assert store.keep(model_of(version="2")) == []
        stranger = model_of(version="3")
        assert store.keep(stranger) == [stranger]

    def test_versions_that_are_held_no_more_fall_out(self) -> None:
        store = LoadedModels(extra_versions=0)
        store.hold({("model", "1")})
        model = model_of(version="1")
        store.keep(model)
        assert store.hold(()) == [model]
        assert store.find("model", "1") is None

    def test_held_versions_leave_last(self) -> None:
        store = LoadedModels(extra_versions=4)
        store.hold({("model", "2")})
        held, primary, extra, other = model_of(version="2"), model_of(), model_of(version="3"), model_of(name="other")
        store.keep(held)
        store.swap(primary)
        store.keep(extra)
        store.swap(other)
        assert store.evictable(production=True, held=True) == [primary, extra, other, held]
        assert store.evictable(production=False, held=True) == [extra, held]
        assert store.evictable(production=False, held=False) == [extra]

    def test_what_is_in_production_beside_a_held_version_is_spared_with_it(self) -> None:
        store = LoadedModels(extra_versions=4)
        store.hold({("model", "2")})
        other = model_of(name="other")
        store.swap(model_of())
        store.swap(other)
        assert store.evictable(production=True, held=False) == [other]
