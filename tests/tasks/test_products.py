"""Products of settings become variants, and nothing else in a params file changes."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from presets.__main__ import main
from presets.overlays import whole
from presets.products import expanded
from tasks.kit.experiment import validate
from tasks.kit.params import ParamsError

VALUES: dict[str, list[Any]] = {
    "train.momentum": [0.0, 0.3, 0.9, 0.95],
    "train.batch_size": [8, 32, 100],
    "rewind.epochs": [0, 1, 2],
    "train.schedule.kind": ["step", "cosine"],
    "train.weight_decay": [0.0001, 1e-05],
    "train.schedule": [{"kind": "cosine", "lr": 0.2}, {"drops": [1, 2]}],
}
WRITTEN = st.sampled_from(
    [
        "grid: [{g}]  # one line",
        "grid: &grid [{g}]",
        "grid: &grid  # a block\n  # above\n- {b}  # first\n\n# below",
        "grid: &grid\n    - {b}\n    # the last",
        "grid: [  # several lines\n  {g},  # the last\n  ]",
        "grid: [\n  {g}\n]",
    ]
)
VARIANTS = st.sampled_from(
    [
        "variants: {base: {}}  # one line",
        "variants: &all {base: }",
        "variants:  # a block\n  # above\n  base: {}  # nothing\n\n  # below\n",
        "variants:\n      base:\n        train:\n          epochs: 3  # fewer\n",
        "variants: {base: {train: {epochs: 3}},  # fewer\n  }",
        "variants: {\n  base: {}\n}",
    ]
)


@st.composite
def factors(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """One product of up to 3 × 3 × 3 settings, none of which is a part of another."""
    left = [key for key in VALUES if key != "train.schedule"]
    keys = draw(st.lists(st.sampled_from(left), min_size=1, max_size=3, unique=True))
    product = {}
    for number, key in enumerate(keys):
        values = draw(st.lists(st.sampled_from(VALUES[key]), min_size=1, max_size=3, unique=True))
        product[key] = {f"{'abc'[number]}{place}": value for place, value in enumerate(values)}
    if not any("schedule" in key for key in keys) and draw(st.booleans()):
        product["train.schedule"] = {"s": VALUES["train.schedule"][draw(st.integers(0, 1))]}
    return product


def by_hand(product: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The variants of one product: a plain re-implementation."""
    variants = {}
    for chosen in itertools.product(*[labelled.items() for labelled in product.values()]):
        over: dict[str, Any] = {}
        for dotted, (_, value) in zip(product, chosen, strict=True):
            below = over
            *path, last = dotted.split(".")
            for key in path:
                below = below.setdefault(key, {})
            below[last] = {**below.get(last, {}), **value} if isinstance(value, dict) else value
        variants["-".join(label for label, _ in chosen)] = over
    return variants


def load(text: str) -> Any:
    return YAML(typ="safe").load(text)


