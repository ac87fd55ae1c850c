"""Models of the SAM family with random weights and pictures of 64 pixels, saved as the library saves real ones."""

from pathlib import Path

import torch
import transformers as library

SIDE = 64
FAMILIES = ("sam", "sam_hq", "sam2", "sam2_video")

_SQUARE = {"height": SIDE, "width": SIDE}
_DECODER = {
    "hidden_size": 16, "mlp_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "attention_downsample_rate": 2,
    "iou_head_hidden_dim": 16,
}  # fmt: skip


def save_sam(folder: Path, family: str = "sam", seed: int = 2) -> Path:
    """Write model and processor; returns the folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = (_first if family in ("sam", "sam_hq") else _second)(family)
        for parameter in model.parameters():
            # As initialised all its masks are the same; with weights of this size they follow box and picture.
            torch.nn.init.normal_(parameter, std=0.6)
    model.save_pretrained(folder)
    _processor(family).save_pretrained(folder)
    return folder


def _first(family: str) -> torch.nn.Module:
    name, more = ("Sam", {}) if family == "sam" else ("SamHQ", {"vit_dim": 16})
    vision = getattr(library, f"{name}VisionConfig")(
        hidden_size=16, output_channels=16, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=8,
        window_size=4, global_attn_indexes=[1], mlp_dim=32, num_pos_feats=8,
    )  # fmt: skip
    prompts = getattr(library, f"{name}PromptEncoderConfig")(
        hidden_size=16, image_size=SIDE, patch_size=8, mask_input_channels=8
    )
    decoder = getattr(library, f"{name}MaskDecoderConfig")(**_DECODER, **more)
    config = getattr(library, f"{name}Config")(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    return getattr(library, f"{name}Model")(config)


def _second(family: str) -> torch.nn.Module:
    encoder = library.Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[SIDE, SIDE], blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 2, 4, 8],
        window_size_per_stage=[4, 4, 4, 4], window_positional_embedding_background_size=[4, 4],
        global_attention_blocks=[3],
    )  # fmt: skip
    vision = library.Sam2VisionConfig(
        backbone_config=encoder, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=16,
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
    )  # fmt: skip
    name, more = ("Sam2", {}) if family == "sam2" else ("Sam2Video", _MEMORY)
    prompts = getattr(library, f"{name}PromptEncoderConfig")(
        hidden_size=16, image_size=SIDE, patch_size=16, mask_input_channels=8
    )
    decoder = getattr(library, f"{name}MaskDecoderConfig")(**_DECODER)
    config = getattr(library, f"{name}Config")(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder, **more
    )
    return getattr(library, f"{name}Model")(config)


_MEMORY = {
    "image_size": SIDE, "memory_attention_hidden_size": 16, "memory_attention_num_layers": 1,
    "memory_attention_feed_forward_hidden_size": 16, "memory_encoder_hidden_size": 16,
    "memory_encoder_output_channels": 16, "mask_downsampler_embed_dim": 16, "memory_fuser_embed_dim": 16,
    "memory_fuser_intermediate_dim": 16, "memory_attention_rope_feat_sizes": [4, 4],
}  # fmt: skip


def _processor(family: str) -> library.ProcessorMixin:
    if family in ("sam", "sam_hq"):
        images = library.SamImageProcessor(
            size={"longest_edge": SIDE}, pad_size=_SQUARE, mask_size={"longest_edge": 16},
            mask_pad_size={"height": 16, "width": 16},
        )  # fmt: skip
        return (library.SamProcessor if family == "sam" else library.SamHQProcessor)(images)
    images = library.Sam2ImageProcessor(size=_SQUARE, mask_size={"height": 16, "width": 16})
    if family == "sam2":
        return library.Sam2Processor(images)
    return library.Sam2VideoProcessor(images, library.Sam2VideoVideoProcessor(size=_SQUARE))
