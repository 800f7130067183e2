"""Writes runs/best.pt as model/model.safetensors (bf16) and model/config.json."""

import json
from pathlib import Path

import torch

import data
import safetensors
from model import Config

MODEL = data.EXAMPLE / "model"


def config_json(config: Config) -> dict[str, object]:
    """The keys of a DeepSeek-V3 config.json; attention is plain, so its MLA keys are absent."""
    return {
        "architectures": ["TinyMoeForCausalLM"],
        "model_type": "tiny_moe",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_attention_heads,
        "head_dim": config.head_dim,
        "attention_bias": False,
        "intermediate_size": config.intermediate_size,
        "moe_intermediate_size": config.moe_intermediate_size,
        "hidden_act": "silu",
        "first_k_dense_replace": config.first_k_dense_replace,
        "moe_layer_freq": 1,
        "n_routed_experts": config.n_routed_experts,
        "n_shared_experts": config.n_shared_experts,
        "num_experts_per_tok": config.num_experts_per_tok,
        "n_group": config.n_group,
        "topk_group": config.topk_group,
        "topk_method": "noaux_tc",
        "scoring_func": "sigmoid",
        "norm_topk_prob": True,
        "routed_scaling_factor": config.routed_scaling_factor,
        "max_position_embeddings": config.max_position_embeddings,
        "rope_theta": config.rope_theta,
        "rope_scaling": None,
        "rms_norm_eps": config.rms_norm_eps,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "torch_dtype": "bfloat16",
    }


def export(checkpoint: Path, folder: Path) -> None:
    state = torch.load(checkpoint, map_location="cpu")
    tensors = {
        name: value.float() if name.endswith("e_score_correction_bias") else value.bfloat16()
        for name, value in state["model"].items()
    }
    for name, value in tensors.items():
        if not bool(value.isfinite().all()):
            raise SystemExit(f"{checkpoint}: {name} has values that are not finite")
    safetensors.write(folder / "model.safetensors", tensors)
    config = config_json(Config(**state["config"]))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    size = (folder / "model.safetensors").stat().st_size
    parameters = sum(value.numel() for value in tensors.values())
    print(f"step {state['step']}: {len(tensors)} tensors, {parameters} values, {size} bytes")


if __name__ == "__main__":
    export(data.EXAMPLE / "runs" / "best.pt", MODEL)