@settings(deadline=None)
@given(factors(), WRITTEN, VARIANTS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_variant_of_a_product_is_added_and_nothing_else_changes(
    product, grid, variants, newline, narrowed
):
    wanted = by_hand(product)
    if narrowed:  # the first variant is there, and taken out of the grid
        name, over = next(iter(wanted.items()))
        variants = f"variants: {{base: {{}}, {name}: {over}}}"
    new = list(wanted)[narrowed:]
    text = "\n".join(
        [
            "# title",
            grid.format(g="base", b="base"),
            f"products: [{product}]  # as they are",
            variants,
            "last: {a: 1,   b: 2}  # no tidying",
        ]
    ).replace("\n", newline)
    result, names = expanded(text, Path("params.yaml"))
    before, after = load(text), load(result)
    assert names == new
    assert after["grid"] == ["base", *new]
    assert after["variants"] == before["variants"] | wanted
    assert list(after["variants"]) == ["base", *wanted]
    others = ("products", "last")
    assert [after[key] for key in others] == [before[key] for key in others]
    assert comments(result) == comments(text)
    assert "last: {a: 1,   b: 2}  # no tidying" in result
    assert result.count("\r\n") == (result.count("\n") if newline == "\r\n" else 0)
    assert expanded(result, Path("params.yaml")) == (result, [])


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


PRODUCT = """products:
  - train.momentum: {mu0: 0.0, mu09: 0.9}
    rewind.epochs: {init: 0, rewind2: 2}
"""
NAMES = ["mu0-init", "mu0-rewind2", "mu09-init", "mu09-rewind2"]


@pytest.fixture(autouse=True)
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


def with_products(text: str, grid: str = "grid: &grid [base, no-rewind]") -> str:
    """An experiment of imp-pool alone with products, its grid under another name, too."""
    lines = whole("cifar10-cpu").splitlines(keepends=True)
    replaced = {"grid: ": f"{grid}  # comment\n", "products: ": text}
    lines = [
        next((new for key, new in replaced.items() if line.startswith(key)), line) for line in lines
    ]
    return "".join(lines)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_a_file_whose_products_are_not_written_out_is_refused_in_one_line(params):
    params.write_text(with_products(PRODUCT))
    with pytest.raises(ParamsError) as error:
        validate(params)
    assert str(error.value) == (
        f"{params}: products: variants lacks mu0-init and 3 more; run `python -m presets --expand`"
    )


def test_expanding_makes_it_valid_and_aliases_of_the_grid_grow_with_it(params, capsys):
    text = with_products(PRODUCT)
    text = text.replace(
        "  variants: [base]            # the variants", "  variants: *grid  # the", 1
    )
    params.write_text(text)
    main(["--expand"])
    assert f"4 variants added: {', '.join(NAMES)}" in capsys.readouterr().out
    experiment = validate(params)
    assert experiment.grid == ["base", "no-rewind", *NAMES]
    assert experiment.pooling.variants == experiment.grid
    assert experiment.variants["mu09-init"] == {"train": {"momentum": 0.9}, "rewind": {"epochs": 0}}
    lines = params.read_text().splitlines()
    [changed] = [line for line in text.splitlines() if line not in lines]
    assert changed.startswith("grid: ")


def test_expanding_twice_changes_nothing_and_a_narrowed_grid_stays_narrowed(params, capsys):
    params.write_text(with_products(PRODUCT))
    main(["--expand", "--to", str(params)])
    narrowed = params.read_text().replace(", mu0-init", "", 1)
    assert load(narrowed)["grid"] == ["base", "no-rewind", *NAMES[1:]]
    params.write_text(narrowed)
    capsys.readouterr()
    main(["--expand"])
    assert "nothing to add" in capsys.readouterr().out
    assert params.read_text() == narrowed


def test_an_empty_grid_is_filled(params):
    params.write_text(
        with_products(PRODUCT, "grid: &grid []").replace(
            "  variants: [base] ", "  variants: *grid "
        )
    )
    main(["--expand"])
    assert validate(params).grid == NAMES


def test_one_more_value_adds_its_variants_alone(params):
    params.write_text(with_products(PRODUCT))
    main(["--expand"])
    before = params.read_text()
    params.write_text(before.replace("mu09: 0.9}", "mu09: 0.9, mu05: 0.5}"))
    main(["--expand"])
    after = load(params.read_text())
    assert after["grid"] == [*load(before)["grid"], "mu05-init", "mu05-rewind2"]
    assert after["variants"]["mu05-init"] == {"train": {"momentum": 0.5}, "rewind": {"epochs": 0}}


MANY = {f"mu{number}": 0.001 * number for number in range(501)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("products: [{train.momentm: {a: 0.1}}]\n", "products.0.train.momentm: unknown key"),
        ("products: [{train.momentum: {a: 1.5}}]\n", "products.0.train.momentum is 1.5"),
        ("products: [{seeds: {a: [1]}}]\n", "products.0.seeds: a variant may change"),
        (
            "products: [{imp.rounds: {a: [{ticket: 0, parent: rewind}]}}]\n",
            "products.0.imp.rounds: all variants have",
        ),
        ("products: [{train.momentum: {a: 0.1, a: 0.2}}]\n", "not valid YAML (found duplicate key"),
        ("products: [{train.momentum: {0.9: 0.9}}]\n", "the key 0.9 is not text"),
        (
            "products: [{train.momentum: {mu0.9: 0.9}}]\n",
            "products.0.train.momentum.mu0.9: a label",
        ),
        ("products: [{train.momentum: {-a: 0.9}}]\n", "products.-a: a name has up to 64"),
        (f"products: [{{train.momentum: {{{'a' * 65}: 0.9}}}}]\n", "a name has up to 64"),
        ("products: [{}]\n", "products.0: no settings"),
        ("products: [{train.momentum: {}}]\n", "products.0: no settings"),
        ("products: {train.momentum: {a: 1}}\n", "products: found"),
        (
            "products: [{train.momentum: {a: 0.1}}, {train.momentum: {a: 0.2}}]\n",
            "products: a would be both {train: {momentum: 0.1}} and {train: {momentum: 0.2}}",
        ),
        (
            "products: [{train.momentum: {a: 0.1, a-b: 0.2}, rewind.epochs: {b-c: 0, c: 1}}]\n",
            "products: a-b-c would be both",
        ),
        (
            "products: [{train.schedule: {a: {lr: 0.2}}, train.schedule.lr: {b: 0.1}}]\n",
            "products.0: train.schedule.lr is a part of train.schedule",
        ),
        (
            "products: [{train.momentum: {no-rewind: 0.5}}]\n",
            "variants.no-rewind: {rewind: {epochs: 0}}, but products make it "
            "{train: {momentum: 0.5}}; remove it here or mend products, then run `python -m",
        ),
        (
            f"products: [{{train.momentum: {MANY}, train.noise: {{a: 1, b: 2}}}}]\n",
            "products: they make 1002 variants; give at most 1000",
        ),
    ],
)
def test_a_fault_in_products_is_one_line_and_changes_nothing(text, told, params, capsys):
    params.write_text(with_products(text))
    before = params.read_bytes()
    error = refusal(capsys, "--expand")
    assert len(error.splitlines()) == 1
    assert told in error
    assert params.read_bytes() == before
    assert [path.name for path in params.parent.iterdir()] == ["params.yaml"]
    with pytest.raises(ParamsError) as other:
        validate(params)
    assert told in str(other.value)
    assert len(str(other.value).splitlines()) == 1


