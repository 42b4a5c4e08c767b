"""Operations are counted as by hand: two for each multiply-add of an unmasked weight."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lp_core.analysis.flops import flops
from lp_core.models.factory import build
from lp_core.models.structure import prunable


def test_small_convolutions_cost_what_they_cost_by_hand() -> None:
    # 6×6 outputs, each a sum over 3·3·3 products, for 8 channels.
    assert flops(nn.Conv2d(3, 8, 3), (3, 8, 8)) == 2 * 6 * 6 * 27 * 8
    # Padding keeps 8×8; a stride of 2 leaves 4×4.
    assert flops(nn.Conv2d(3, 8, 3, padding=1), (3, 8, 8)) == 2 * 8 * 8 * 27 * 8
    assert flops(nn.Conv2d(3, 8, 3, stride=2, padding=1), (3, 8, 8)) == 2 * 4 * 4 * 27 * 8
    # Two groups halve the products of each output; depthwise leaves one input channel to each.
    assert flops(nn.Conv2d(4, 8, 3, groups=2), (4, 8, 8)) == 2 * 6 * 6 * 18 * 8
    assert flops(nn.Conv2d(4, 4, 3, groups=4), (4, 8, 8)) == 2 * 6 * 6 * 9 * 4


def test_linear_layers_count_and_the_rest_does_not() -> None:
    model = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5))
    assert flops(model, (2, 4, 4)) == 2 * 32 * 5


def test_a_layer_that_runs_twice_counts_twice() -> None:
    layer = nn.Conv2d(2, 2, 1)
    assert flops(nn.Sequential(layer, nn.ReLU(), layer), (2, 3, 3)) == 2 * flops(layer, (2, 3, 3))


@pytest.mark.parametrize(
    ("name", "gmacs"), [("resnet18", 1.814), ("resnet34", 3.664), ("resnet50", 4.089)]
)
def test_imagenet_networks_cost_the_published_multiply_adds(name: str, gmacs: float) -> None:
    model = build(name, 1000, 3, 224, seed=0)
    assert flops(model, (3, 224, 224)) / 2e9 == pytest.approx(gmacs, rel=1e-3)


@given(
    outputs=st.integers(1, 4),
    inputs=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    side=st.integers(3, 7),
    seed=st.integers(0, 99),
)
def test_masked_weights_cost_nothing(
    outputs: int, inputs: int, kernel: int, stride: int, padding: int, side: int, seed: int
) -> None:
    model = nn.Conv2d(inputs, outputs, kernel, stride, padding)
    mask = torch.rand(model.weight.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    places = len(range(0, side + 2 * padding - kernel + 1, stride)) ** 2
    expected = 2 * places * int(mask.sum())
    assert flops(model, (inputs, side, side), {"weight": mask}) == expected
    assert flops(model, (inputs, side, side), {"weight": mask.float()}) == expected


def test_partial_masks_leave_other_layers_dense() -> None:
    model = build("resnet8", 10, 1, 8, seed=0)
    first = prunable(model)[0]
    none = torch.zeros_like(model.get_parameter(first))
    stem = 2 * 8 * 8 * 9 * 16
    assert flops(model, (1, 8, 8), {first: none}) == flops(model, (1, 8, 8)) - stem
    everything = {
        name: torch.zeros_like(model.get_parameter(name)) for name in prunable(model, "conv+linear")
    }
    assert flops(model, (1, 8, 8), everything) == 0


def test_counting_leaves_the_network_as_it_was() -> None:
    model = build("resnet8", 10, 1, 8, seed=0).train()
    model.get_submodule("block1").eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    flops(model, (1, 8, 8))
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())


def test_masks_that_fit_no_weight_are_refused_by_name() -> None:
    model = build("resnet8", 10, 1, 8, seed=0)
    name = prunable(model)[0]
    with pytest.raises(ValueError, match=r"'nowhere\.weight' belongs to no"):
        flops(model, (1, 8, 8), {"nowhere.weight": torch.ones(1)})
    with pytest.raises(ValueError, match=f"'{name}' has shape \\(2, 2\\)"):
        flops(model, (1, 8, 8), {name: torch.ones(2, 2)})


class Attentive(nn.Module):
    """Attention of both kinds: PyTorch's module, and products that no module makes."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, 2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.queries = nn.Linear(8, 8)
        self.up = nn.ConvTranspose1d(8, 4, 3, 2, groups=2)
        self.kernel = nn.Parameter(torch.ones(4, 5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.patches(images).flatten(2).mT
        x = self.layer(self.attention(x, x, x, need_weights=False)[0])
        x = nn.functional.scaled_dot_product_attention(self.queries(x), x, x)
        x = x + torch.einsum("bnm,bmc->bnc", (x @ x.mT).softmax(-1), x)
        return self.up(x.mT).mean(2) @ self.kernel


def test_attention_costs_its_projections_and_its_products() -> None:
    tokens = 16 * 16
    projections = 4 * 8 * 8  # queries, keys, values and what goes out, for each token
    products = 2 * tokens * 8  # with every other token: queries and keys, weights and values
    macs = (
        (tokens * 8 * 12)  # patches
        + 2 * tokens * (projections + products)  # alone and in the encoder's layer
        + tokens * 2 * 8 * 16  # the layer's own two linear ones
        + tokens * (8 * 8 + 2 * products)  # queries; scaled_dot_product_attention and by hand
        + tokens * (8 * 2 * 3)  # up, in two groups
        + 4 * 5
    )
    assert flops(Attentive(), (3, 32, 32)) == 2 * macs


@pytest.mark.parametrize(
    ("name", "gmacs"), [("mobilenet_v3_small", 0.056), ("shufflenet_v2_x0_5", 0.041)]
)
def test_networks_with_grouped_convolutions_cost_the_published_multiply_adds(
    name: str, gmacs: float
) -> None:
    model = build(f"torchvision:{name}", 1000, 3, 224, seed=0)
    assert flops(model, (3, 224, 224)) / 2e9 == pytest.approx(gmacs, rel=0.02)


@pytest.mark.parametrize("name", ["swin_t", "vit_b_16", "efficientnet_b0"])
def test_a_dense_network_costs_what_pytorchs_own_counter_says(name: str) -> None:
    model = build(f"torchvision:{name}", 10, 3, 224, seed=0)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
        model.eval()(torch.zeros(1, 3, 224, 224).requires_grad_())
    assert flops(model, (3, 224, 224)) == counted.get_total_flops()
    masks = {n: torch.zeros_like(model.get_parameter(n)) for n in prunable(model, "conv+linear")}
    of_activations = {"swin_t": 0.28, "vit_b_16": 1.43, "efficientnet_b0": 0.0}[name]
    assert flops(model, (3, 224, 224), masks) / 1e9 == pytest.approx(of_activations, rel=0.01)


class Otherwise(nn.Module):
    """Layers that are not called as PyTorch's own are, on images of 3×8×8."""

    def __init__(self) -> None:
        super().__init__()
        self.pooled = Pooled(3, 8, 3, padding=1)
        self.pair = Pair(8, 8)
        self.handed = nn.Linear(8, 6)
        self.vector = nn.Parameter(torch.ones(6))
        self.lstm = nn.LSTM(6, 5, batch_first=True)
        self.bilinear = nn.Bilinear(5, 5, 7)

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.pair(self.pooled(images).flatten(2).mT)[0]  # 16 tokens of 8 numbers
        x = nn.functional.linear(x, self.handed.weight[:3])
        x = nn.functional.linear(x, self.handed.weight[:, :3].contiguous())
        x = x * (x @ self.vector)[..., None]
        x = self.lstm(x)[0][:, -1]
        out: torch.Tensor = self.bilinear(x, x)
        return out


class Pooled(nn.Conv2d):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.max_pool2d(super().forward(images), 2)


class Pair(nn.Linear):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        return super().forward(x), None


def test_it_is_the_weight_that_counts_and_not_how_its_layer_is_called() -> None:
    model = Otherwise()
    saved = {"pooled.weight": 64 * 8 * 27, "pair.weight": 16 * 8 * 8, "handed.weight": 16 * 3 * 8}
    # A copy of a weight is a weight that the mask knows nothing of.
    others = 16 * 3 * 6 + 16 * 6 + 16 * 4 * 5 * (6 + 5) + 7 * 5 * 5
    whole = flops(model, (3, 8, 8))
    assert whole == 2 * (sum(saved.values()) + others)
    for name, macs in saved.items():
        none = {name: torch.zeros_like(model.get_parameter(name))}
        assert flops(model, (3, 8, 8), none) == whole - 2 * macs
    with torch.inference_mode():
        assert flops(model, (3, 8, 8)) == whole


def test_a_weight_that_others_make_costs_what_it_costs_as_a_layer() -> None:
    plain = flops(nn.Conv2d(3, 8, 3), (3, 8, 8))
    layer = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 8, 3))
    assert flops(layer, (3, 8, 8)) == plain
    # In evaluation, spectral norm multiplies its weight, an 8×27 matrix, with one vector.
    normed = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 8, 3))
    assert plain <= flops(normed, (3, 8, 8)) <= plain + 2 * 8 * 27


def test_no_mask_saves_the_products_of_activations() -> None:
    model = Attentive()
    masks = {n: torch.zeros_like(model.get_parameter(n)) for n in prunable(model, "conv+linear")}
    tokens = 16 * 16
    # Two of attention's own and one made by hand, each twice 256×256×8; the last product; the
    # transposed convolution is a layer.
    attention = 4 * 2 * tokens * tokens * 8
    assert flops(model, (3, 32, 32), masks) == 2 * (attention + 4 * 5)


def test_projections_of_attention_count_for_each_token() -> None:
    model = Attentive()
    whole = flops(model, (3, 32, 32))
    for name, tokens in (("in_proj_weight", 256), ("out_proj.weight", 256)):
        weight = f"attention.{name}"
        none = {weight: torch.zeros_like(model.get_parameter(weight))}
        saved = 2 * tokens * model.get_parameter(weight).numel()
        assert flops(model, (3, 32, 32), none) == whole - saved
