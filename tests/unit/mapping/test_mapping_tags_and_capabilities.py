"""Tags are a set of texts; `__support_*` keys are flags or lists of models (semantics 3.1)."""

import pytest
from mapping_records import RULES, capability, mapped, mapped_json

from catalog.fields import CAPABILITIES
from catalog.mapping import map_document
from catalog.model import CapabilityValue


def test_tags_are_stored_exactly_as_delivered_each_once() -> None:
    image = mapped(tags=["Prod", "prod", " prod", "prod", "a=b=c", "caf\u00e9", "cafe\u0301", "true"])
    assert set(image.tags) == {"Prod", "prod", " prod", "a=b=c", "caf\u00e9", "cafe\u0301", "true"}
    assert len(image.tags) == 7


def test_the_order_and_number_of_equal_tags_mean_nothing() -> None:
    assert mapped(tags=["b", "a", "b"]) == mapped(tags=["a", "b"])
    assert '"tags":["a","b"]' in mapped(tags=["b", "a", "b"]).document


@pytest.mark.parametrize("tags", ["a,b", 5, True])
def test_tags_that_are_no_list_give_no_rows_and_a_warning(tags: object) -> None:
    image = mapped(tags=tags)
    assert image.tags == ()
    assert image.properties == ()
    assert '"tags":' in image.document
    assert len(image.warnings) == 1


def test_tags_that_are_no_text_give_no_rows_and_a_warning() -> None:
    image = mapped(tags=["b", 5, None, {"name": "k"}, "", "a", 5])
    assert image.tags == ("a", "b")
    assert '"tags":["","a","b",5,{"name":"k"}]' in image.document
    assert len(image.warnings) == 1


def test_a_null_among_tags_says_nothing() -> None:
    assert mapped(tags=["b", None, "a", None]) == mapped(tags=["a", "b"])
    assert mapped(tags=[None]) == mapped(tags=[])


def test_tags_are_a_set_whatever_else_is_among_them() -> None:
    odd = ["b", {"z": "http://u:p@h/", "y": [1, 2]}, 10, "a", None, 9, True, ["d", "c"], 1.5, "http://u:p@h/"]
    image = mapped(tags=odd)
    assert image.document.count("u:p@") == 0
    for _ in odd:
        odd = [*odd[3:], *odd[:3]]
        assert mapped(tags=[*odd, odd[0]]) == image
    assert map_document(image.document, RULES) == image


def test_a_tag_of_over_a_thousand_bytes_has_no_row_but_stays_in_the_document() -> None:
    image = mapped(tags=["\u00e9" * 500, "\u00e9" * 501])
    assert image.tags == ("\u00e9" * 500,)
    assert "\u00e9" * 501 in image.document
    assert len(image.warnings) == 1


FLAGS = [known.capability for known in CAPABILITIES if known.value_kind == "flag" and not known.inverted]


@pytest.mark.parametrize("name", [*FLAGS, "something_new"])
def test_a_flag_is_supported_by_its_text_boolean(name: str) -> None:
    for value in ("true", "True", "TRUE", "yes", "1", True, 1):
        image = mapped(**{f"__support_{name}": value})
        raw = str(value).lower() if isinstance(value, bool) else str(value)
        assert image.capabilities == (CapabilityValue(name, True, raw),)
        assert image.properties == ()
    for value in ("false", "False", "no", "0", False, 0):
        assert not capability(mapped(**{f"__support_{name}": value}), name).supported
    assert mapped().capabilities == ()


def test_a_flag_that_is_neither_true_nor_false_is_kept_raw_and_warned_about() -> None:
    image = mapped(__support_kvm="V100", __support_new=["a", 1])
    assert capability(image, "kvm") == CapabilityValue("kvm", False, "V100")
    assert capability(image, "new") == CapabilityValue("new", False, '["a",1]')
    assert len(image.warnings) == 2


@pytest.mark.parametrize("name", ["xen_gpu_type", "kvm_gpu_type", "kvm_fpga_type", "agent_list"])
def test_a_list_of_models_is_supported_when_one_is_named_or_the_value_is_a_true(name: str) -> None:
    def read(value: object) -> tuple[bool, tuple[str, ...] | None]:
        found = capability(mapped(**{f"__support_{name}": value}), name)
        return found.supported, found.models

    assert read("M60") == (True, ("M60",))
    assert read("hss, ces ,appbooster:nginx&redis,hss") == (True, ("hss", "ces", "appbooster:nginx&redis"))
    assert read(["hss", "ces"]) == (True, ("hss", "ces"))
    assert read("true") == read("True") == read(True) == (True, None)
    assert read("false") == read(False) == (False, None)
    assert read(" , ") == (False, None)
    assert capability(mapped(**{f"__support_{name}": "a, b"}), name).raw_value == "a, b"


@pytest.mark.parametrize("value", [{"a": 1}, ["a", 1]])
def test_a_list_of_models_of_another_shape_is_warned_about(value: object) -> None:
    image = mapped(__support_agent_list=value)
    assert not capability(image, "agent_list").supported
    assert len(image.warnings) == 1


def test_fc_inject_true_means_not_supported_and_any_other_value_supported() -> None:
    for value, raw in (("true", "true"), ("True", "True"), (True, "true")):
        assert mapped(__support_fc_inject=value).capabilities == (CapabilityValue("fc_inject", False, raw),)
    for value in ("false", False, "whatever", 0):
        image = mapped(__support_fc_inject=value)
        assert capability(image, "fc_inject").supported
        assert image.warnings == ()


def test_a_capability_name_of_over_a_thousand_bytes_has_no_row() -> None:
    longest = "x" * 1000
    image = mapped(**{f"__support_{longest}": "true", f"__support_{longest}y": "true"})
    assert [value.capability for value in image.capabilities] == [longest]
    assert len(image.warnings) == 1


def test_the_same_value_is_read_alike_whatever_its_type() -> None:
    assert mapped_json('"__support_kvm":1').capabilities != mapped_json('"__support_kvm":true').capabilities
    assert mapped_json('"__support_kvm":1').capabilities == mapped_json('"__support_kvm":1.0').capabilities