def test_values_are_looked_at_only_in_products_that_are_sound(params):
    params.write_text(with_products("products: [{train.momentum: {mu1.5: 1.5}}]\n"))
    with pytest.raises(ParamsError) as error:
        validate(params)
    [line] = str(error.value).splitlines()
    assert line.endswith("products.0.train.momentum.mu1.5: a label has letters, digits, - and _")


@pytest.mark.parametrize("label", ["1", "0x1", "1e3", "true", "null", "2026-01-01", "2026-02-30"])
def test_labels_that_look_like_something_else_stay_text(label, params):
    params.write_text(with_products(f'products: [{{train.momentum: {{"{label}": 0.1}}}}]\n'))
    main(["--expand"])
    assert validate(params).grid == ["base", "no-rewind", label]
    main(["--expand"])


def test_networks_by_import_are_written_so_that_dvc_can_read_them():
    text = with_products('products: [{model.name: {resnet: "torchvision:resnet18"}}]\n')
    after, _ = expanded(text, Path("params.yaml"))
    written = YAML(typ="safe").load(after)["variants"]["resnet"]
    assert written == {"model": {"name": "torchvision:resnet18"}}


def test_the_same_variant_twice_with_the_same_values_is_one(params):
    params.write_text(
        with_products(PRODUCT + "  - {train.momentum: {mu0: 0.0}, rewind.epochs: {init: 0}}\n")
    )
    main(["--expand"])
    assert validate(params).grid == ["base", "no-rewind", *NAMES]


def test_a_name_and_expand_are_not_given_together(capsys):
    assert "not allowed with" in refusal(capsys, "default", "--expand")


def test_expanding_a_file_that_is_missing_says_so(capsys):
    assert "params.yaml: not found" in refusal(capsys, "--expand")
