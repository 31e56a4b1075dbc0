"""Stage 2: T5, CLIP and the transformer, trained together to turn one image's latents into another's."""
