"""A DeepSeek-style mixture-of-experts transformer, small enough to train on a laptop CPU."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    vocab_size: int = 2048
    hidden_size: int = 256
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    head_dim: int = 64
    intermediate_size: int = 512  # of the dense layers
    first_k_dense_replace: int = 1  # so many leading layers are dense
    moe_intermediate_size: int = 128
    n_routed_experts: int = 8
    n_shared_experts: int = 1
    num_experts_per_tok: int = 2
    n_group: int = 4
    topk_group: int = 2
    routed_scaling_factor: float = 2.5
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int = 256  # the training window


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def matrix(out_features: int, in_features: int, gain: float = 1.0) -> nn.Linear:
    linear = nn.Linear(in_features, out_features, bias=False)
    nn.init.normal_(linear.weight, std=gain / math.sqrt(in_features))
    return linear


def rotary_tables(config: Config, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """cos and sin [length, head_dim]; angle j of position p is p * theta^(-2j / head_dim)."""
    half = config.head_dim // 2
    exponent = torch.arange(half, device=device, dtype=torch.float32) / half
    angle = torch.arange(length, device=device)[:, None] * config.rope_theta**-exponent
    angle = torch.cat((angle, angle), -1)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate-half convention: dimension j turns with dimension j + head_dim / 2."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class Attention(nn.Module):
    """Causal multi-head attention; every head has its own keys and values."""

    def __init__(self, config: Config, gain: float) -> None:
        super().__init__()
        self.heads, self.head_dim = config.num_attention_heads, config.head_dim
        size = self.heads * self.head_dim
        self.q_proj = matrix(size, config.hidden_size)
        self.k_proj = matrix(size, config.hidden_size)
        self.v_proj = matrix(size, config.hidden_size)
        self.o_proj = matrix(config.hidden_size, size, gain)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = x.shape
        shape = (batch, length, self.heads, self.head_dim)
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (projection(x).view(shape).transpose(1, 2) for projection in projections)
        q = rotate(q, cos, sin) * self.head_dim**-0.5
        k = rotate(k, cos, sin)
        weights = (q @ k.transpose(-1, -2) + mask).softmax(-1)
        return self.o_proj((weights @ v).transpose(1, 2).reshape(batch, length, -1))


class SwiGLU(nn.Module):
    def __init__(self, hidden: int, intermediate: int, gain: float) -> None:
        super().__init__()
        self.gate_proj = matrix(intermediate, hidden)
        self.up_proj = matrix(intermediate, hidden)
        self.down_proj = matrix(hidden, intermediate, gain)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Router(nn.Module):
    """DeepSeek-V3 gating: sigmoid scores, group-limited top-k.

    The bias takes part in the choice only, never in the weights. It has no gradient: training
    moves it against each expert's load (train.py), which balances without an auxiliary loss.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(
            torch.randn(config.n_routed_experts, config.hidden_size) / math.sqrt(config.hidden_size)
        )
        self.register_buffer("e_score_correction_bias", torch.zeros(config.n_routed_experts))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [tokens, hidden] -> experts [tokens, k] int64, weights [tokens, k]."""
        c = self.config
        scores = F.linear(x, self.weight).sigmoid()
        with torch.no_grad():
            biased = scores + self.e_score_correction_bias
            grouped = biased.view(-1, c.n_group, c.n_routed_experts // c.n_group)
            group_score = grouped.topk(2, -1).values.sum(-1)
            best = group_score.topk(c.topk_group, -1, sorted=False).indices
            closed = torch.ones_like(group_score, dtype=torch.bool).scatter_(1, best, False)
            biased = grouped.masked_fill(closed[..., None], -math.inf).flatten(1)
            experts = biased.topk(c.num_experts_per_tok, -1).indices
        chosen = scores.gather(1, experts)
        return experts, chosen / (chosen.sum(-1, keepdim=True) + 1e-20) * c.routed_scaling_factor


class MixtureOfExperts(nn.Module):
    def __init__(self, config: Config, gain: float) -> None:
        super().__init__()
        hidden, intermediate = config.hidden_size, config.moe_intermediate_size
        self.gate = Router(config)
        self.experts = nn.ModuleList(
            SwiGLU(hidden, intermediate, gain) for _ in range(config.n_routed_experts)
        )
        self.shared_experts = SwiGLU(hidden, intermediate * config.n_shared_experts, gain)
        self.load = torch.zeros(config.n_routed_experts)  # tokens per expert in the last forward

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.reshape(-1, x.shape[-1])
        experts, weights = self.gate(tokens)
        order = experts.flatten().argsort(stable=True)  # assignments, sorted by expert
        source = order // experts.shape[1]  # the token each of them belongs to
        load = experts.flatten().bincount(minlength=len(self.experts))
        self.load = load.float()
        parts = tokens[source].split(load.tolist())
        routed = torch.cat([expert(part) for expert, part in zip(self.experts, parts)])
        routed = routed * weights.flatten()[order][:, None]
        out = self.shared_experts(tokens)
        # Under autocast the two may differ in dtype, depending on the device.
        return out.index_add(0, source, routed.to(out.dtype)).view(x.shape)


class Layer(nn.Module):
    def __init__(self, config: Config, index: int) -> None:
        super().__init__()
        gain = 1 / math.sqrt(2 * config.num_hidden_layers)  # keeps the residual stream's size
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config, gain)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        if index < config.first_k_dense_replace:
            self.mlp: nn.Module = SwiGLU(config.hidden_size, config.intermediate_size, gain)
        else:
            self.mlp = MixtureOfExperts(config, gain)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        nn.init.normal_(self.embed_tokens.weight, std=0.5)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        cos, sin = rotary_tables(self.config, length, ids.device)
        mask = torch.full((length, length), -math.inf, device=ids.device).triu(1)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)


class TinyMoe(nn.Module):
    """Its state dict has the tensor names of a DeepSeek-V3 checkpoint."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = matrix(config.vocab_size, config.hidden_size, 0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [batch, length] -> logits [batch, length, vocabulary]."""
        return self.lm_head(self.model(ids))

    def mixtures(self) -> list[MixtureOfExperts]:
        return [m for m in self.modules() if isinstance(m, MixtureOfExperts)]
