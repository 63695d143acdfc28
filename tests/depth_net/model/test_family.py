from depth_net.model.family import ModelType


def test_families_have_the_names_that_specs_use() -> None:
    assert [family.value for family in ModelType] == ["RelativeDepthAnything", "MetricDepthAnything"]
